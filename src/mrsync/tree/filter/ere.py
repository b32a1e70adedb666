"""Match POSIX extended regular expressions in time linear in the path, so that no pattern can hang a target.

Python's `re` backtracks, which takes exponential time for some patterns, such as `(a*)*b`. Here each byte that a
pattern names is a position, and a bit in sets of positions (Glushkov's automaton, 1961). `follow` says which positions
may accept the next byte after each one. So a path is matched by keeping one set: the positions that have accepted its
last byte. What follows such a set is computed once and kept, up to SETS_MAX of them. SIZE_MAX and LINKS_MAX bound what
compiling takes. Matching is by bytes, as in the C locale.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator

from mrsync.tuples import NamedTuple

REPEAT_MAX = 255  # RE_DUP_MAX
PARENTHESES_MAX = 100  # nested
SIZE_MAX = 10_000  # positions of all patterns together, repetitions written out
LINKS_MAX = 1_000_000  # from a position to all those of the part behind it
SETS_MAX = 10_000  # of positions whose followers are remembered, of 1250 bytes at most
_ALL = (1 << 256) - 1
_SPECIAL = frozenset(b"*+?")
_CLASSES = {
    "alpha": string.ascii_letters,
    "digit": string.digits,
    "alnum": string.ascii_letters + string.digits,
    "upper": string.ascii_uppercase,
    "lower": string.ascii_lowercase,
    "space": string.whitespace,
    "blank": " \t",
    "punct": string.punctuation,
    "xdigit": string.hexdigits,
    "print": "".join(map(chr, range(32, 127))),
    "graph": "".join(map(chr, range(33, 127))),
    "cntrl": "".join(map(chr, [*range(32), 127])),
}


class Patterns:
    """Expressions to match against prefixes of paths; raises ValueError with the reason if one is invalid."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        automaton = _Automaton()
        whole = _NEVER
        for text in texts:
            whole = whole.either(_Parser(text, automaton).parse())
        self._whole = whole
        self._follow = automaton.follow
        alike: dict[int, int] = {}  # positions, by the bytes that they accept
        for at, accepted in enumerate(automaton.accepts):
            alike[accepted] = alike.get(accepted, 0) | 1 << at
        self._accepting = [0] * 256  # by byte, the positions that accept it
        for accepted, positions in alike.items():
            for byte in _bits(accepted):
                self._accepting[byte] |= positions
        self._followers: dict[int, int] = {}  # by set of positions

    def match(self, path: bytes) -> bool:
        """Return whether an expression matches the path or a prefix of it."""
        whole = self._whole
        if whole.is_empty(at_start=True, at_end=not path):
            return True
        reached, current = whole.first[True], 0
        for byte in path:
            current = reached & self._accepting[byte]
            if current & whole.last[False]:
                return True
            if not current:
                return False
            reached = self._behind(current)
        return bool(current & whole.last[True])

    def _behind(self, current: int) -> int:
        """Return the positions that may accept the byte after one that these positions have accepted."""
        reached = self._followers.get(current)
        if reached is None:
            reached = 0
            for at in _bits(current):
                reached |= self._follow[at]
            if len(self._followers) >= SETS_MAX:
                self._followers.clear()
            self._followers[current] = reached
        return reached


class _Part(NamedTuple):
    """A part of a pattern: sets of positions, as numbers with a bit for each.

    first: those that may accept its first byte: elsewhere, and where the path begins.
    last: those that may accept its last byte: elsewhere, and where the path ends.
    empty: where it matches no byte at all: a bit for each pair of (not) at the start and (not) at the end.
    """

    first: tuple[int, int]
    last: tuple[int, int]
    empty: int

    def is_empty(self, *, at_start: bool, at_end: bool) -> bool:
        return bool(self.empty >> (2 * at_start + at_end) & 1)

    def either(self, other: _Part) -> _Part:
        """Return the alternative of this part and another one."""
        first = self.first[0] | other.first[0], self.first[1] | other.first[1]
        last = self.last[0] | other.last[0], self.last[1] | other.last[1]
        return _Part(first, last, self.empty | other.empty)


_NEVER = _Part((0, 0), (0, 0), 0)  # matches nowhere
_EMPTY = _Part((0, 0), (0, 0), 0b1111)  # matches no byte, anywhere
_START = _Part((0, 0), (0, 0), 0b1100)
_END = _Part((0, 0), (0, 0), 0b1010)


class _Automaton:
    """The positions of all patterns. accepts: the bytes that each accepts. follow: those that may accept the next."""

    def __init__(self) -> None:
        self.accepts: list[int] = []
        self.follow: list[int] = []
        self._links = 0

    def add(self, accepted: int) -> _Part:
        """Return a part that accepts one byte out of a set, in which bit n stands for byte n."""
        position = 1 << len(self.accepts)
        self._extend([accepted], [0])
        return _Part((position, position), (position, position), 0)

    def chain(self, one: _Part, other: _Part) -> _Part:
        """Return the concatenation of two parts."""
        self._link(one.last[False], other.first[False])
        first = [
            one.first[at_start] | other.first[at_start] * one.is_empty(at_start=at_start, at_end=False)
            for at_start in (False, True)
        ]
        last = [
            other.last[at_end] | one.last[at_end] * other.is_empty(at_start=False, at_end=at_end)
            for at_end in (False, True)
        ]
        return _Part((first[0], first[1]), (last[0], last[1]), one.empty & other.empty)

    def repeat(self, part: _Part, begin: int, least: int, most: int) -> _Part:
        """Return the repetition of a part whose positions are those from `begin` on. most: -1 if it is unbounded."""
        if not most:
            return _EMPTY
        copies = [part]
        end = len(self.accepts)
        for _ in range((most if most > 0 else max(least, 1)) - 1):
            copies.append(self._copied(part, begin, end))
        if most < 0:
            self._link(copies[-1].last[False], copies[-1].first[False])
        whole = _EMPTY
        for number in reversed(range(len(copies))):  # a(a(a)?)?, so that few positions follow each one
            whole = self.chain(copies[number], whole)
            if number >= least:
                whole = whole._replace(empty=_EMPTY.empty)
        return whole

    def _copied(self, part: _Part, begin: int, end: int) -> _Part:
        """Return a copy of the part that has the positions [begin, end), on new positions."""
        shift = len(self.accepts) - begin
        self._extend(self.accepts[begin:end], [follow << shift for follow in self.follow[begin:end]])
        return _Part(
            (part.first[0] << shift, part.first[1] << shift), (part.last[0] << shift, part.last[1] << shift), part.empty
        )

    def _extend(self, accepts: list[int], follow: list[int]) -> None:
        if len(self.accepts) + len(accepts) > SIZE_MAX:
            raise ValueError("all patterns together are too large")
        self.accepts += accepts
        self.follow += follow

    def _link(self, last: int, first: int) -> None:
        """Let positions follow those that end the part before them."""
        if not first:
            return
        for at in _bits(last):
            self._links += 1
            if self._links > LINKS_MAX:
                raise ValueError("all patterns together are too large")
            self.follow[at] |= first


def _bits(positions: int) -> Iterator[int]:
    while positions:
        lowest = positions & -positions
        yield lowest.bit_length() - 1
        positions ^= lowest


class _Parser:
    """Build the automaton of one expression."""

    def __init__(self, text: bytes, automaton: _Automaton) -> None:
        self._text = text
        self._automaton = automaton
        self._at = 0
        self._depth = 0

    def parse(self) -> _Part:
        if b"\0" in self._text:
            raise ValueError("it contains a NUL byte")
        return self._choice()

    def _next(self) -> int:
        """Return the next byte, or -1 at the end."""
        return self._text[self._at] if self._at < len(self._text) else -1

    def _choice(self) -> _Part:
        part = self._chain()
        while self._next() == ord("|"):
            self._at += 1
            part = part.either(self._chain())
        return part

    def _chain(self) -> _Part:
        parts = []
        while self._next() not in (-1, ord("|")) and not (self._depth and self._next() == ord(")")):
            parts.append(self._repeated())
        whole = _EMPTY
        for part in reversed(parts):  # so that each link is from one part only
            whole = self._automaton.chain(part, whole)
        return whole

    def _repeated(self) -> _Part:
        begin = len(self._automaton.accepts)
        part = self._atom()
        while True:
            mark = self._next()
            if mark in _SPECIAL:
                self._at += 1
                part = self._automaton.repeat(part, begin, int(mark == ord("+")), 1 if mark == ord("?") else -1)
            elif mark == ord("{") and (bounds := self._bounds()) is not None:
                part = self._automaton.repeat(part, begin, *bounds)
            else:
                return part

    def _bounds(self) -> tuple[int, int] | None:
        """Parse {3}, {3,} or {3,5} to (least, most); return None if the brace is literal."""
        end = self._text.find(b"}", self._at)
        low, comma, high = self._text[self._at + 1 : max(end, self._at)].partition(b",")
        if not low.isdigit() or (high and not high.isdigit()):
            return None
        least = int(low[:9])
        most = (int(high[:9]) if high else -1) if comma else least
        if max(least, most) > REPEAT_MAX or (0 <= most < least):
            raise ValueError(f"a repetition must be from 0 to {REPEAT_MAX} times")
        self._at = end + 1
        return least, most

    def _atom(self) -> _Part:
        byte = self._next()
        if byte in _SPECIAL:
            raise ValueError(f"there is nothing that {chr(byte)} could repeat")
        self._at += 1
        if byte == ord("("):
            return self._group()
        if byte == ord("["):
            return self._automaton.add(self._bracket())
        if byte == ord("."):
            return self._automaton.add(_ALL)
        if byte in b"^$":
            return _END if byte == ord("$") else _START
        if byte == ord("\\"):
            byte = self._next()
            self._at += 1
            if byte < 0 or chr(byte).isalnum():
                raise ValueError("a backslash before a letter, a digit or the end is not POSIX")
        return self._automaton.add(1 << byte)

    def _group(self) -> _Part:
        self._depth += 1
        if self._depth > PARENTHESES_MAX:
            raise ValueError("its parentheses are nested too deep")
        part = self._choice()
        if self._next() != ord(")"):
            raise ValueError("a parenthesis is not closed")
        self._at += 1
        self._depth -= 1
        return part

    def _bracket(self) -> int:
        """Parse the rest of a bracket expression; return its bytes as a bit set."""
        is_inverted = self._next() == ord("^")
        self._at += is_inverted
        found = 0
        is_first = True
        while is_first or self._next() != ord("]"):
            is_first = False
            members, low = self._member()
            if self._next() == ord("-") and self._text[self._at + 1 : self._at + 2] not in (b"]", b""):
                self._at += 1
                _, high = self._member()
                if low < 0 or high < low:
                    raise ValueError("a range in brackets is invalid")
                members = (1 << high + 1) - (1 << low)
            found |= members
        self._at += 1
        return found ^ _ALL if is_inverted else found

    def _member(self) -> tuple[int, int]:
        """Parse one member; return its bit set, and its byte or -1 for a class."""
        byte = self._next()
        if byte < 0:
            raise ValueError("a bracket is not closed")
        if byte > 127:
            raise ValueError("only ASCII is allowed in brackets")
        kind = self._text[self._at + 1 : self._at + 2]
        if byte == ord("[") and kind in (b":", b".", b"="):
            end = self._text.find(kind + b"]", self._at + 2)
            name = self._text[self._at + 2 : max(end, self._at)].decode("ascii", "replace")
            self._at = end + 2
            if end > 0 and kind == b":" and name in _CLASSES:
                return sum(1 << ord(char) for char in _CLASSES[name]), -1
            if end < 0 or kind == b":" or len(name) != 1 or not name.isascii():
                raise ValueError("unknown name in [: :], [. .] or [= =]")
            byte = ord(name)
        else:
            self._at += 1
        return 1 << byte, byte
