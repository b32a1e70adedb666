"""Scan only the entries that a synclist names."""

from __future__ import annotations

import errno
import os
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator

from mrsync.tree.lists.synclist import Instruction, Item
from mrsync.tree.model.columns import PathTree
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, Manifest
from mrsync.tree.model.marks import Listed, Mark
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.roots import Roots
from mrsync.tree.source.scanner import FIND, Scan, Scanner
from mrsync.tree.source.selection import Selection

_MARKS = {Instruction.ATTRIBUTES: Mark.COMPARED, Instruction.HARDLINK: Mark.LINKED}
AS_FILE = "send the file"
_WITHIN_TREE = -1  # in place of a number: below a directory that is listed as a whole tree


def scan_synclist(
    root: bytes,
    items: Iterable[Item],
    policy: Policy = Policy(),  # noqa: B008
    selection: Selection = Selection(),  # noqa: B008
    on_activity: Callable[[int], None] = lambda entries: None,
) -> Scan:
    """Scan the entries that a synclist names. Raise SelectionError if the root itself cannot be read.

    root: the directory that paths of the list are relative to. items: the parsed lines. policy, selection: as in
    `scan`, but nothing is deleted that the list does not name, and files are not compared by digests. on_activity:
    called with the number of entries read since the last call.

    The manifest also contains the directories above them, and the leaders of listed hard links. If anything exists but
    cannot be read, nothing is deleted.
    """
    manifest = Manifest(policy._replace(deletes=False, checksum=False, is_listed=True))
    wanted = (item for item in items if policy.deletes or item.kind is not Instruction.DELETING)
    return _SynclistScanner(Roots((root,)), manifest, selection, wanted).scan_synclist(on_activity)


class _SynclistScanner(Scanner):
    """Scanner that walks only along listed paths.

    "Number" means a number in the tree of listed paths; self._places maps entries of the manifest to them.
    """

    def __init__(self, roots: Roots, manifest: Manifest, selection: Selection, items: Iterable[Item]) -> None:
        super().__init__(roots, manifest, selection)
        self._tree = PathTree()
        self._wanted = bytearray(1)  # by number: 0: not listed; else 1 + its mark
        self._is_needed = bytearray(1)  # by number: whether it or anything below it is listed
        self._recursive: set[int] = set()
        self._files: set[int] = set()  # listed as files
        self._deletions: list[bytes] = []
        self._places = array("i", [0])
        self._marks = array("B")
        for item in items:
            self._add(item)
        self._marks.append(max(0, self._wanted[0] - 1))

    def scan_synclist(self, on_activity: Callable[[int], None]) -> Scan:
        found = self.run(on_activity, lambda count, total: None)
        manifest = self._manifest
        grouped = set(manifest.leaders).union(manifest.leaders.values())
        for entry, mark in enumerate(self._marks):
            if mark == Mark.LINKED and entry not in grouped:
                self._marks[entry] = Mark.SENT  # it has become a separate file
        manifest.listed = Listed(self._marks, self._remaining_deletions() if found.deletes else [])
        return found

    def _add(self, item: Item) -> None:
        if item.kind is Instruction.DELETING:
            self._deletions.append(item.path)
            self._number(os.path.dirname(item.path))  # the directory's time must be set again after the deletion
            return
        number = self._number(item.path)
        self._wanted[number] = max(self._wanted[number], 1 + _MARKS.get(item.kind, Mark.SENT))
        if item.kind is Instruction.TREE:
            self._recursive.add(number)
        elif item.kind is Instruction.FILE:
            self._files.add(number)
        elif item.kind is Instruction.HARDLINK:
            leader = self._number(item.other)
            self._wanted[leader] = self._wanted[leader] or 1 + Mark.IMPLIED
        while not self._is_needed[number]:
            self._is_needed[number] = 1
            number = self._tree.parents[number]

    def _number(self, path: bytes) -> int:
        number = self._tree.add(path)
        new = len(self._tree) - len(self._wanted)
        self._wanted.extend(bytes(new))
        self._is_needed.extend(bytes(new))
        return number

    def _list(self, directory: int, fd: int) -> Listing:
        """Return the listed entries of a directory, and note their numbers and marks. Raise OSError."""
        number = self._places[directory]
        known = self._tree.children.get(number, {})
        if number == _WITHIN_TREE or number in self._recursive:
            listing = super()._list(directory, fd)
            self._recursive.update(known.values())
            self._marks.extend([Mark.SENT] * len(listing.names))
        else:
            names = [name for name in sorted(known) if self._is_wanted(fd, name, known[name])]
            listing = Listing(fd, names, finds_holes=True, has_identities=self._manifest.policy.partial)
            self._marks.extend([max(0, self._wanted[known[name]] - 1) for name in listing.names])
        self._places.extend([known.get(name, _WITHIN_TREE) for name in listing.names])
        listing.failures = [each for each in listing.failures if known.get(each[1], _WITHIN_TREE) == _WITHIN_TREE]
        above = self._manifest.path(directory)
        for reason, name in self._missing(fd, known, listing):
            action = FIND if reason != errno.EISDIR else AS_FILE
            self._errors.append(Failure(reason, os.path.join(above, name), action))
        return listing

    def _missing(self, fd: int, known: dict[bytes, int], listing: Listing) -> Iterator[tuple[int, bytes]]:
        """Yield (errno, name) of listed names that are missing, wrongly a directory, or wrongly none."""
        kinds = {name: mode >> KIND_SHIFT for name, mode in zip(listing.names, listing.modes)}
        for name, number in known.items():
            if self._is_needed[number] and name not in kinds:
                yield _why_unseen(fd, name) or errno.ENOENT, name
            elif kinds.get(name) != DIRECTORY and self._is_needed_below(number):
                yield errno.ENOTDIR, name
            elif kinds.get(name) == DIRECTORY and number in self._files and number not in self._recursive:
                yield errno.EISDIR, name

    def _is_needed_below(self, number: int) -> bool:
        return any(self._is_needed[child] for child in self._tree.children.get(number, {}).values())

    def _is_wanted(self, fd: int, name: bytes, number: int) -> bool:
        """Return whether to take a name: if it is listed, or is a directory above something listed."""
        return bool(self._wanted[number]) or not _why_unseen(fd, name)

    def _remaining_deletions(self) -> list[bytes]:
        """Return the deletions of paths that are not in the manifest, children before their directory."""
        gone = [path for path in set(self._deletions) if self._manifest.find(path) < 0]
        return sorted(gone, key=lambda path: (-path.count(b"/"), path))


def _why_unseen(fd: int, name: bytes) -> int:
    """Return 0 for a directory, else the errno of a path that leads through this name."""
    try:
        mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
    except OSError as error:
        return error.errno or 0
    return 0 if stat.S_ISDIR(mode) else errno.ENOTDIR
