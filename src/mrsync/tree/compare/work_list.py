"""WorkList: note what a comparison decided to do about entries: make, mend, or send. Itemize it where that is asked.

`WorkList` is about single entries. `LinkWork` is about hard-link groups, once every member has been compared.
"""

from __future__ import annotations

from mrsync.ranges import merged
from mrsync.tree.compare.alternate_search import SAME_CONTENTS, Alternate, AlternateSearch, itemize_made
from mrsync.tree.compare.hard_links import Found, Inode, LinkGroup, LinkGroups
from mrsync.tree.compare.result import Comparison
from mrsync.tree.compare.update_safety import UpdateSafety
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.items import ALTERED, ATTRIBUTES, LETTERS, LINKED, MADE, NEW, SENT, Items
from mrsync.tree.model.manifest import REGULAR, Manifest


class WorkList:
    """Fill a Comparison. destination: None if it does not exist."""

    def __init__(self, manifest: Manifest, destination: Destination | None, result: Comparison) -> None:
        self.is_dry_run = destination is None or destination.is_dry_run
        self._manifest = manifest
        self._result = result
        self._directories = destination.directories if destination is not None else None
        self._update_safety = UpdateSafety(manifest, destination) if destination is not None else None

    def need(self, first: int, end: int) -> None:
        """Schedule the contents of the entries [first, end)."""
        result = self._result
        if first == end:
            return
        if result.needs and result.needs[-1][1] == first:
            result.needs[-1] = (result.needs[-1][0], end)
        else:
            result.needs.append((first, end))
        result.files_needed += end - first
        result.bytes_needed += sum(self._manifest.sizes[first:end])

    def make(self, entry: int, itemized: int, found: Found, near: Alternate | None = None) -> None:
        """Schedule making an entry without contents; itemized is the entry to itemize, and found describes it."""
        self._result.made.append(entry)
        if self._result.items is None:
            return
        if found.is_present:
            self._result.items.add(itemized, MADE | ALTERED | found.differences)
        else:
            itemize_made(self._result.items, itemized, self._manifest.kind(itemized), near)

    def mend(self, entry: int, differences: int, names: int = 1) -> bool:
        """Schedule a change of attributes; return False if the file must be staged anew instead.

        differences: flags of what is to be changed. names: how many names the file has in the manifest. Raise OSError
        if it cannot be examined.
        """
        assert self._directories is not None  # an entry was found,
        assert self._update_safety is not None  # so the destination exists
        status = self._directories.status(entry)
        is_file = self._manifest.kind(entry) == REGULAR
        is_restaged = is_file and not self._update_safety.allows(entry, status, differences, names)
        if is_restaged:
            self.need(entry, entry + 1)
            self._result.restaged.append(entry)
        else:
            self._result.mended.append(entry)
            self._result.sightings.note(entry, status)
        if self._result.items is not None and differences & LETTERS:
            self._result.items.add(entry, differences)
        return not is_restaged

    def itemize_sent(self, entry: int, found: Found, near: Alternate | None = None) -> None:
        """Itemize a file whose contents are needed; found describes the file here, near one in another directory."""
        if self._result.items is None:
            return
        altered = ALTERED if self._manifest.policy.checksum else 0
        if found.is_present:
            self._result.items.add(entry, SENT | found.differences | altered)
        else:
            self._result.items.add(entry, SENT | (NEW if near is None else near.differences | altered))


class LinkWork:
    """Note what is to be done for settled hard-link groups.

    looks: what to itemize of members that a list decides about, by entry.
    """

    def __init__(
        self,
        manifest: Manifest,
        groups: LinkGroups,
        others: AlternateSearch,
        work: WorkList,
        result: Comparison,
    ) -> None:
        self.looks: dict[int, Found] = {}
        self._manifest = manifest
        self._groups = groups
        self._others = others
        self._work = work
        self._result = result
        self._near: dict[int, Alternate] = {}

    def note_file(self, entry: int, found: Found, *, is_there: bool) -> None:
        """Note a regular file of a group. is_there: something has its name here."""
        near = self._others.find(entry)
        if near is not None and self._others.makes_needless(entry, near, is_there=is_there):
            return
        if near is not None:
            self._near[entry] = near
            found = self._others.revised(near, found)
        self._groups.note(entry, found._replace(is_near=near is not None and near.level >= SAME_CONTENTS))

    def resolve(self, entry_of_inode: dict[Inode, int]) -> None:
        """Decide about all groups. entry_of_inode: maps inodes to the entries that keep them."""
        result = self._result
        linked: list[int] = []
        for group in self._groups.settle(entry_of_inode):
            linked += group.linked
            if group.first < 0:
                continue
            try:
                linked += self._decide(group)
            except OSError as error:
                path = self._manifest.path(group.first)
                result.failures.append(Failure.of(error, path, "compare"))
                if self._manifest.kind(group.first) == REGULAR:
                    self._work.need(group.first, group.first + 1)
                    linked += group.joined
        result.linked.extend(sorted(linked))
        result.needs = merged(result.needs)

    def _decide(self, group: LinkGroup) -> list[int]:
        """Schedule what the first name needs. Return names to link that had been links to its old file."""
        found = self._groups.found(group.first)
        is_restaged = False
        if group.needed >= 0 and self._manifest.kind(group.needed) != REGULAR:
            self._work.make(group.needed, group.first, found)
        elif group.needed >= 0:
            self._fill(group, found)
        elif found.differences & ATTRIBUTES:
            names = 1 + len(group.joined)
            is_restaged = not self._work.mend(group.first, found.differences, names)
        if self._result.items is not None:
            self._itemize(self._result.items, group)
        return group.joined if is_restaged else []

    def _fill(self, group: LinkGroup, found: Found) -> None:
        """Get the contents of a group from another directory or, if none has them, from the master."""
        near = self._near.get(group.first)
        if near is not None and self._others.take(group.needed, near, found, group.first):
            return
        self._work.need(group.needed, group.needed + 1)
        self._work.itemize_sent(group.first, self.looks.get(group.first, found), near)

    def _itemize(self, items: Items, group: LinkGroup) -> None:
        for entry in group.joined:
            differences = self._shown(entry).differences
            if self._work.is_dry_run:  # nothing has been done to the first name, as rsync sees it
                if differences & LETTERS:
                    items.add(entry, LINKED | differences)
            elif group.needed >= 0 and not self._manifest.policy.inplace:  # else it has changed with the first name
                items.add(entry, LINKED | differences, group.first)
        for entry in group.apart:
            found, near = self._shown(entry), self._near.get(entry)
            if found.is_present:
                items.add(entry, LINKED | found.differences, group.first)
            elif (flags := self._others.link_flags(near, self._near.get(group.first))) is not None:
                items.add(entry, flags, group.first)

    def _shown(self, entry: int) -> Found:
        return self.looks.get(entry) or self._groups.found(entry)
