"""Scan several SOURCEs, or one that is not a whole directory, into one manifest."""

from __future__ import annotations

import errno
import os
from array import array

from mrsync.tree.fs.handles import Handle
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.listing import Listing
from mrsync.tree.model.manifest import DIRECTORY, Manifest
from mrsync.tree.source.roots import Roots
from mrsync.tree.source.scanner import FIND, Scanner
from mrsync.tree.source.selection import Selection
from mrsync.tree.source.source_filter import SourceFilter


class OperandScanner(Scanner):
    """Scanner that walks all operands as one tree.

    Each operand has its own merge files. If several operands have the same path, the first one counts; but directories
    are merged, and take precedence over other kinds. Targets delete only in directories that were scanned completely.
    """

    def __init__(self, manifest: Manifest, selection: Selection) -> None:
        self._operands = tuple([operand for operand in selection.operands if os.path.isdir(operand.root)])
        self._named = [frozenset(operand.names or ()) for operand in self._operands]
        self._operand_of = array("B", [0])
        self._found_in: dict[int, list[int]] = {0: list(range(len(self._operands)))}  # directory -> operands
        super().__init__(Roots(tuple([o.root for o in self._operands]), self._operand_of), manifest, selection)
        self._whole = next((number for number, each in enumerate(self._operands) if each.names is None), -1)
        for operand in selection.operands:
            if operand not in self._operands:  # as for rsync, that is more than a missing file
                reason = errno.ENOTDIR if os.path.lexists(operand.root) else errno.ENOENT
                self._errors.append(Failure(reason, operand.root, FIND))
                self._misses = True
        if self._whole < 0:
            manifest.incomplete.add(0)
        manifest.policy = manifest.policy._replace(leaves_root=self._whole < 0)

    def _make_source_filters(self) -> tuple[SourceFilter, ...]:
        source_filters = super()._make_source_filters()
        for source_filter, operand in zip(source_filters, self._operands):
            source_filter.has_root = operand.names is None
        return source_filters

    def _add_root(self) -> None:
        manifest = self._manifest
        fd = self._open_roots.root_fds[max(0, self._whole)]
        if self._whole < 0:
            self._add_made_root(fd)
            return
        manifest.add_root(os.fstat(fd))
        if manifest.policy.keeps_attributes:
            self._read_attributes(0, Handle(fd))

    def _is_recursed(self, directory: int) -> bool:
        name, number = self._manifest.names[directory], self._operand_of[directory]
        is_named = self._manifest.parents[directory] == 0 and name in self._named[number]
        return directory > 0 and not is_named

    def _read(self, directory: int) -> Listing:
        parts = {number: self._read_part(directory, number) for number in self._found_in.pop(directory)}
        places: dict[bytes, list[int]] = {}  # name -> operands that have it, the one that counts first
        for number, part in parts.items():
            for name, mode in zip(part.names, part.modes):
                places.setdefault(name, []).append(number if mode >> KIND_SHIFT == DIRECTORY else ~number)
        for numbers in places.values():
            numbers.sort(key=lambda number: number < 0)  # directories first, each kind in order
        listing = _joined(parts, places)
        for entry, name in enumerate(listing.names, len(self._manifest)):
            first = places[name][0]
            self._operand_of.append(first if first >= 0 else ~first)
            if first >= 0:
                self._found_in[entry] = [number for number in places[name] if number >= 0]
        return listing

    def _read_part(self, directory: int, number: int) -> Listing:
        """Return what one operand contributes to a directory. Raise OSError."""
        names = self._operands[number].names if directory == 0 else None
        fd = self._open_roots.directory(directory, number)
        if number == self._operand_of[directory]:
            self._adopt(directory, fd)
        if self._mounts.is_foreign(directory, fd, number, is_recursed=self._is_recursed(directory)):
            self._manifest.incomplete.add(directory)
            names = ()
        taken = None if names is None else sorted(names)
        listing = Listing(fd, taken, finds_holes=True, has_identities=self._manifest.policy.partial)
        self._apply_link_policy(directory, fd, listing, number)
        if names is None:
            self._drop_temporary(directory, listing)
            self._mounts.omit(fd, listing)
        elif listing.failures:
            for reason, name in listing.failures:
                self._note_missing(reason, os.path.join(self._operands[number].root, name), name)
            listing.failures = []
        source_filter = self._source_filter(number)
        if source_filter is not None:
            source_filter.take(directory, self._manifest.path(directory), listing)
        if names is None:
            self._check(directory, fd, listing, number)
        return listing


def _joined(parts: dict[int, Listing], places: dict[bytes, list[int]]) -> Listing:
    """Return one sorted listing of all names, each with the attributes of the operand that counts."""
    whole: Listing | None = None
    for number, part in parts.items():
        counted = [i for i, name in enumerate(part.names) if places[name][0] in (number, ~number)]
        part.keep(counted)
        if whole is None:
            whole = part
        else:
            whole.append(part)
    assert whole is not None  # a directory is found somewhere
    whole.keep(sorted(range(len(whole.names)), key=whole.names.__getitem__))
    return whole
