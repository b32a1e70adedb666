"""Names of entries as columns: of a manifest, in little memory; and of single paths, as a tree."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import overload

from mrsync.errors import LimitError
from mrsync.tree.model.packing import joined

_AT_ONCE = 4096  # names
_SPLIT_AT_ONCE = 1 << 18  # bytes
_BYTES_MAX = (1 << 32) - 1  # the offsets have 32 bits
_length = (1).__add__  # of a name with its separator


class NameColumn(Sequence[bytes]):
    """Names without NUL, in order; they can be appended, and are made anew whenever one is read.

    text: all of them with a NUL between each two, as they stand in an encoded manifest.
    """

    def __init__(self, names: Iterable[bytes] = ()) -> None:
        self._text: bytes | bytearray = bytearray()
        self._starts = array("I", [0])  # of each name, and where the next one would start
        self.extend(list(names))

    @classmethod
    def split(cls, text: bytes) -> NameColumn:
        """Return the names of a `text`, which has one at least. It is kept, not copied."""
        self = cls()
        self._text = text
        end = -1
        while end < len(text):
            start = end + 1
            end = text.find(b"\0", start + _SPLIT_AT_ONCE)
            if end < 0:
                end = len(text)
            self._note(text[start:end].split(b"\0"))
        return self

    @property
    def text(self) -> bytes | bytearray:
        return self._text

    def extend(self, names: list[bytes]) -> None:
        """Append names. Raise LimitError if all of them take more than 4 GiB."""
        if not names:
            return
        text = self._text = self._text if isinstance(self._text, bytearray) else bytearray(self._text)
        if len(self):
            text += b"\0"
        text += joined(names, b"\0")
        if len(text) >= _BYTES_MAX:
            raise LimitError("the names of all entries take more than 4 GiB; sync parts of SOURCE")
        self._note(names)

    def _note(self, names: list[bytes]) -> None:
        ends = accumulate(map(_length, map(len, names)), initial=self._starts[-1])
        self._starts.extend(islice(ends, 1, None))

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...

    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...

    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        """Return the name at an index of at least 0, or a list of those in a slice without step."""
        starts = self._starts
        if isinstance(index, slice):
            first, end, _ = index.indices(len(self))
            return bytes(self._text[starts[first] : starts[end] - 1]).split(b"\0") if first < end else []
        return bytes(self._text[starts[index] : starts[index + 1] - 1])

    def pick(self, indexes: Iterable[int]) -> Iterator[bytes]:
        """Yield the names at several indexes, faster than one by one."""
        text, starts = self._text, self._starts
        return (bytes(text[starts[index] : starts[index + 1] - 1]) for index in indexes)

    def __iter__(self) -> Iterator[bytes]:
        for first in range(0, len(self), _AT_ONCE):
            yield from self[first : first + _AT_ONCE]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NameColumn) and len(self) == len(other) and self._text == other._text


class PathTree:
    """Every path once, its parents before it. names, parents: columns for Directories; number 0 is the root.

    children: numbers by name, of those that have any.
    """

    def __init__(self) -> None:
        self.names: list[bytes] = [b""]
        self.parents = array("I", [0])
        self.children: dict[int, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def add(self, path: bytes) -> int:
        """Return the number of a path, adding it if it is new; b"" is the root."""
        number = 0
        for name in path.split(b"/") if path else ():
            number = self.add_below(number, name)
        return number

    def add_below(self, parent: int, name: bytes) -> int:
        """Return the number of a name in a directory, adding it if it is new."""
        below = self.children.setdefault(parent, {})
        number = below.get(name)
        if number is None:
            number = below[name] = len(self.names)
            self.names.append(name)
            self.parents.append(parent)
        return number

    def path(self, number: int) -> bytes:
        """Return the path with this number."""
        parts = []
        while number:
            parts.append(self.names[number])
            number = self.parents[number]
        return b"/".join(reversed(parts))
