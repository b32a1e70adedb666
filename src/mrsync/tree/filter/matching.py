"""Compile rules, so that all names of a directory are matched against many rules at once.

Most rules are names or suffixes, for which sets and tuples are enough. The others become regular expressions of some
rules each. A search of one holds Python's lock, and takes time that grows with its rules times the names: so both are
few, or no other thread would run meanwhile, and targets would think that the master is gone. An expression whose rules
all contain letters that are in no name is not even compiled: 20 000 rules like `*.y123*.z` would take minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol

from mrsync.tree.filter import globs, rules
from mrsync.tree.filter.rules import Rule
from mrsync.tuples import NamedTuple

_NAME, _PATH, _ABSOLUTE = range(3)  # what a rule is matched against
_END = rb"(?=\0)"
_NAME_BYTES = 20  # of a usual name
_EVERYTHING = globs.ANY + _END
_RULES_MAX, _SEARCHED_BYTES = 64, 32_768  # of one search, which then takes some 30 ms at most


class Matcher(Protocol):
    """Find the names in a directory that some rules match.

    names: all names in the directory that are asked about. root: path of the tree. path: that of the directory,
    relative to root.
    """

    def matches(self, names: Sequence[bytes], path: bytes, root: bytes) -> Iterable[bytes]: ...


class Run(NamedTuple):
    """Consecutive rules with the same effect, so that their order does not matter."""

    is_include: bool
    for_files: tuple[Matcher, ...]
    for_directories: tuple[Matcher, ...]


def compile_runs(ordered: Iterable[Rule]) -> tuple[Run, ...]:
    """Compile rules other than merges into runs, in their order."""
    runs = []
    for is_include, members in groupby(ordered, key=lambda rule: bool(rule.flags & rules.INCLUDE)):
        every = tuple(members)
        files = tuple(_matchers(every, is_directory=False))
        runs.append(Run(is_include, files, tuple(_matchers(every, is_directory=True))))
    return tuple(runs)


class _Literals:
    """Match names literally."""

    def __init__(self, literals: Iterable[bytes]) -> None:
        self._literals = frozenset(literals)

    def matches(self, names: Sequence[bytes], path: bytes, root: bytes) -> Iterable[bytes]:
        return self._literals.intersection(names)


class _Endings:
    """Match names by their suffix."""

    def __init__(self, endings: Iterable[bytes]) -> None:
        self._endings = tuple(endings)

    def matches(self, names: Sequence[bytes], path: bytes, root: bytes) -> Iterable[bytes]:
        endings = self._endings
        return names if b"" in endings else [name for name in names if name.endswith(endings)]


class _Places:
    """Match paths relative to the root literally."""

    def __init__(self, paths: Iterable[bytes]) -> None:
        self._places: dict[bytes, set[bytes]] = {}
        for path in paths:
            directory, _, name = path.rpartition(b"/")
            self._places.setdefault(directory, set()).add(name)

    def matches(self, names: Sequence[bytes], path: bytes, root: bytes) -> Iterable[bytes]:
        here = self._places.get(b"/" + path if path else b"")
        return here.intersection(names) if here else ()


class _Expression:
    """Match names with a regular expression: \\0name, \\0/path or \\0/absolute/path, and a slash after directories.

    members: at most _RULES_MAX rules.
    """

    def __init__(self, members: Sequence[Rule], kind: int, is_directory: bool) -> None:
        self._members = members
        self._needles = {b"" if rule.flags & rules.NEGATED else globs.literal_part(rule.pattern) for rule in members}
        self._find: Callable[[bytes], Iterator[re.Match[bytes]]] | None = None
        self._kind = kind
        self._is_directory = is_directory

    def matches(self, names: Sequence[bytes], path: bytes, root: bytes) -> Iterable[bytes]:
        front = b"\0"
        if self._kind != _NAME:
            front += (root if self._kind == _ABSOLUTE else b"") + (b"/" + path if path else b"") + b"/"
        step = 1 + _SEARCHED_BYTES // (len(front) + _NAME_BYTES)
        for first in range(0, len(names), step):
            yield from self._search(names[first : first + step], front)

    def _search(self, names: Sequence[bytes], front: bytes) -> Iterable[bytes]:
        back = b"/" if self._is_directory else b""
        start, end = len(front), -1 if self._is_directory else None
        text = front + (back + front).join(names) + back + b"\0"
        if not any(needle in text for needle in self._needles):
            return []
        if self._find is None:
            self._find = self._compiled()
        return [found.group()[start:end] for found in self._find(text)]

    def _compiled(self) -> Callable[[bytes], Iterator[re.Match[bytes]]]:
        numbers = globs.group_numbers()
        found = (_alternative(rule, self._kind, self._is_directory, numbers) for rule in self._members)
        source = b"|".join([alternative for alternative in found if alternative is not None])
        return re.compile(rb"\0(?:" + source + b")" if source else rb"(?!)").finditer


def _matchers(members: Sequence[Rule], *, is_directory: bool) -> Iterator[Matcher]:
    literals, endings, places = [], [], []
    expressions: tuple[list[Rule], ...] = ([], [], [])
    for rule in members:
        pattern, kind = rule.pattern, _kind_of(rule)
        is_wild = globs.is_wild(pattern)
        if rule.flags & rules.NEGATED:
            expressions[kind].append(rule)
        elif rule.flags & rules.DIRECTORY and not is_directory:
            continue
        elif kind == _NAME and not is_wild:
            literals.append(pattern)
        elif kind == _NAME and pattern[:1] == b"*" and not globs.is_wild(pattern[1:]) and b"\\" not in pattern:
            endings.append(pattern[1:])
        elif kind == _PATH and not is_wild and pattern[:1] == b"/":
            places.append(pattern)
        else:
            expressions[kind].append(rule)
    if literals:
        yield _Literals(literals)
    if endings:
        yield _Endings(endings)
    if places:
        yield _Places(places)
    for kind, remaining in enumerate(expressions):
        for first in range(0, len(remaining), _RULES_MAX):
            yield _Expression(remaining[first : first + _RULES_MAX], kind, is_directory)


def _kind_of(rule: Rule) -> int:
    if b"/" not in rule.pattern and b"**" not in rule.pattern:
        return _NAME
    return _ABSOLUTE if rule.flags & rules.ABSOLUTE else _PATH


def _alternative(rule: Rule, kind: int, is_directory: bool, numbers: Iterator[int]) -> bytes | None:
    """Return the expression of one rule after the NUL of its subject, or None if it matches nothing."""
    if rule.flags & rules.DIRECTORY and not is_directory:
        source = None
    else:
        source = _positive(rule.pattern, kind, is_directory, numbers)
    if not rule.flags & rules.NEGATED:
        return source
    return _EVERYTHING if source is None else b"(?!" + source + b")" + _EVERYTHING


def _positive(pattern: bytes, kind: int, is_directory: bool, numbers: Iterator[int]) -> bytes | None:
    """Return the expression of a pattern, whether or not its rule is negated, or None if it matches nothing."""
    is_wild = globs.is_wild(pattern)
    has_stars = is_wild and b"**" in pattern
    # `dir/***` matches the directory itself, too, as if its path ended in a slash.
    end = b"/" + _END if is_directory and not (has_stars and pattern.endswith(b"***")) else _END
    if kind == _NAME:
        start = b""
    elif pattern.startswith(b"/"):
        start, pattern = b"/", pattern[1:]
    elif pattern.startswith(b"**"):
        start = b"/" if kind == _ABSOLUTE else b""
    else:
        start = rb"/(?:[^\0]*/)?"
    if is_wild:
        has_level = not has_stars and start.endswith(b"?")
        body = globs.translate(pattern, end, numbers, has_level=has_level)
    else:
        body = re.escape(pattern) + end
    return None if body is None else start + body
