"""Verify a tree against the record of its last sync, and change nothing.

Names, types, sizes, times and attributes are compared as in a sync. Then every file with a proof is read. A file
that was there when it was compared, but is gone when it is to be read, counts as a difference. Otherwise a user who may
rename entries of the tree could keep a forged file from being read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Callable

from mrsync.tree.compare.compare import compare
from mrsync.tree.destination.destination import Destination, rename_file
from mrsync.tree.model.items import ACL, GROUP, LINKED, MODE, NEW, SENT, SIZE, TIME, USER, XATTR
from mrsync.tree.model.manifest import REGULAR, Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.record.reading import Batch, Check, batches, read_batch
from mrsync.tree.record.record import Record
from mrsync.tuples import NamedTuple

BATCHES_AT_ONCE = 64  # handed to the threads
REPLACED = "replaced or removed while it was verified"
FOUND_MAX = 500  # differences that are named; others are counted. A launcher passes no more than 1000 lines on
_WORDS = {SIZE: "size", TIME: "time", MODE: "mode", USER: "owner", GROUP: "group", ACL: "ACL", XATTR: "attributes"}


class Difference(NamedTuple):
    """A difference between the tree and what was sent.

    kind: "missing", "extra", "changed", "contents" or "unreadable". detail: for people.
    page: of the file, from 0, if its contents differ.
    """

    kind: str
    path: bytes
    detail: str = ""
    page: int = -1


@dataclass
class Verified:
    """The result.

    unproven: files whose contents the master never sent, so that only their size and time are known. tree: digest of
    the entries that the record holds.
    """

    entries: int = 0
    files: int = 0
    bytes: int = 0
    unproven: int = 0
    count: int = 0
    differences: list[Difference] = field(default_factory=list)
    compared: set[int] = field(default_factory=set)  # entries that differ, as far as is known
    tree: str = ""

    def note(self, *found: Difference) -> None:
        """Count differences, and keep the first FOUND_MAX."""
        self.count += len(found)
        self.differences += found[: max(0, FOUND_MAX - len(self.differences))]

    def note_once(self, entry: int, difference: Difference) -> None:
        """Note a difference of an entry, unless one was noted before."""
        if entry not in self.compared:
            self.compared.add(entry)
            self.note(difference)


def verify(
    path: bytes, record: Record, check: Check, threads: int, on_activity: Callable[[int], None] = lambda count: None
) -> Verified:
    """Compare the tree at a path with a record. Raise MrsyncError if the record or the tree cannot be used.

    path: of the destination. check: whether data and a proof fit together, see `Check`; called in several threads.
    threads: how many read. on_activity: called with the number of entries, or of portions of files, looked at since the
    last call, in any thread.
    """
    manifest = Manifest.decode(record.manifest)
    result = Verified(entries=len(manifest), tree=manifest.tree_digest().hex())
    manifest.policy = _for_reading(manifest.policy)
    if manifest.policy.is_one_file and not os.path.isdir(path):
        path = rename_file(manifest, path)
    if not os.path.isdir(path):
        result.note(Difference("missing", b"", "the destination is not a directory"))
        return result
    host, suffix = record.names
    destination = Destination(path, is_dry_run=True, host=host, suffix=suffix, is_only_read=True)
    try:
        result.note(*_compared(manifest, destination, result.compared, on_activity))
        with ThreadPoolExecutor(threads) as pool:
            _read(destination, record, check, pool, result, on_activity)
    finally:
        destination.close()
    return result


def _for_reading(policy: Policy) -> Policy:
    """Return the policy of a sync for comparing everything and changing nothing."""
    return policy._replace(itemizes=True, ignore_times=False, checksum=False, durable=False, guards_deletions=False)


def _compared(
    manifest: Manifest, destination: Destination, differing: set[int], on_activity: Callable[[int], None]
) -> Iterator[Difference]:
    """Yield what differs without looking into files. Add the entries to `differing`."""
    comparison = compare(manifest, destination, on_activity)
    assert comparison.items is not None  # the policy asks for them
    unread = {failure.path for failure in comparison.failures}
    for first, end, flags, leader in comparison.items.runs():
        differing.update(range(first, end))
        for entry in range(first, end):
            path = manifest.path(entry)
            if flags & NEW:
                if not _is_below(path, unread):  # else it may well be there
                    yield Difference("missing", path)
            elif flags & LINKED:
                yield Difference("changed", path, f"it is not the same file as {os.fsdecode(manifest.path(leader))!r}")
            else:
                words = [word for flag, word in _WORDS.items() if flags & flag]
                yield Difference("changed", path, ", ".join(words) or ("contents" if flags & SENT else "target"))
    for directory, name in comparison.extraneous:
        yield Difference("extra", os.path.join(manifest.path(directory), name))
    for path in comparison.listed_deletions:
        yield Difference("extra", path)
    for failure in comparison.failures:
        yield Difference("unreadable", failure.path, os.strerror(failure.errno))


def _is_below(path: bytes, directories: Set[bytes]) -> bool:
    """Return whether the path is one of these, or below one of them."""
    while directories and path and path not in directories:
        path = os.path.dirname(path)
    return path in directories


def _unproven(manifest: Manifest, proven: Set[int]) -> int:
    """Return how many files with contents are not among these entries."""
    contents = (entry for entry, size in enumerate(manifest.sizes) if size and manifest.has_contents(entry))
    return sum(1 for entry in contents if entry not in proven)


def _read(
    destination: Destination,
    record: Record,
    check: Check,
    pool: ThreadPoolExecutor,
    result: Verified,
    on_activity: Callable[[int], None],
) -> None:
    """Read all files with proofs, in the threads of a pool. The destination is bound to the manifest."""
    manifest = destination.manifest
    proven = [file for file in record.files() if file.entry < len(manifest) and manifest.kind(file.entry) == REGULAR]
    result.unproven = _unproven(manifest, {file.entry for file in proven})
    waiting = batches(proven)
    may_lack = manifest.policy.may_lack_files
    place_of = manifest.path if destination.kept_links is None else destination.kept_links.place

    def read(batch: Batch) -> tuple[int, int, list[Difference], list[int]]:
        """Return how many files and bytes are right, what is not, and the entries that are gone."""
        files = length = 0
        found, gone = [], []
        for portion in batch:
            name = manifest.path(portion.file.entry)
            place = place_of(portion.file.entry)
            read = read_batch(destination.path, place, manifest.sizes[portion.file.entry], portion, check, on_activity)
            length += read.length
            files += portion.first == 0 and not (read.wrong or read.error or read.is_gone)
            found += [Difference("contents", name, where, page) for page, where in read.wrong]
            if read.error:
                found.append(Difference("unreadable", name, read.error))
            gone += [portion.file.entry] * read.is_gone
            on_activity(1)
        return files, length, found, gone

    while group := list(islice(waiting, BATCHES_AT_ONCE)):
        for files, length, found, gone in pool.map(read, group):
            result.files += files
            result.bytes += length
            result.note(*found)
            for entry in gone if not may_lack else ():
                result.note_once(entry, Difference("changed", manifest.path(entry), REPLACED))
