"""Match POSIX extended regular expressions in time linear in the path, so that no pattern can hang a target.

Python's `re` backtracks, which takes exponential time for some patterns, such as `(a*)*b`. Here a pattern is compiled
to a program that runs a set of threads in lockstep over the input (Thompson, CACM 1968; Pike's virtual machine). A set
never holds more threads than the program has steps, so each byte costs at most one pass over the program. Sets are
cached with their transitions, as in a lazy DFA; the cache is dropped when it exceeds THREADS_MAX. SIZE_MAX bounds the
program, and with it what compiling takes. Matching is by bytes, as in the C locale.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Sequence
from typing import Union

from mrsync.tuples import NamedTuple

REPEAT_MAX = 255  # RE_DUP_MAX
PARENTHESES_MAX = 100  # nested
DEPTH_MAX = 200  # of nodes, which is 600 calls deep
SIZE_MAX = 10_000  # steps of all patterns together, repetitions written out
THREADS_MAX = 200_000  # of all sets that are remembered at a time
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


class Take(NamedTuple):
    """One byte out of a set; bit n of bytes stands for byte n."""

    bytes: int


class Anchor(NamedTuple):
    """The beginning or the end of the path."""

    is_end: bool


class Chain(NamedTuple):
    """A concatenation."""

    parts: tuple[Node, ...]


class Choice(NamedTuple):
    """An alternation."""

    parts: tuple[Node, ...]


class Repeat(NamedTuple):
    """A repetition; most is -1 if it is unbounded."""

    part: Node
    least: int
    most: int


Node = Union[Take, Anchor, Chain, Choice, Repeat]


class Patterns:
    """Expressions to match against prefixes of paths; raises ValueError with the reason if one is invalid."""

    def __init__(self, texts: Iterable[bytes]) -> None:
        self._program: list[tuple[int, int, int]] = []  # (operation, its two operands)
        self._emitted = 0  # nodes; one may need no step, and be repeated all the same
        self._depth = 0  # of the node that is being emitted
        starts = []
        for text in texts:
            starts.append(len(self._program))
            self._emit(_Parser(text).parse())
            self._add(_MATCH)
        self._sets: dict[tuple[int, ...], _Set] = {}
        self._threads = 0
        self._first = self._set_of(starts, at_start=True)

    def match(self, path: bytes) -> bool:
        """Return whether an expression matches the path or a prefix of it."""
        current = self._first
        for byte in path:
            if current.is_match or not current.takes:
                return current.is_match
            following = current.following.get(byte)
            if following is None:
                bit = 1 << byte
                program = self._program
                following = self._set_of([at + 1 for at in current.takes if program[at][1] & bit])
                current.following[byte] = following
            current = following
        return current.is_match or self._is_match_at_end(current)

    def _add(self, operation: int, first: int = 0, second: int = 0) -> int:
        if len(self._program) >= SIZE_MAX:
            raise ValueError("all patterns together are too large")
        self._program.append((operation, first, second))
        return len(self._program) - 1

    def _emit(self, node: Node) -> None:
        self._emitted += 1
        self._depth += 1
        if self._emitted > 2 * SIZE_MAX:
            raise ValueError("all patterns together are too large")
        if self._depth > DEPTH_MAX:
            raise ValueError("its parts are nested too deep")
        self._emit_node(node)
        self._depth -= 1

    def _emit_node(self, node: Node) -> None:
        program = self._program
        if isinstance(node, Take):
            self._add(_TAKE, node.bytes)
        elif isinstance(node, Anchor):
            self._add(_END if node.is_end else _START)
        elif isinstance(node, Chain):
            for part in node.parts:
                self._emit(part)
        elif isinstance(node, Choice):
            jumps = []
            for part in node.parts[:-1]:
                split = self._add(_SPLIT, len(program) + 1)
                self._emit(part)
                jumps.append(self._add(_JUMP))
                program[split] = (_SPLIT, split + 1, len(program))
            self._emit(node.parts[-1])
            for jump in jumps:
                program[jump] = (_JUMP, len(program), 0)
        else:
            self._emit_repeat(node)

    def _emit_repeat(self, node: Repeat) -> None:
        program = self._program
        for _ in range(node.least):
            self._emit(node.part)
        if node.most < 0:
            split = self._add(_SPLIT)
            self._emit(node.part)
            self._add(_JUMP, split)
            program[split] = (_SPLIT, split + 1, len(program))
            return
        splits = []
        for _ in range(node.most - node.least):
            splits.append(self._add(_SPLIT))
            self._emit(node.part)
        for split in splits:
            program[split] = (_SPLIT, split + 1, len(program))

    def _set_of(self, starts: Sequence[int], *, at_start: bool = False) -> _Set:
        """Return the set of threads reachable from starts without consuming a byte, from the cache if possible."""
        key = (-1, *starts) if at_start else tuple(starts)
        known = self._sets.get(key)
        if known is None:
            if self._threads > THREADS_MAX:
                self._forget()
            takes, is_match = self._run(starts, at_start=at_start, at_end=False)
            known = self._sets[key] = _Set(key, takes, is_match)
            self._threads += len(takes) + len(key)
        return known

    def _is_match_at_end(self, known: _Set) -> bool:
        """Return whether a path that ends here matches, if it did not match before its end."""
        if known.is_match_at_end is None:
            at_start = known.starts[:1] == (-1,)
            known.is_match_at_end = self._run(known.starts[at_start:], at_start=at_start, at_end=True)[1]
        return known.is_match_at_end

    def _forget(self) -> None:
        """Drop the cache; clear the transitions, which form reference cycles."""
        for known in self._sets.values():
            known.following.clear()
        self._sets.clear()
        self._threads = 0

    def _run(self, starts: Sequence[int], *, at_start: bool, at_end: bool) -> tuple[list[int], bool]:
        takes = []
        is_match = False
        waiting, seen = list(starts), set(starts)
        while waiting:
            at = waiting.pop()
            operation, first, second = self._program[at]
            targets: tuple[int, ...] = ()
            if operation == _TAKE:
                takes.append(at)
            elif operation == _MATCH:
                is_match = True
            elif operation == _SPLIT:
                targets = (first, second)
            elif operation == _JUMP:
                targets = (first,)
            elif at_end if operation == _END else at_start:
                targets = (at + 1,)
            waiting += [target for target in targets if target not in seen]
            seen.update(targets)
        return sorted(takes), is_match


_TAKE, _SPLIT, _JUMP, _START, _END, _MATCH = range(6)


class _Set:
    """A set of threads that wait for a byte, with the next set for each byte."""

    def __init__(self, starts: tuple[int, ...], takes: list[int], is_match: bool) -> None:
        self.starts = starts  # where its threads began; -1 before them: at the beginning of the path
        self.takes = takes
        self.is_match = is_match
        self.is_match_at_end: bool | None = None  # not known yet
        self.following: dict[int, _Set] = {}


class _Parser:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        if b"\0" in self._text:
            raise ValueError("it contains a NUL byte")
        return self._choice()

    def _next(self) -> int:
        """Return the next byte, or -1 at the end."""
        return self._text[self._at] if self._at < len(self._text) else -1

    def _choice(self) -> Node:
        parts = [self._chain()]
        while self._next() == ord("|"):
            self._at += 1
            parts.append(self._chain())
        return Choice(tuple(parts)) if len(parts) > 1 else parts[0]

    def _chain(self) -> Node:
        parts: list[Node] = []
        while self._next() not in (-1, ord("|")) and not (self._depth and self._next() == ord(")")):
            parts.append(self._repeated(self._atom()))
        return Chain(tuple(parts))

    def _repeated(self, node: Node) -> Node:
        while True:
            mark = self._next()
            if mark in _SPECIAL:
                self._at += 1
                node = Repeat(node, int(mark == ord("+")), 1 if mark == ord("?") else -1)
            elif mark == ord("{") and (bounds := self._bounds()) is not None:
                node = Repeat(node, *bounds)
            else:
                return node

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

    def _atom(self) -> Node:
        byte = self._next()
        if byte in _SPECIAL:
            raise ValueError(f"there is nothing that {chr(byte)} could repeat")
        self._at += 1
        if byte == ord("("):
            return self._group()
        if byte == ord("["):
            return Take(self._bracket())
        if byte == ord("."):
            return Take(_ALL)
        if byte in b"^$":
            return Anchor(byte == ord("$"))
        if byte == ord("\\"):
            byte = self._next()
            self._at += 1
            if byte < 0 or chr(byte).isalnum():
                raise ValueError("a backslash before a letter, a digit or the end is not POSIX")
        return Take(1 << byte)

    def _group(self) -> Node:
        self._depth += 1
        if self._depth > PARENTHESES_MAX:
            raise ValueError("its parentheses are nested too deep")
        node = self._choice()
        if self._next() != ord(")"):
            raise ValueError("a parenthesis is not closed")
        self._at += 1
        self._depth -= 1
        return node

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
