"""Compare one entry of the manifest with what the destination has in its place, and note what is to be done.

`Comparer` walks the directories and pairs the entries of the manifest with the rows of listings. Here one such pair is
examined: by kind, by the policy's options, and by differences of contents and attributes. What is missing here is also
looked up in the directories of --link-dest, --copy-dest and --compare-dest.

Two sets carry what is decided about a directory to the entries below it: `absent` holds directories that do not exist
here, so everything below them is to be made without reading anything; `skipped` holds directories that an option or a
name clash leaves alone, with everything below.

Hard-link groups cannot be decided while walking, because any member may turn out to be the one to keep. Their entries
are only noted; `LinkWork` decides after the last directory. `_entry_of_inode` maps an inode to the one entry (or
group) that may keep it, so files that are separate in the source do not stay linked here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from operator import ne

from mrsync.tree.compare.alternate_search import AlternateSearch, itemize_made
from mrsync.tree.compare.differences import Differences
from mrsync.tree.compare.extraneous import Extraneous
from mrsync.tree.compare.hard_links import Found, Inode, LinkGroups
from mrsync.tree.compare.result import Comparison
from mrsync.tree.compare.work_list import LinkWork, WorkList
from mrsync.tree.destination.alternates import Alternates
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.digests import Digester
from mrsync.tree.fs.directories import Directories
from mrsync.tree.fs.handles import Handle
from mrsync.tree.fs.owners import Ownership, keep_mode
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.items import ATTRIBUTES, GROUP, MODE, TIME, USER, Items
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing, kinds_of
from mrsync.tree.model.manifest import DEVICES, DIRECTORY, LINK, REGULAR, SPECIALS, Manifest


class EntryComparer:
    """Fill `result` entry by entry. destination: None if it does not exist.

    alternates: other directories that may have what is missing; None: those of the destination, if any. on_activity:
    called about every 64 MB that are digested (--checksum).
    """

    def __init__(
        self,
        manifest: Manifest,
        destination: Destination | None,
        on_activity: Callable[[int], None],
        alternates: Alternates | None = None,
    ) -> None:
        self.result = result = Comparison(items=Items() if manifest.policy.itemizes else None)
        self.absent = {0} if destination is None else set()
        self.skipped: set[int] = set()
        self._manifest = manifest
        self._policy = manifest.policy
        self._extraneous = Extraneous(destination)
        self._directories = destination.directories if destination is not None else None
        self._ownership = destination.ownership if destination is not None else Ownership(self._policy)
        self._xattrs = destination.xattrs if destination is not None else None
        digester = Digester(lambda count: on_activity(1))
        timestamps = destination.timestamps if destination is not None else None
        self._differences = Differences(manifest, self._ownership, self._directories, digester, timestamps)
        alternates = alternates or (destination.alternates if destination is not None else None)
        self._others = AlternateSearch(manifest, alternates, self._ownership, digester, self._xattrs, result)
        self._is_new = destination is None or destination.is_new
        keeps_links = destination is not None and destination.kept_links is not None
        self._leaves_some = self._policy.existing or self._policy.ignore_existing or keeps_links
        self._is_plain = self._policy.is_plain_comparison
        self._work = WorkList(manifest, destination, result)
        self._groups = LinkGroups(manifest)
        self._links = LinkWork(manifest, self._groups, self._others, self._work, result)
        self._entry_of_inode: dict[Inode, int] = {}

    def compare_root(self) -> None:
        """Compare the destination itself, unless the policy leaves it alone."""
        if self._policy.leaves_root:
            return
        if self._directories is not None:
            self._compare_root(self._directories)
        is_made = self._is_new and (self._directories is not None or not self._policy.existing)
        if is_made and self.result.items is not None:
            itemize_made(self.result.items, 0, DIRECTORY, self._others.find(0))

    def suspects(self, first: int, end: int, listing: Listing) -> Iterable[int]:
        """Return the positions, relative to first, of entries that comparing columns does not show to be equal.

        A shortcut, as are `need_all` and `Policy.is_plain_comparison`: options that compare otherwise must be excluded.
        listing: of the same names as the entries [first, end), in the same order.
        """
        manifest = self._manifest
        policy = self._policy
        asks_more = policy.ignore_times or policy.checksum or policy.keeps_attributes or not policy.modes
        if asks_more or self._others:
            return range(end - first)
        suspects: set[int] = set()
        columns = [
            (manifest.modes, listing.modes),
            (manifest.gids, listing.gids),
            (manifest.sizes, listing.sizes),
            (manifest.mtimes, listing.mtimes),
        ]
        if self._ownership.is_root:
            columns.append((manifest.uids, listing.uids))
        for wanted, found in columns:
            expected = wanted[first:end]
            if expected != found:
                suspects.update([i for i, differs in enumerate(map(ne, expected, found)) if differs])
        suspects.update(listing.links, listing.inodes, listing.far_times, listing.devices)
        suspects.update([entry - first for entry in self._groups.slice(first, end)])
        return sorted(suspects)

    def need_all(self, first: int, end: int) -> bool:
        """Schedule the contents of [first, end), none of which exists here, at once if nothing else can apply to them.

        Return False if each must be compared. A shortcut: see `suspects`.
        """
        is_asked = self._policy.existing or self._policy.itemizes or bool(self._others)
        if is_asked or self._groups.slice(first, end):
            return False
        if kinds_of(self._manifest.modes[first:end]).count(REGULAR) < end - first:
            return False
        self._work.need(first, end)
        return True

    def settle_links(self) -> None:
        """Decide about hard-link groups, after the last entry."""
        if self._groups:
            self._links.resolve(self._entry_of_inode)

    def compare(self, entry: int, listing: Listing | None, position: int) -> None:
        """Compare an entry with the row at position of listing; without either, nothing has its name.

        A user who may rename directories above the entry can make the comparison fail, but must not stop the others. A
        file then counts as needed: it may be committed nowhere, unless this target can take it.
        """
        try:
            self._compare_with(entry, listing, position)
        except OSError as error:
            self.result.failures.append(Failure.of(error, self._manifest.path(entry), "compare"))
            if entry in self._groups:
                self._groups.note(entry, Found())
            elif self._manifest.kind(entry) == REGULAR:
                self._work.need(entry, entry + 1)

    def _compare_root(self, directories: Directories) -> None:
        manifest = self._manifest
        status = os.fstat(directories.open(0))
        mode = directories.original_mode(0) or status.st_mode & 0o7777
        if not self._policy.modes:
            keep_mode(manifest, 0, mode)
        uid, gid = self._ownership.settable(manifest.uids[0], manifest.gids[0])
        found = MODE if mode != manifest.modes[0] & 0o7777 else 0
        found |= TIME if self._differences.has_other_directory_time(0, status.st_mtime_ns) else 0
        found |= (USER if uid not in (-1, status.st_uid) else 0) | (GROUP if gid not in (-1, status.st_gid) else 0)
        if self._xattrs is not None:
            found |= self._xattrs.differences(0, Handle(directories.open(0)))
        if found:
            self.result.mended.append(0)
            if self.result.items is not None and not self._is_new:
                self.result.items.add(0, found)

    def _compare_with(self, entry: int, listing: Listing | None, position: int) -> None:
        kind = self._manifest.modes[entry] >> KIND_SHIFT
        found = -1 if listing is None or position < 0 else listing.modes[position] >> KIND_SHIFT
        if self._leaves_some and self._is_skipped(entry, kind, found):
            return
        if listing is not None and found == kind and not self._policy.modes:
            keep_mode(self._manifest, entry, listing.modes[position])
        if found == DIRECTORY != kind and (kind in (REGULAR, LINK) or self._keeps_special(kind)):
            self._extraneous.note_obstacle(self._manifest.parents[entry])
            self.result.obstacles.append(entry)
        if kind == REGULAR:
            if entry in self._groups:
                looked = self._look(entry, listing if found == REGULAR else None, position)
                self._links.note_file(entry, looked, is_there=found >= 0)
            else:
                self._compare_file(entry, listing if found == REGULAR else None, position)
        elif kind == DIRECTORY:
            if found != DIRECTORY:
                self.absent.add(entry)
            self._compare_made(entry, listing if found == DIRECTORY else None, position, found == DIRECTORY)
        elif kind == LINK or self._keeps_special(kind):
            is_alike = listing is not None and found == kind and self._leads_to_the_same(entry, listing, position)
            is_related = found == kind or ({kind, found} < SPECIALS and (kind in DEVICES) == (found in DEVICES))
            related = listing if is_related else None
            if entry in self._groups:
                self._groups.note(entry, self._look_at_made(entry, related, position, is_alike))
            else:
                inode = related.inodes.get(position) if related is not None else None
                self._compare_made(entry, related, position, is_alike and self._may_keep(inode, entry))
        # Nothing is done about other kinds: OMITTED, and special files that the policy leaves alone.

    def _keeps_special(self, kind: int) -> bool:
        """Return whether entries of this kind are synced; like rsync, skip devices unless running as root."""
        return self._policy.keeps_kind(kind) and (kind not in DEVICES or self._ownership.is_root)

    def _leads_to_the_same(self, entry: int, listing: Listing, position: int) -> bool:
        """Return whether symlink target and device number match; fifos and sockets have neither."""
        manifest = self._manifest
        wanted = manifest.link_targets.get(entry), manifest.devices.get(entry)
        return wanted == (listing.links.get(position), listing.devices.get(position))

    def _compare_made(self, entry: int, listing: Listing | None, position: int, is_alike: bool) -> None:
        """Compare an entry without contents; listing is None if nothing of a related kind has its name."""
        found = self._look_at_made(entry, listing, position, is_alike)
        if not is_alike:
            is_free = position < 0 or self._manifest.kind(entry) == DIRECTORY  # rsync looks no further otherwise
            near = self._others.find(entry) if listing is None and is_free else None
            if near is None or not self._others.take_made(entry, near, is_there=position >= 0):
                self._work.make(entry, entry, found, near)
        elif found.differences:
            self._work.mend(entry, found.differences)

    def _look_at_made(self, entry: int, listing: Listing | None, position: int, is_alike: bool) -> Found:
        if listing is None:
            return Found()
        is_retimed = not is_alike and self._policy.omit_link_times and self._manifest.kind(entry) == LINK
        found = TIME if is_retimed else 0  # a link that is made anew has another time, as rsync tells
        if is_alike or self.result.items is not None:
            found |= self._differences.differences(entry, listing, position) | self._attribute_differences(entry)
        return Found(is_present=True, differences=found, inode=listing.inodes.get(position), is_right=is_alike)

    def _attribute_differences(self, entry: int) -> int:
        if self._xattrs is None or self._directories is None:
            return 0
        return self._xattrs.differences(entry, self._directories.handle(entry))

    def _is_skipped(self, entry: int, kind: int, found: int) -> bool:
        """Return whether an option skips entry; for a directory, skip everything below, too."""
        if entry in self.skipped:
            return True
        if found < 0:
            is_skipped = self._policy.existing
        else:
            is_skipped = self._policy.ignore_existing and not kind == found == DIRECTORY
        if is_skipped and kind == DIRECTORY:
            self.skipped.add(entry)
            if found >= 0:
                self.result.failures.append(Failure(errno.ENOTDIR, self._manifest.path(entry), "make"))
        return is_skipped

    def _compare_file(self, entry: int, listing: Listing | None, position: int) -> None:
        """Compare a regular file; listing is None if no regular file has its name."""
        is_plain = self._is_plain and not self._others
        if is_plain and (listing is None or self._differences.has_other_size_or_time(entry, listing, position)):
            self._work.need(entry, entry + 1)  # the most frequent case, so take a shortcut
            return
        found = self._look(entry, listing, position)
        if found.is_newer:
            return
        near = self._others.find(entry)
        if near is not None and self._others.makes_needless(entry, near, is_there=position >= 0):
            return
        if near is not None and self._others.take(entry, near, found):
            return
        if not found.is_right or not self._may_keep(found.inode, entry):
            self._work.need(entry, entry + 1)
            self._work.itemize_sent(entry, found, near)
        elif found.differences & ATTRIBUTES:
            self._work.mend(entry, found.differences)

    def _may_keep(self, inode: Inode | None, entry: int) -> bool:
        """Return whether entry may keep inode; only the first entry may if separate source files share it here."""
        if inode is None or not self._policy.hard_links:
            return True
        return self._entry_of_inode.setdefault(inode, entry) == entry

    def _look(self, entry: int, listing: Listing | None, position: int) -> Found:
        """Describe the file at position of listing compared with entry; listing is None if there is no file."""
        if listing is None:
            return Found()
        differences = self._differences.differences(entry, listing, position)
        is_right = not self._differences.has_other_contents(entry, differences)
        if is_right or self.result.items is not None:
            differences |= self._attribute_differences(entry)
        return Found(
            is_present=True,
            differences=differences,
            inode=listing.inodes.get(position),
            is_right=is_right,
            is_newer=self._policy.update and self._differences.is_newer(entry, listing, position),
        )
