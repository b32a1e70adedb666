"""Parse and format synclists, texts that name the entries to send, update and delete; see docs/synclist.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum

from mrsync.errors import SelectionError
from mrsync.tree.model.limits import DEPTH_MAX, ENTRIES_MAX, LINK_BYTES_MAX, NAME_BYTES_MAX
from mrsync.tuples import NamedTuple

HEADER = b"# mrsync synclist 1"
_ANY_HEADER = re.compile(rb"# mrsync synclist (\S*)")
_ESCAPE = re.compile(rb"\\#([0-7]{3})")
_RAW_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PLAIN = re.compile(rb"[!-\[\]-~]+")  # no space, no backslash: nothing to escape
_ROOT = b"."


class Instruction(Enum):
    """The first word of a line. The real kind of an entry is found out when the source is read."""

    FILE = "file"  # contents and attributes
    ATTRIBUTES = "attributes"  # owner, mode and time of an existing entry
    DIRECTORY = "directory"  # the directory and its attributes, but nothing in it
    TREE = "tree"  # a directory with everything below
    SYMLINK = "symlink"  # the second field is its target
    HARDLINK = "hardlink"  # the second field names the file that it is linked to
    SPECIAL = "special"  # device, fifo, socket
    DELETING = "deleting"


_PAIRS = (Instruction.SYMLINK, Instruction.HARDLINK)
_MAY_BE_ROOT = (Instruction.ATTRIBUTES, Instruction.DIRECTORY, Instruction.TREE)
_KINDS = {kind.value.encode(): kind for kind in Instruction}


class Item(NamedTuple):
    """One line. path: relative to the root, b"" for the root itself. other: the second field, or empty."""

    kind: Instruction
    path: bytes
    other: bytes = b""


def format_lines(items: Iterable[Item]) -> Iterator[bytes]:
    """Yield the lines of a synclist, including newlines."""
    yield HEADER + b"\n"
    for item in items:
        line = item.kind.value.encode() + b" " + escape(item.path or _ROOT)
        yield (line + b"\t" + escape(item.other) if item.kind in _PAIRS else line) + b"\n"


def parse_lines(lines: Iterable[bytes], name: str) -> list[Item]:
    """Return the items of a synclist. Raise SelectionError, with name and line number, for a line that is not valid."""
    items: list[Item] = []
    for number, line in enumerate(lines, 1):
        try:
            line = line[:-1] if line.endswith(b"\n") else line
            if number == 1:
                _check_version(line)
            if not line or line.startswith(b"#"):
                continue
            if len(items) >= ENTRIES_MAX:
                raise ValueError(f"more than {ENTRIES_MAX} entries")
            items.append(_parse(line))
        except ValueError as error:
            raise SelectionError(f"{name}, line {number}: {error}") from None
    return items


def escape(raw: bytes) -> bytes:
    r"""Escape unprintable characters as \#ooo, as rsync does, and also spaces at either end."""
    if _PLAIN.fullmatch(raw):
        return raw
    text = raw.decode("utf-8", "surrogateescape")
    last = len(text) - 1
    return b"".join(
        _octal(char)
        if not char.isprintable() or (char == "\\" and text[i + 1 : i + 2] == "#") or (char == " " and i in (0, last))
        else char.encode()
        for i, char in enumerate(text)
    )


def unescape(text: bytes) -> bytes:
    """Undo `escape`. Other backslashes stand for themselves. Raise ValueError if an escape exceeds one byte."""
    if b"\\#" not in text:
        return text

    def byte(match: re.Match[bytes]) -> bytes:
        value = int(match[1], 8)
        if value > 0xFF:
            raise ValueError(f"{match[0].decode()} is not a byte")
        return bytes([value])

    return _ESCAPE.sub(byte, text)


def checked_path(raw: bytes) -> bytes:
    """Return a path below the root without trailing slashes, b"" for the root. Raise ValueError with a reason."""
    path = raw.rstrip(b"/")
    if raw.startswith(b"/"):
        raise ValueError(f"{shown(raw)} is not relative to the root")
    if path == _ROOT:
        return b""
    names = path.split(b"/")
    if not path or not all(names):
        raise ValueError("a name is empty")
    if b"\0" in path:
        raise ValueError(f"{shown(raw)} has a NUL byte")
    if b"." in names or b".." in names:
        raise ValueError(f"{shown(raw)} has a '.' or '..' in it")
    if max(map(len, names)) > NAME_BYTES_MAX:
        raise ValueError("a name is too long")
    if len(names) > DEPTH_MAX:
        raise ValueError(f"it is more than {DEPTH_MAX} directories deep")
    return path


def shown(raw: bytes) -> str:
    """Return the first 80 bytes of a name, quoted and escaped for printing."""
    return f"'{escape(raw[:80]).decode()}'"


def _octal(char: str) -> bytes:
    return b"".join(b"\\#%03o" % byte for byte in char.encode("utf-8", "surrogateescape"))


def _check_version(line: bytes) -> None:
    match = _ANY_HEADER.match(line)
    if match and line != HEADER:
        raise ValueError(f"synclists of version {shown(match[1])} are not known here")


def _parse(line: bytes) -> Item:
    if _RAW_CONTROL.search(line):
        raise ValueError("it has a control character, which must be written as \\#ooo")
    word, _, rest = line.partition(b" ")
    kind = _KINDS.get(word)
    if kind is None:
        raise ValueError(f"{shown(word)} is not one of {', '.join(kind.value for kind in Instruction)}")
    fields = rest.split(b"\t")
    if len(fields) != (2 if kind in _PAIRS else 1):
        raise ValueError(f"{kind.value} has {'two fields, with a tab between' if kind in _PAIRS else 'one field'}")
    path = checked_path(unescape(fields[0]))
    if not path and kind not in _MAY_BE_ROOT:
        raise ValueError(f"the root cannot be listed as {kind.value}")
    return Item(kind, path, _parse_other(kind, path, unescape(fields[1])) if kind in _PAIRS else b"")


def _parse_other(kind: Instruction, path: bytes, other: bytes) -> bytes:
    if kind is Instruction.SYMLINK:
        if not 0 < len(other) <= LINK_BYTES_MAX or b"\0" in other:
            raise ValueError("a soft link has an impossible target")
        return other
    leader = checked_path(other)
    if not leader or leader == path:
        raise ValueError("a hard link leads to itself or to the root")
    return leader
