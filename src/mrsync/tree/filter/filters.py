"""Apply rsync's filter rules for one side of a sync: decide which names in a directory are excluded."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Sequence
from typing import Union

from mrsync.tree.filter import rules
from mrsync.tree.filter.matching import Run, compile_runs
from mrsync.tree.filter.merge_files import RULE_FILE_BYTES_MAX, Read, RuleList, too_much
from mrsync.tree.filter.rules import Rule

COMPILED_BYTES_MAX = 2 * RULE_FILE_BYTES_MAX


class Merge:
    """A per-directory merge rule, which has its own list of rules in every directory."""

    def __init__(self, rule: Rule) -> None:
        self.path = rule.pattern  # with a slash, directories above are searched for its file, too
        self.name = rule.pattern.rpartition(b"/")[2]
        self.flags = rule.flags


class Block:
    """Consecutive plain rules, compiled on demand. compiled: where to note that; None: they stay compiled."""

    def __init__(self, members: Sequence[Rule], compiled: Compiled | None = None) -> None:
        self.bytes = sum(len(rule.pattern) + 1 for rule in members)
        self._members = members
        self._compiled = compiled
        self._runs: dict[bool, tuple[Run, ...]] = {}

    def runs(self, *, has_perishable: bool) -> tuple[Run, ...]:
        if self._compiled is not None:
            self._compiled.use(self)
        if has_perishable not in self._runs:
            mask = 0 if has_perishable else rules.PERISHABLE
            self._runs[has_perishable] = compile_runs(rule for rule in self._members if not rule.flags & mask)
        return self._runs[has_perishable]

    def forget(self) -> None:
        """Forget what was compiled."""
        self._runs.clear()


class Compiled:
    """The blocks of merge files that are compiled, the least recently used first.

    An expression takes up to 200 times the memory of its text, and any directory may have a merge file. All rules that
    are in force in one directory have room.
    """

    def __init__(self) -> None:
        self._blocks: dict[Block, None] = {}
        self._bytes = 0

    def use(self, block: Block) -> None:
        """Note that a block is used now. Others may have to be compiled again when they are."""
        if block in self._blocks:
            del self._blocks[block]
        else:
            self._bytes += block.bytes
        self._blocks[block] = None
        while self._bytes > COMPILED_BYTES_MAX:
            oldest = next(iter(self._blocks))
            del self._blocks[oldest]
            self._bytes -= oldest.bytes
            oldest.forget()


_Item = Union[Block, Merge]


class Filters:
    """The rules of one side, rules.SENDER or rules.RECEIVER, for the tree at an absolute path.

    ordered: the rules; the first one that matches decides. root: the path. has_nuls, deletes_excluded: as in RuleList,
    for per-directory merge files.
    """

    def __init__(
        self,
        ordered: Iterable[Rule],
        side: int,
        root: bytes,
        *,
        has_nuls: bool = False,
        deletes_excluded: bool = False,
    ) -> None:
        self._side = side
        self._root = root.rstrip(b"/")
        self._has_nuls = has_nuls
        self._deletes_excluded = deletes_excluded
        self._compiled = Compiled()
        self.merges: list[Merge] = []
        self.items = self._items(ordered, self.merges, is_global=True)

    @property
    def root(self) -> bytes:
        return self._root

    def scope(self, path: bytes = b"") -> Scope:
        """Return the scope of a directory without reading merge files; Scope.within then reads those of the root."""
        return Scope(self, path, self.merges, {})

    def read_merge(
        self, merge: Merge, directory: bytes, read: Read, merges: list[Merge], *, is_above: bool = False
    ) -> tuple[list[_Item], bool]:
        """Return the items of a merge file in a directory, if it exists, and whether it clears inherited rules.

        directory: absolute. merges: known by now; new ones are added. is_above: the directory is above the tree.
        """
        path = directory + b"/" + merge.name
        try:
            data = read(path)
        except (FileNotFoundError, NotADirectoryError):
            return [], False
        except OSError:
            if is_above:
                return [], False
            raise
        loaded = RuleList(
            read,
            has_nuls=self._has_nuls,
            deletes_excluded=self._deletes_excluded,
            directory=directory,
            root=self._root,
        )
        loaded.add_data(data, path, merge.flags)
        if is_above:
            loaded.rules = [_located(rule, directory) for rule in loaded.rules]
        return self._items(loaded.rules, merges), loaded.is_cleared

    def _items(self, ordered: Iterable[Rule], merges: list[Merge], *, is_global: bool = False) -> list[_Item]:
        """Rules of this side in blocks, and merges whose names are not known yet.

        is_global: a merge of the other side counts, for what its files exclude without naming a side.
        """
        compiled = None if is_global else self._compiled
        items: list[_Item] = []
        block: list[Rule] = []
        for rule in ordered:
            is_other_side = rule.flags & rules.SIDES == rules.SIDES - self._side
            if not rule.flags & rules.MERGE:
                if not is_other_side and not rule.flags & rules.ATTRIBUTES:
                    block.append(rule)
                continue
            if is_other_side and not is_global:
                continue
            merge = Merge(rule)
            if all(merge.name != known.name for known in merges):
                if block:
                    items.append(Block(block, compiled))
                block = []
                items.append(merge)
                merges.append(merge)
        if block:
            items.append(Block(block, compiled))
        return items


class Scope:
    """The rules in force for the names in one directory.

    path: relative to the root. merges: the merge files that the rules so far name. lists: the rules that merge files of
    directories above have given.
    """

    def __init__(self, filters: Filters, path: bytes, merges: list[Merge], lists: dict[Merge, list[_Item]]) -> None:
        self._filters = filters
        self._path = path
        self._merges = merges
        self._lists = lists

    def within(self, path: bytes, read: Read, names: Container[bytes] | None = None) -> Scope:
        """Read the merge files of a directory right below, and return the rules in force there.

        path: of that directory, below the root. read: returns the bytes of a merge file, see `Read`; what it raises is
        passed on. names: what is in that directory, or None if that is not known. Raise OSError for too many rules.
        """
        merges = list(self._merges)
        lists: dict[Merge, list[_Item]] = {}
        directory = self._filters.root + (b"/" + path if path else b"")
        for merge in merges:  # grows during the loop
            if merge not in self._lists:
                inherited = self._read_above(merge, directory, read, merges)
            else:
                inherited = [] if merge.flags & rules.NO_INHERIT else self._lists[merge]
            items: list[_Item] = []
            is_cleared = False
            if names is None or merge.name in names:
                items, is_cleared = self._filters.read_merge(merge, directory, read, merges)
            lists[merge] = items if is_cleared else items + inherited if items else inherited
            if items and _bytes_of(lists.values()) > RULE_FILE_BYTES_MAX:
                raise too_much(directory + b"/" + merge.name)
        return Scope(self._filters, path, merges, lists)

    def _read_above(self, merge: Merge, directory: bytes, read: Read, merges: list[Merge]) -> list[_Item]:
        """Return the rules of a merge file with a path, from its first directory down to the parent of this one."""
        if b"/" not in merge.path:
            return []
        top = os.path.dirname(os.path.normpath(os.path.join(directory, merge.path)))
        above = top.rstrip(b"/")
        inherited: list[_Item] = []
        known = len(merges)
        while directory.startswith(above + b"/"):
            items, is_cleared = self._filters.read_merge(merge, above, read, merges, is_above=True)
            inherited = items if is_cleared else items + inherited
            if merge.flags & rules.NO_INHERIT:
                inherited = []
                del merges[known:]
            rest = directory[len(above) + 1 :]
            above += b"/" + rest.partition(b"/")[0]
            if above == directory:
                break
        return inherited

    def excluded(
        self, names: Sequence[bytes], directories: Sequence[bytes] = (), *, has_perishable: bool = True
    ) -> set[bytes]:
        """Return the excluded names. directories: those that are directories. has_perishable: such rules count."""
        runs = tuple(self._flatten(self._filters.items, has_perishable))
        found = self._excluded(names, runs, are_directories=False)
        if directories:
            found.difference_update(directories)
            found |= self._excluded(directories, runs, are_directories=True)
        return found

    def _excluded(self, names: Sequence[bytes], runs: Iterable[Run], *, are_directories: bool) -> set[bytes]:
        found: set[bytes] = set()
        root = self._filters.root
        for run in runs:
            for matcher in run.for_directories if are_directories else run.for_files:
                if not names:
                    return found
                decided = set(matcher.matches(names, self._path, root))
                if decided:
                    names = [name for name in names if name not in decided] if len(decided) < len(names) else ()
                    if not run.is_include:
                        found |= decided
        return found

    def _flatten(self, items: Iterable[_Item], has_perishable: bool) -> Iterable[Run]:
        for item in items:
            if isinstance(item, Block):
                yield from item.runs(has_perishable=has_perishable)
            else:
                yield from self._flatten(self._lists.get(item, ()), has_perishable)


def _bytes_of(lists: Iterable[list[_Item]]) -> int:
    return sum(item.bytes for items in lists for item in items if isinstance(item, Block))


def _located(rule: Rule, directory: bytes) -> Rule:
    """A merge rule in a file above the tree begins its search there."""
    if not rule.flags & rules.PER_DIRECTORY:
        return rule
    return Rule(os.path.normpath(os.path.join(directory, rule.pattern)), rule.flags)
