"""Itemize how each entry was or would be changed, and what was deleted, in the letters of rsync."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator

from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import DEVICES, DIRECTORY, LINK, REGULAR

# Differences; the letters of rsync's --itemize-changes: s t p o g a x.
SIZE, TIME, MODE, USER, GROUP, ACL, XATTR = (1 << bit for bit in range(7))
LETTERS = SIZE | TIME | MODE | USER | GROUP | ACL | XATTR
INEXACT = 1 << 12  # equal within the window, but corrected; has no letter
ATTRIBUTES = LETTERS & ~SIZE | INEXACT  # differences that can be corrected without contents
# What happened to the entry, in the higher bits; docs/protocol.md lists all of them.
NEW, ALTERED, SENT, MADE, LINKED = (1 << bit for bit in range(7, 12))
_FLAGS = (1 << 12) - 1
_DIFFERENCES = "stpog"
_KINDS = {REGULAR: "f", DIRECTORY: "d", LINK: "L"}


class Items:
    """The changed entries of one target, in any order of arrival."""

    def __init__(self) -> None:
        self._entries = array("I")
        self._flags = array("H")
        self._leaders: dict[int, int] = {}

    def add(self, entry: int, flags: int, leader: int = -1) -> None:
        """Add flags of an entry; leader: the entry that it becomes a hard link to, or -1."""
        self._entries.append(entry)
        self._flags.append(flags & _FLAGS)
        if leader >= 0:
            self._leaders[entry] = leader

    def amend(self, entries: Collection[int], again: Items) -> None:
        """Replace the items of these entries by those in `again`."""
        old, new = list(zip(self._entries, self._flags)), list(zip(again._entries, again._flags))
        merged = [item for item in old if item[0] not in entries] + [item for item in new if item[0] in entries]
        self._leaders = {entry: leader for entry, leader in self._leaders.items() if entry not in entries}
        self._leaders.update(again._leaders)
        self._entries = array("I", [entry for entry, _ in merged])
        self._flags = array("H", [flags for _, flags in merged])

    def runs(self, failed: Collection[int] = ()) -> Iterator[tuple[int, int, int, int]]:
        """Yield (first, end, flags, leader or -1), ascending, without failed entries. Neighbours are merged."""
        first = end = flags = 0
        for place in sorted(range(len(self._entries)), key=self._entries.__getitem__):
            entry = self._entries[place]
            if entry in failed:
                continue
            leader = self._leaders.get(entry, -1)
            if end and entry == end and flags == self._flags[place] and leader < 0:
                end += 1
                continue
            if end:
                yield first, end, flags, -1
            first, end, flags = entry, entry + 1, self._flags[place]
            if leader >= 0:
                yield first, end, flags, leader
                end = 0
        if end:
            yield first, end, flags, -1


def letters(flags: int, mode: int) -> str:
    """Return the 11 characters of rsync's --itemize-changes for an entry of this mode."""
    kind = mode >> KIND_SHIFT
    update = ">" if flags & SENT else "h" if flags & LINKED else "c" if flags & MADE else "."
    shown = update + _KINDS.get(kind, "D" if kind in DEVICES else "S")
    if flags & NEW:
        return shown + "+" * 9
    found = [letter if flags >> bit & 1 else "." for bit, letter in enumerate(_DIFFERENCES)]
    found.append(".")  # u: access times are not synced
    found += [letter if flags >> bit & 1 else "." for bit, letter in enumerate("ax", len(_DIFFERENCES))]
    rest = ("c" if flags & ALTERED else ".") + "".join(found)
    return shown + (" " * 9 if rest == "." * 9 and not flags & SENT else rest)


def deletion_key(path: bytes) -> bytes:
    """Return a key that sorts deleted paths so that a directory, which ends with a slash, follows its contents."""
    return path + b"\xff" if path.endswith(b"/") else path
