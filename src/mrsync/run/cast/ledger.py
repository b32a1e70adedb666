"""Collect the changes that targets itemize, and merge those that several targets have in common.

Most targets report the same changes. So equal records are stored once, identified by their BLAKE2b digest, and a target
is a list of record numbers. Targets with equal lists are read only once. The lists are sorted, so the lines come from
one merge over all groups of targets, with memory for one record per group.
"""

from __future__ import annotations

import hashlib
import heapq
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, groupby
from typing import IO, Any, TypeVar

from mrsync.tree.model.items import deletion_key, letters
from mrsync.tree.model.manifest import DIRECTORY, LINK, Manifest
from mrsync.tuples import NamedTuple
from mrsync.wire.formats.changes import unpack_changes, unpack_deletions
from mrsync.wire.limits import CHANGES_BYTES_MAX
from mrsync.wire.records import ChangesRecord, DeletionsRecord

MEMORY_BYTES_MAX = 64 << 20  # beyond that, records go to an unnamed temporary file
RECORD_COST_MIN = 1024  # what a small record counts for: only the last one of a target is small
DELETED = "*deleting  "
UNREADABLE = "and what could not be read"

K = TypeVar("K", bound=tuple[Any, ...])


class Line(NamedTuple):
    """A change that these targets have in common. lead: " -> " or " => " and a path, for symbolic and hard links."""

    targets: tuple[int, ...]
    letters: str
    path: bytes
    lead: bytes = b""


class Ledger:
    """The records of all targets."""

    def __init__(self) -> None:
        self._nonsense: set[int] = set()  # targets with records that are malformed or could not be kept
        self._file: IO[bytes] | None = None
        self._numbers: dict[bytes, int] = {}
        self._bounds = array("Q", [0])
        self._changes: dict[int, array[int]] = {}
        self._deletions: dict[int, array[int]] = {}
        self._rooms: dict[int, int] = {}

    def take(self, target: int, record: ChangesRecord | DeletionsRecord) -> None:
        """Take the next record of a target. Drop it if it cannot be kept.

        That is if the target has sent more than CHANGES_BYTES_MAX, or if the temporary file has no room.
        """
        self._rooms[target] = self._rooms.get(target, CHANGES_BYTES_MAX) - max(len(record.data), RECORD_COST_MIN)
        if self._rooms[target] < 0:
            self._nonsense.add(target)
            return
        pieces = self._changes if isinstance(record, ChangesRecord) else self._deletions
        try:
            number = self._keep(record.data)
        except OSError:
            self._nonsense.add(target)
        else:
            pieces.setdefault(target, array("I")).append(number)

    def lines(self, manifest: Manifest) -> Iterator[Line]:
        """Yield all deletions, then all changes in the order of the manifest. The ledger is empty afterwards."""
        try:
            yield from self._deleted_lines(manifest)
            yield from self._changed_lines(manifest)
        finally:
            if self._file is not None:
                with suppress(OSError):  # what it lacks was found out when it was read
                    self._file.close()
        if self._nonsense:
            yield Line(tuple(sorted(self._nonsense)), UNREADABLE, b"")

    def _deleted_lines(self, manifest: Manifest) -> Iterator[Line]:
        count = len(manifest)
        for (directory, _, path), targets in self._merged(self._deletions, lambda data: _deletions(data, count)):
            above = manifest.path(directory)
            yield Line(targets, DELETED, above + b"/" + path if above else path)

    def _changed_lines(self, manifest: Manifest) -> Iterator[Line]:
        count = len(manifest)
        for (entry, flags, leader), targets in self._merged(self._changes, lambda data: _changes(data, count)):
            path = manifest.path(entry)
            kind = manifest.kind(entry)
            if kind == DIRECTORY:
                path = (path or b".") + b"/"
            lead = b" -> " + manifest.link_targets[entry] if kind == LINK else b""
            if leader >= 0:
                lead = b" => " + manifest.path(leader)
            yield Line(targets, letters(flags, manifest.modes[entry]), path, lead)

    def _keep(self, data: bytes) -> int:
        name = hashlib.blake2b(data, digest_size=16).digest()
        number = self._numbers.get(name)
        if number is None:
            self._file = self._file or self._open_file()
            self._file.seek(self._bounds[-1])
            self._file.write(data)
            number = self._numbers[name] = len(self._bounds) - 1
            self._bounds.append(self._bounds[-1] + len(data))
        return number

    def _open_file(self) -> IO[bytes]:
        """Open a file for records. It is closed with this ledger, even if the lines are never read."""
        from tempfile import SpooledTemporaryFile  # the import takes 3 ms

        opened = SpooledTemporaryFile(MEMORY_BYTES_MAX)  # noqa: SIM115
        weakref.finalize(self, opened.close)
        return opened

    def _merged(
        self, pieces: dict[int, array[int]], read: Callable[[bytes], Iterator[K]]
    ) -> Iterator[tuple[K, tuple[int, ...]]]:
        """Yield keys in order, each with the targets that have it. Targets with equal records are read once."""
        alike: dict[bytes, list[int]] = {}
        for target in sorted(pieces):
            alike.setdefault(pieces[target].tobytes(), []).append(target)
        groups = list(alike.values())
        streams = [self._stream(pieces[targets[0]], read, number, targets) for number, targets in enumerate(groups)]
        for key, found in groupby(heapq.merge(*streams), key=lambda item: item[0]):
            yield key, tuple(sorted(chain.from_iterable(groups[number] for _, number in found)))

    def _stream(
        self, pieces: Sequence[int], read: Callable[[bytes], Iterator[K]], number: int, targets: Iterable[int]
    ) -> Iterator[tuple[K, int]]:
        """Yield the keys of records with the group's number. Stop at one that is unreadable or out of order."""
        assert self._file is not None  # a record was kept
        last: K | None = None
        try:
            for piece in pieces:
                self._file.seek(self._bounds[piece])
                for key in read(self._file.read(self._bounds[piece + 1] - self._bounds[piece])):
                    if last is not None and key <= last:
                        raise ValueError("out of order")
                    last = key
                    yield key, number
        except (OSError, ValueError):
            self._nonsense.update(targets)


def _changes(data: bytes, count: int) -> Iterator[tuple[int, int, int]]:
    """Yield (entry, flags, leader). count: entries of the manifest. Raise ValueError if an entry is beyond it."""
    for change in unpack_changes(data):
        if change.end > count or change.leader >= count:
            raise ValueError("an entry that does not exist")
        for entry in range(change.first, change.end):
            yield entry, change.flags, change.leader


def _deletions(data: bytes, count: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (directory, sort key, path).

    count: entries of the manifest. Raise ValueError if a directory is beyond it.
    """
    for directory, path in unpack_deletions(data):
        if directory >= count:
            raise ValueError("a directory that does not exist")
        yield directory, deletion_key(path), path
