"""Translate rsync's wildcard patterns into regular expressions that never take exponential time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count, groupby

# Subjects are paths that end in NUL. No expression here matches NUL, so one string may hold many subjects.
ANY = rb"[^\0]*"
_STAR, _STARS = b"*", b"**"
_IN_NAME, _ANYWHERE = rb"[^/\0]*", ANY
_ALL = frozenset(range(1, 256)) - {ord("/")}

_ALPHA = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGIT = frozenset(b"0123456789")
_GRAPH = frozenset(range(0x21, 0x7F))
_CLASSES = {
    b"alnum": _ALPHA | _DIGIT,
    b"alpha": _ALPHA,
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset([*range(0x20), 0x7F]),
    b"digit": _DIGIT,
    b"graph": _GRAPH,
    b"lower": frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    b"print": _GRAPH | {0x20},
    b"punct": _GRAPH - _ALPHA - _DIGIT,
    b"space": frozenset(b" \t\n\v\f\r"),
    b"upper": frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    b"xdigit": frozenset(b"0123456789abcdefABCDEF"),
}


def is_wild(pattern: bytes) -> bool:
    """Return whether a pattern has wildcards; only then does a backslash escape."""
    return any(character in pattern for character in (b"*", b"?", b"["))


def literal_part(pattern: bytes) -> bytes:
    """Return the longest part without wildcards that every path has that this pattern matches; maybe an empty one."""
    plain = re.split(rb"[\[\\]", pattern, maxsplit=1)[0]  # what follows may be within a class
    return max(re.split(rb"[*?]", plain), key=len)


def translate(pattern: bytes, end: bytes, numbers: Iterator[int], *, has_level: bool = False) -> bytes | None:
    """Return the regular expression of a wildcard pattern followed by `end`, or None if it can never match.

    numbers: for names of groups that are unique within the whole expression. has_level: the pattern is for as many
    levels as it has slashes, those in a class counted, though they match nothing. A star never takes a slash, so the
    earliest place where the piece after it fits is as good as any later one: stars need not try again, but for the
    last. Without that, `*a*a*a*b` would take time exponential in its stars.
    """
    levels = pattern.count(b"/")
    chunks: list[list[bytes]] = [[b""]]  # between double stars, the pieces between single ones
    for token in _tokens(pattern):
        if token is None:
            return None
        if token == _STARS:
            chunks.append([b""])
        elif token == _STAR:
            chunks[-1].append(b"")
        else:
            chunks[-1][-1] += token
            levels -= token == b"/"
    if has_level and levels:
        return None
    *before, last = chunks
    source = b""
    for number, pieces in enumerate(before):
        expression = pieces[0] + b"".join(_first(_IN_NAME, piece, numbers) for piece in pieces[1:])
        source += _first(_ANYWHERE, expression, numbers) if number else expression
    if before:
        source += _ANYWHERE
    source += last[0] + b"".join(_first(_IN_NAME, piece, numbers) for piece in last[1:-1])
    return source + (_IN_NAME + last[-1] if len(last) > 1 else b"") + end


def _first(gap: bytes, expression: bytes, numbers: Iterator[int]) -> bytes:
    """The first place after a gap where an expression fits, and never another: an atomic group, as of Python 3.11."""
    if not expression:
        return b""
    name = b"g%d" % next(numbers)
    return b"(?=(?P<" + name + b">" + gap + b"?" + expression + b"))(?P=" + name + b")"


def _tokens(pattern: bytes) -> Iterator[bytes | None]:
    """Return _STAR, _STARS, or the expression of one character; None if it never matches."""
    position = 0
    while position < len(pattern):
        character = pattern[position : position + 1]
        position += 1
        if character == b"*":
            start = position - 1
            while pattern[position : position + 1] == b"*":
                position += 1
            yield _STARS if position - start > 1 else _STAR
        elif character == b"?":
            yield rb"[^/\0]"
        elif character == b"[":
            members, position = _read_class(pattern, position)
            yield _class(members) if members else None
        elif character == b"\\":
            yield re.escape(pattern[position : position + 1]) or None
            position += 1
        else:
            yield re.escape(character)


def _class(members: frozenset[int]) -> bytes:
    """Use as few ranges as possible, because thousands of classes must compile quickly."""
    ranges = []
    for _, run in groupby(enumerate(sorted(members)), key=lambda pair: pair[1] - pair[0]):
        span = [member for _, member in run]
        ranges.append(b"\\x%02x-\\x%02x" % (span[0], span[-1]))
    return b"[" + b"".join(ranges) + b"]"


def _read_class(pattern: bytes, position: int) -> tuple[frozenset[int], int]:
    """Return the members of the class after an opening bracket and its end; no members if it is malformed."""
    is_negated = pattern[position : position + 1] in (b"!", b"^")
    position += is_negated
    members: set[int] = set()
    low = 0  # the character that may begin a range; 0 for none
    is_first = True
    while is_first or pattern[position : position + 1] != b"]":
        is_first = False
        character = pattern[position : position + 1]
        if character == b"-" and low and pattern[position + 1 : position + 2] not in (b"", b"]"):
            position += 1
            high, position = _read_member(pattern, position)
            members.update(range(low, high + 1))
            low = 0
            continue
        if pattern[position : position + 2] == b"[:":
            close = pattern.find(b"]", position + 2)
            if close < 0:
                return frozenset(), position
            if close > position + 2 and pattern[close - 1] == ord(":"):
                name = pattern[position + 2 : close - 1]
                if name not in _CLASSES:
                    return frozenset(), position
                members |= _CLASSES[name]
                low = 0
                position = close + 1
                continue
        low, position = _read_member(pattern, position)
        if not low:
            return frozenset(), position
        members.add(low)
    kept = _ALL - members if is_negated else _ALL & members
    return kept, position + 1


def _read_member(pattern: bytes, position: int) -> tuple[int, int]:
    """Return one character of a class, unescaped, and the rest; the character is 0 at the end of the pattern."""
    if pattern[position : position + 1] == b"\\":
        position += 1
    return (pattern[position], position + 1) if position < len(pattern) else (0, position)


def group_numbers() -> Iterator[int]:
    """Return the numbers for the groups of one expression."""
    return count()
