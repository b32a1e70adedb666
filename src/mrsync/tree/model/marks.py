"""Marks that a list of files sets on the entries of a manifest, and the paths that it deletes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from enum import IntEnum

from mrsync.tree.model.limits import DEPTH_MAX, ENTRIES_MAX, NAME_BYTES_MAX
from mrsync.tree.model.packing import Packer, Unpacker
from mrsync.tuples import NamedTuple


class Mark(IntEnum):
    """The request of a list for one entry."""

    IMPLIED = 0  # a parent or link leader of listed entries; left alone if it exists
    COMPARED = 1  # compared as without a list
    SENT = 2  # sent unconditionally
    LINKED = 3  # another name of an up-to-date file


class Listed(NamedTuple):
    """A list's requests for a whole tree.

    marks: one per entry. deletions: paths to delete, a directory after its contents.
    """

    marks: array[int]
    deletions: list[bytes]

    def encode(self, packer: Packer) -> None:
        packer.column(self.marks)  # [listed-marks]
        packer.number(len(self.deletions))  # [listed-deletion-count]
        packer.strings(self.deletions)  # [listed-deletions]

    @classmethod
    def decode(cls, unpacker: Unpacker, entry_count: int) -> Listed:
        """Decode what `encode` wrote. Raise ProtocolDataError for unknown marks, and for paths that lead elsewhere."""
        marks = unpacker.column("B", entry_count)
        if max(marks) > Mark.LINKED:
            raise unpacker.error("an entry has an unknown mark")
        deletions = unpacker.strings(unpacker.number(ENTRIES_MAX))
        if fault := fault_of_deletions(deletions):
            raise unpacker.error(fault)
        return cls(marks, deletions)


def fault_of_deletions(paths: Sequence[bytes]) -> str:
    """Return what is wrong with paths to delete below the destination, or "" if none leads elsewhere."""
    for path in paths:
        names = path.split(b"/")
        if b"" in names or b"." in names or b".." in names:
            return "a path to delete has a name that is empty, '.' or '..'"
        if len(path) > NAME_BYTES_MAX and max(map(len, names)) > NAME_BYTES_MAX:
            return "a path to delete has a name that is too long"
        if len(names) > DEPTH_MAX:
            return "a path to delete is too deep"
    return ""
