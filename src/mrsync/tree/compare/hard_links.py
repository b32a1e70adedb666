"""Decide for each hard-link group which name on a target is the file that the others are linked to."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator

from mrsync.tree.model.manifest import REGULAR, Manifest
from mrsync.tuples import NamedTuple

Inode = tuple[int, int]


class Found(NamedTuple):
    """What was found under the name of an entry: a file or, for entries of other kinds, something of a related kind.

    is_present: something of the entry's kind has the name.
    differences: flags of `model.items`.
    inode: of an entry with more than one name.
    is_right: its contents, or for other kinds all that defines it, are those of the entry.
    is_newer: --update leaves it alone, unless the others become links to another name of its group.
    is_near: another directory has its contents.
    """

    is_present: bool = False
    differences: int = 0
    inode: Inode | None = None
    is_right: bool = False
    is_newer: bool = False
    is_near: bool = False


class LinkGroup(NamedTuple):
    """The work for one group. Names that an option leaves alone do not take part.

    first: the name that the others become links to, -1 for none. needed: its entry whose contents are needed, or -1:
    the leader of the source where that is possible, as every target then asks for the same. linked: names to link.
    joined: those that already are the same file as `first`; apart: all others but `first`.
    """

    first: int
    needed: int
    linked: list[int]
    joined: list[int]
    apart: list[int]


class LinkGroups:
    """Collect what was found for each member of a hard-link group, then settle the groups as rsync does."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        members: dict[int, list[int]] = {}
        for member, leader in manifest.leaders.items():
            members.setdefault(leader, [leader]).append(member)
        self._members = members
        self._all = frozenset(manifest.leaders).union(members)
        self._entries = array("I", sorted(self._all))
        self._found: dict[int, Found] = {}

    def __len__(self) -> int:
        """Return the number of groups."""
        return len(self._members)

    def __contains__(self, entry: int) -> bool:
        return entry in self._all

    def slice(self, first: int, end: int) -> array[int]:
        """Return the entries in [first, end) that belong to a group, ascending."""
        entries = self._entries
        return entries[bisect_left(entries, first) : bisect_left(entries, end)] if entries else entries

    def note(self, entry: int, found: Found) -> None:
        self._found[entry] = found

    def found(self, entry: int) -> Found:
        return self._found[entry]

    def settle(self, entry_of_inode: dict[Inode, int]) -> Iterator[LinkGroup]:
        """Yield every group once all members are noted, and replace the manifest's leaders by those used here.

        entry_of_inode: maps inodes to the entries that keep them; the inodes kept by groups are added.
        """
        for leader, members in self._members.items():
            yield self._settle(leader, members, entry_of_inode)

    def _settle(self, leader: int, members: list[int], entry_of_inode: dict[Inode, int]) -> LinkGroup:
        first, taken = self._choose(members)
        if first < 0:
            return LinkGroup(-1, -1, [], [], [])
        found = self._found[first]
        is_kept = found.is_right and (found.inode is None or entry_of_inode.setdefault(found.inode, first) == first)
        hub = first if is_kept or leader not in taken else leader
        leaders = self._manifest.leaders
        leaders.pop(hub, None)
        leaders.update((member, hub) for member in taken if member != hub)
        others = [member for member in taken if member != first]
        joined = [member for member in others if found.inode and self._found[member].inode == found.inode]
        same = set(joined)
        linked = sorted(set(taken) - {hub} - (same if is_kept else set()))
        apart = [member for member in others if member not in same]
        return LinkGroup(first, -1 if is_kept else hub, linked, joined, apart)

    def _choose(self, members: list[int]) -> tuple[int, list[int]]:
        """Return the member that the others are linked to (-1 for none), and all members that take part.

        Like rsync, prefer the first that exists here, then the first that another directory has; otherwise the last for
        files, and the first for other kinds.
        """
        first, taken = -1, []
        for member in sorted([each for each in members if each in self._found], key=self._rank):
            found = self._found[member]
            if first < 0 and found.is_present:
                if found.is_newer:
                    continue
                first = member
            taken.append(member)
        if first < 0 and taken:
            near = [member for member in taken if self._found[member].is_near]
            first = near[0] if near else taken[-1 if self._manifest.kind(members[0]) == REGULAR else 0]
        return first, taken

    def _rank(self, entry: int) -> list[tuple[bool, bytes]]:
        """Return a key that sorts as rsync does: in each directory files before directories, each by name."""
        manifest = self._manifest
        rank = [(False, manifest.names[entry])]
        while manifest.parents[entry]:
            entry = manifest.parents[entry]
            rank.append((True, manifest.names[entry]))
        return rank[::-1]
