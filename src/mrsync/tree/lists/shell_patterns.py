"""Select entries of the source by shell patterns (-l)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence

from mrsync.errors import SelectionError
from mrsync.tree.fs.directories import Directories
from mrsync.tree.lists.synclist import Instruction, Item, shown
from mrsync.tree.model.columns import PathTree
from mrsync.tree.model.listing import sorted_names
from mrsync.tree.source.roots import open_source

_MAGIC = re.compile(rb"(?<!\\)(?:\\\\)*[*?\[]")
_COMMA = re.compile(rb"((?:\\.|[^,\\])*)(?:,|$)", re.DOTALL)
_CLASSES = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "xdigit": "0-9A-Fa-f",
    "space": r" \t\n\r\f\v", "blank": r" \t", "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip


def split_list(text: bytes) -> list[bytes]:
    r"""Split a list of patterns at commas; \, is a comma within a pattern."""
    found = [match[1].replace(b"\\,", b",") for match in _COMMA.finditer(text)]
    return [pattern for pattern in found if pattern]


def match_patterns(root: bytes, patterns: Sequence[bytes]) -> tuple[list[Item], list[bytes]]:
    """Return the items that the patterns match below root, and the patterns that match nothing.

    Directories are taken with everything in them. Raise SelectionError if a pattern leads out of the root, or if no
    pattern matches anything.
    """
    matcher = _Matcher(root)
    try:
        items: dict[bytes, Item] = {}
        idle = []
        for pattern in patterns:
            found = list(matcher.match(_components(pattern)))
            items.update((item.path, item) for item in found)
            if not found:
                idle.append(pattern)
    finally:
        matcher.close()
    if not items:
        raise SelectionError(f"nothing in the source matches {', '.join(map(shown, patterns)) or 'an empty list'}")
    return list(items.values()), idle


def translate_pattern(component: bytes) -> re.Pattern[str]:
    """Return the regular expression of a pattern for one name, decoded with surrogateescape.

    As in the shell, a wildcard does not match a leading dot. The earliest place where the piece after a star fits is
    as good as any later one, unless it is the last piece. So stars do not try again, which could take forever.
    """
    text = os.fsdecode(component)
    pieces: list[str] = []  # those that a star follows
    parts = [] if text[:1] == "." or text[:2] == "\\." else [r"(?!\.)"]
    position = 0
    while position < len(text):
        char = text[position]
        position += 1
        if char == "*":
            pieces.append("".join(parts))
            parts = []
        elif char == "?":
            parts.append(".")
        elif char == "[" and (end := _end_of_set(text, position)) > 0:
            parts.append(_translate_set(text[position:end]))
            position = end + 1
        elif char == "\\" and position < len(text):
            parts.append(re.escape(text[position]))
            position += 1
        else:
            parts.append(re.escape(char))
    expression = "".join(parts)
    if pieces:
        expression = pieces[0] + "".join(f"(?>.*?{piece})" for piece in pieces[1:]) + ".*" + expression
    try:
        return re.compile(expression, re.DOTALL)
    except re.error:  # a range that runs backwards, which matches nothing
        return re.compile("(?!)")


def _components(pattern: bytes) -> list[bytes]:
    names = [name for name in pattern.split(b"/") if name not in (b"", b".")]
    if pattern.startswith(b"/") or b".." in names:
        raise SelectionError(f"{shown(pattern)} is outside the source; give patterns relative to it")
    if pattern.endswith(b"/"):
        names.append(b"")  # directories only
    return names


def _end_of_set(text: str, start: int) -> int:
    """Return the position of the bracket that closes the set opened before start, or 0 if there is none."""
    position = start + (text[start : start + 1] in ("!", "^"))
    position += text[position : position + 1] == "]"
    while position < len(text) and text[position] != "]":
        if text[position] == "\\":
            position += 1
        elif text.startswith("[:", position) and (end := text.find(":]", position)) > 0:
            position = end + 1
        position += 1
    return position if position < len(text) else 0


def _translate_set(inner: str) -> str:
    is_negated = inner[:1] in ("!", "^")
    body = inner[1:] if is_negated else inner
    parts: list[str] = []
    begins_range = False  # the last part is a dash between two characters
    for match in re.finditer(r"\[:(\w+):\]|\\(.)|(-)|(.)", body, re.DOTALL):
        name, escaped, dash, plain = match.groups()
        if name is not None:
            parts.append(_CLASSES.get(name, ""))
        elif dash is not None:
            begins_range = match.start() > 0 and match.end() < len(body) and not begins_range
            parts.append("-" if begins_range else r"\-")
            continue
        else:
            parts.append(re.escape(escaped or plain))
        begins_range = False
    joined = "".join(parts)
    if not joined:
        return "." if is_negated else "(?!)"
    return f"[{'^' if is_negated else ''}{joined}]"


class _Matcher:
    """Walk a source by patterns, never through a link."""

    def __init__(self, root: bytes) -> None:
        self._root_fd = open_source(root)
        self._tree = PathTree()
        self._directories = Directories(self._root_fd, self._tree.names, self._tree.parents)
        self._names: dict[int, list[bytes]] = {}

    def match(self, components: Sequence[bytes], number: int = 0) -> Iterator[Item]:
        """Yield the matching items below a directory. number: the directory, in the tree of visited paths."""
        if not components or components == [b""]:
            yield Item(Instruction.TREE, self._tree.path(number))
            return
        rest = components[1:]
        for name in self._candidates(components[0], number):
            try:
                fd = self._directories.open(number)
                mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
                target = os.readlink(name, dir_fd=fd) if stat.S_ISLNK(mode) else b""
            except OSError:
                continue  # it does not exist or cannot be read, so it matches nothing
            if stat.S_ISDIR(mode):
                yield from self.match(rest, self._tree.add_below(number, name))
            elif not rest:
                path = os.path.join(self._tree.path(number), name)
                yield Item(_kind(mode), path, target)

    def _candidates(self, component: bytes, number: int) -> list[bytes]:
        if not _MAGIC.search(component):
            name = re.sub(rb"\\(.)", rb"\1", component, flags=re.DOTALL)
            return [] if name in (b".", b"..") or b"\0" in name else [name]
        if number not in self._names:
            try:
                self._names[number] = sorted_names(self._directories.open(number))
            except OSError:
                self._names[number] = []
        pattern = translate_pattern(component)
        return [name for name in self._names[number] if pattern.fullmatch(os.fsdecode(name))]

    def close(self) -> None:
        self._directories.close()
        os.close(self._root_fd)


def _kind(mode: int) -> Instruction:
    if stat.S_ISREG(mode):
        return Instruction.FILE
    return Instruction.SYMLINK if stat.S_ISLNK(mode) else Instruction.SPECIAL
