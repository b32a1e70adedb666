"""What a list says of a manifest that holds only some of the source: what is to be done with each entry, what goes."""

from __future__ import annotations

from array import array
from typing import NamedTuple

from mrsync.tree.model.limits import DEPTH_MAX, ENTRIES_MAX, NAME_BYTES_MAX
from mrsync.tree.model.packing import Packer, Unpacker

# IMPLIED: only there so that others have a place, or a file to be linked to; a directory is left alone if it is there.
# COMPARED: as without a list. SENT: whatever is there. LINKED: another name of a file that is right.
IMPLIED, COMPARED, SENT, LINKED = range(4)


class Listed(NamedTuple):
    """marks: one for every entry. deletions: paths to delete, a directory behind all that is in it."""

    marks: array[int]
    deletions: list[bytes]

    def encode(self, packer: Packer) -> None:
        packer.column(self.marks)
        packer.number(len(self.deletions))
        packer.strings(self.deletions)

    @classmethod
    def decode(cls, unpacker: Unpacker, entry_count: int) -> Listed:
        """Read `encode`'s bytes; ProtocolDataError for paths that lead elsewhere, and for unknown marks."""
        marks = unpacker.column("B", entry_count)
        if max(marks) > LINKED:
            raise unpacker.error("an entry has an unknown mark")
        deletions = unpacker.strings(unpacker.number(ENTRIES_MAX))
        if deletions:
            names = b"/".join(deletions).split(b"/")
            if not all(names) or not {b".", b".."}.isdisjoint(names):
                raise unpacker.error("a path to delete has a name that is empty, '.' or '..'")
            if max(map(len, names)) > NAME_BYTES_MAX:
                raise unpacker.error("a path to delete has a name that is too long")
            if max(path.count(b"/") for path in deletions) >= DEPTH_MAX:
                raise unpacker.error("a path to delete is too deep")
        return cls(marks, deletions)
