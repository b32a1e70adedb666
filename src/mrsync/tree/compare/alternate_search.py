"""Find what a target lacks in its other directories: --link-dest, --copy-dest and --compare-dest."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from mrsync.files import may_others_write
from mrsync.tree.compare.differences import Differences
from mrsync.tree.compare.hard_links import Found, Inode
from mrsync.tree.compare.result import Comparison, Reuse
from mrsync.tree.destination.alternates import Alternates
from mrsync.tree.destination.xattr_sync import XattrSync
from mrsync.tree.fs.digests import Digester
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.handles import entry_in
from mrsync.tree.fs.owners import Ownership
from mrsync.tree.model.items import ALTERED, LETTERS, LINKED, MADE, NEW, Items
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, REGULAR, Manifest
from mrsync.tree.model.policy import COMPARE, COPY
from mrsync.tree.model.policy import LINK as HARD_LINK
from mrsync.tuples import NamedTuple

LIKE, DOUBTFUL, SAME_CONTENTS, SAME = 1, 2, 3, 4  # how much of an entry another directory has
_SPECIAL = stat.S_ISUID | stat.S_ISGID


class Alternate(NamedTuple):
    """A counterpart of an entry in another directory.

    number: of the directory. level: LIKE (only its kind), DOUBTFUL (its contents, but nothing is copied from there),
    SAME_CONTENTS, or SAME (with all attributes). differences: flags of `model.items`. inode, mtime_ns: what identifies
    it.
    """

    number: int
    level: int
    differences: int
    inode: Inode
    mtime_ns: int


class AlternateSearch:
    """Look entries up in the other directories, whose listings are read one directory at a time.

    result: gets what is to be linked, copied or removed.
    """

    def __init__(
        self,
        manifest: Manifest,
        alternates: Alternates | None,
        ownership: Ownership,
        digester: Digester,
        xattrs: XattrSync | None,
        result: Comparison,
    ) -> None:
        self._manifest = manifest
        self._use = manifest.policy.alternates.use
        self._ownership = ownership
        self._xattrs = xattrs
        self._result = result
        self._places = [
            _Place(directories, Differences(manifest, ownership, directories, digester, None, always_times=True))
            for directories in (alternates.directories if alternates is not None else ())
        ]

    def __bool__(self) -> bool:
        """Return whether there is any directory to look into."""
        return bool(self._places)

    def find(self, entry: int) -> Alternate | None:
        """Return what the first directory has in which the most of an entry is right, or None. Raise no OSError."""
        best: Alternate | None = None
        for number in range(len(self._places)):
            try:
                found = self._look(number, entry)
            except OSError:
                continue  # then nothing is taken from here
            if found is not None and (best is None or found.level > best.level):
                best = found
                if best.level == SAME:
                    break
        return best

    def makes_needless(self, entry: int, near: Alternate, *, is_there: bool) -> bool:
        """Return whether the destination needs no such entry, as another directory has the same.

        is_there: something has its name there, which is to be removed.
        """
        if self._use != COMPARE or near.level < SAME or self._manifest.kind(entry) == DIRECTORY:
            return False
        if is_there:
            self._result.superseded.append(entry)
        return True

    def take(self, entry: int, near: Alternate, found: Found, original: int = -1) -> bool:
        """Schedule to take a file from another directory, if that has it. Return whether nothing else is to be done.

        found: what the destination has. original: the entry that `near` is about, if that is another name of the file.
        """
        is_link = self._use == HARD_LINK and near.level == SAME
        if not is_link and (found.is_present or near.level < SAME_CONTENTS):
            return False
        itemized = entry if original < 0 else original
        if not is_link or found.inode != near.inode:
            self._add(entry, near, itemized, is_link=is_link)
        if self._result.items is not None and not found.is_present:
            itemize_made(self._result.items, itemized, REGULAR, near)
        return True

    def revised(self, near: Alternate, found: Found) -> Found:
        """Return what the destination has of a file. It is not right if it must become a link to an alternate."""
        is_other = self._use == HARD_LINK and near.level == SAME and found.inode != near.inode
        return found._replace(is_right=False) if is_other and found.is_present else found

    def take_made(self, entry: int, near: Alternate, *, is_there: bool) -> bool:
        """Do the same for a soft link or special file that must be made. is_there: something has its name here."""
        if self.makes_needless(entry, near, is_there=is_there):
            return True
        is_taken = self._use == HARD_LINK and near.level == SAME and self._manifest.kind(entry) != DIRECTORY
        if is_taken:
            self._add(entry, near, entry, is_link=True)
        return is_taken

    def link_flags(self, near: Alternate | None, first: Alternate | None) -> int | None:
        """Return what to itemize for a name that becomes a hard link; None where it is one in another directory, too.

        near, first: the alternates of this name and of the one that it is linked to.
        """
        if near is not None and self._use == COPY:
            return LINKED | near.differences
        if near is not None and first is not None and near.inode == first.inode:
            return None
        return LINKED | NEW

    def _add(self, entry: int, near: Alternate, original: int, *, is_link: bool) -> None:
        reuse = Reuse(entry, near.number, original, is_link, near.inode[1], near.mtime_ns)
        self._result.reuses.add(reuse)

    def _look(self, number: int, entry: int) -> Alternate | None:
        manifest, place, kind = self._manifest, self._places[number], self._manifest.kind(entry)
        listing, position = place.find(manifest, entry)
        if listing is None or listing.modes[position] >> KIND_SHIFT != kind:
            return None
        differences = place.differ.differences(entry, listing, position)
        if self._xattrs is not None:
            fd = place.directories.open(manifest.parents[entry])
            differences |= self._xattrs.differences(entry, entry_in(fd, manifest.names[entry] or b"."))
        differences &= LETTERS
        level = LIKE
        if self._is_alike(entry, listing, position, place, differences):
            level = SAME_CONTENTS if differences else SAME
        if level == SAME_CONTENTS and kind == REGULAR and not self._is_trusted(entry, listing.uids[position], place):
            level = DOUBTFUL
        return Alternate(number, level, differences, place.inode(position), listing.mtime_ns(position))

    def _is_alike(self, entry: int, listing: Listing, position: int, place: _Place, differences: int) -> bool:
        if self._manifest.kind(entry) == REGULAR:
            return not place.differ.has_other_contents(entry, differences)
        wanted = self._manifest.link_targets.get(entry), self._manifest.devices.get(entry)
        return wanted == (listing.links.get(position), listing.devices.get(position))

    def _is_trusted(self, entry: int, owner: int, place: _Place) -> bool:
        """Return whether a copy may get the attributes of the entry: size and time of a file can be forged.

        Its owner must be root, this user or the owner that it gets, and it must get no special rights.
        """
        manifest = self._manifest
        if manifest.modes[entry] & _SPECIAL or (self._xattrs is not None and self._xattrs.wants_capabilities(entry)):
            return False
        uid, _ = self._ownership.settable(manifest.uids[entry], manifest.gids[entry])
        return owner == uid or (owner in (0, os.geteuid()) and not place.is_shared(manifest.parents, entry))


class _Place:
    """One of the directories, with the listing that was read last."""

    def __init__(self, directories: Directories, differ: Differences) -> None:
        self.directories = directories
        self.differ = differ
        self._read = -1
        self._listing: Listing | None = None
        self._positions: dict[bytes, int] = {}
        self._device = 0

    def find(self, manifest: Manifest, entry: int) -> tuple[Listing | None, int]:
        """Return the listing in which an entry is and its position, or None and -1. Raise OSError."""
        directory = manifest.parents[entry]
        if directory != self._read or not entry:
            self._read, self._listing, self._positions = (directory if entry else -1), None, {}
            fd = self.directories.open(directory)
            self._device = os.fstat(fd).st_dev
            self._listing = Listing(fd, None if entry else [b"."], has_identities=True)
            self._positions = {name: position for position, name in enumerate(self._listing.names)}
        position = self._positions.get(manifest.names[entry] or b".", -1)
        return (self._listing, position) if position >= 0 else (None, -1)

    def inode(self, position: int) -> Inode:
        """Return device and inode of what is at a position of the listing that was read last."""
        assert self._listing is not None  # the position was found in it
        return self._device, self._listing.numbers[position]

    def is_shared(self, parents: Sequence[int], entry: int) -> bool:
        """Return whether others may rename the entry or a directory above it."""
        while entry:
            entry = parents[entry]
            if may_others_write(os.fstat(self.directories.open(entry))):
                return True
        return False


def itemize_made(items: Items, entry: int, kind: int, near: Alternate | None) -> None:
    """Itemize an entry that is made or copied, by what it differs in from its alternate; not if they are alike.

    entry: whose line it is. kind: REGULAR, LINK, ... near: the alternate, or None.
    """
    if near is None:
        items.add(entry, MADE | NEW)
        return
    is_altered = near.level == LIKE if kind in (REGULAR, DIRECTORY) else near.level != SAME
    if near.differences or is_altered:
        items.add(entry, MADE | near.differences | (ALTERED if is_altered else 0))
