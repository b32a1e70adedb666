"""The record of a sync: the manifest, and proofs of the contents of its files."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from operator import attrgetter
from typing import Any

from mrsync.errors import MrsyncError
from mrsync.tree.model.manifest import DIRECTORY, NO_DIGEST, REGULAR, Manifest
from mrsync.tree.model.packing import Packer, Unpacker
from mrsync.tree.model.plan import EXTENTS_MAX
from mrsync.tree.record.grid import Grid
from mrsync.tuples import NamedTuple

MAGIC = b"mrsync record\x01"
GRIDS_MAX = 1 << 16
HEADER_BYTES_MAX = 64 << 20
PROOF_BYTES_MAX = 256
PAGE_BYTES_MAX = 1 << 20
OFFSET_MAX = 1 << 62
_ADDED_AT_ONCE = 4096

Extents = list[tuple[int, int]]


class ProvenFile(NamedTuple):
    """A file and the proof of its contents. grid: of the object that they came in, from this offset on.

    extents: (offset, length) of its data if it has holes; else all of it is data.
    """

    entry: int
    grid: Grid
    start: int
    length: int
    extents: Extents
    proof: bytes


class TargetNames(NamedTuple):
    """Names that differ between the targets of one sync.

    host: stands for {host} in the paths of the policy. suffix: of backups, in place of the policy's, or None.
    """

    host: str = ""
    suffix: str | None = None


NAMELESS = TargetNames()


class Record:
    """The record of a sync that one target keeps.

    manifest: its encoded form. session: id of the session. names: of the target. Files with proofs are ordered by their
    manifest entries.
    """

    def __init__(self, manifest: bytes, session: int, names: TargetNames = NAMELESS) -> None:
        self.manifest = manifest
        self.session = session
        self.names = names
        self._grids: list[Grid] = []
        self._numbers: dict[Grid, int] = {}
        self._entries = array("I")
        self._grid_of = array("I")
        self._starts = array("q")
        self._lengths = array("q")
        self._extents: dict[int, Extents] = {}
        self._proofs = bytearray()
        self._proof_lengths = array("I")

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the encoded manifest."""
        return hashlib.sha256(self.manifest).digest()

    def extend(self, files: Iterable[ProvenFile]) -> None:
        """Add files. Entries must be in ascending order, here and from call to call."""
        left = iter(files)
        while some := list(islice(left, _ADDED_AT_ONCE)):
            self._add(some)

    def _add(self, files: Sequence[ProvenFile]) -> None:
        for row, file in enumerate(files, len(self)):
            if file.extents:
                self._extents[row] = file.extents
        entries, grids, starts, lengths, _, proofs = zip(*files)
        for grid in dict.fromkeys(grids):
            if grid not in self._numbers:
                self._numbers[grid] = len(self._grids)
                self._grids.append(grid)
        self._entries.extend(entries)
        self._grid_of.extend(map(self._numbers.__getitem__, grids))
        self._starts.extend(starts)
        self._lengths.extend(lengths)
        self._proof_lengths.extend(map(len, proofs))
        self._proofs += b"".join(proofs)

    def files(self) -> Iterator[ProvenFile]:
        """Yield all files with proofs."""
        rows = zip(self._entries, self._grid_of, self._starts, self._lengths, self._proof_lengths)
        at = 0
        for row, (entry, grid, start, length, proof_length) in enumerate(rows):
            proof = bytes(self._proofs[at : at + proof_length])
            yield ProvenFile(entry, self._grids[grid], start, length, self._extents.get(row, []), proof)
            at += proof_length

    def parts(self) -> Iterator[bytes]:
        """Yield the parts of the encoded record. Write them one after another, so that memory never holds them all."""
        packer = Packer(MAGIC, level=0)
        grids = [list(grid) for grid in self._grids]
        header = {"manifest": self.digest.hex(), "session": self.session, "grids": grids, **self.names._asdict()}
        packer.blob(json.dumps(header).encode())
        packer.blob(self.manifest)
        packer.number(len(self))
        for column in (self._entries, self._grid_of, self._starts, self._lengths, self._proof_lengths):
            packer.column(column)
            yield from packer.take_parts()
        packer.blob(self._proofs)
        yield from packer.take_parts()
        flat = [piece for pieces in self._extents.values() for piece in pieces]
        packer.number(len(self._extents))
        packer.number(len(flat))
        packer.column(array("I", self._extents))
        packer.column(array("I", map(len, self._extents.values())))
        packer.column(array("q", [offset for offset, _ in flat]))
        packer.column(array("q", [length for _, length in flat]))
        yield from packer.take_parts()

    @classmethod
    def decode(cls, data: bytes) -> Record:
        """Read the bytes that `parts` yields. Raise ProtocolDataError with one sentence for anything else."""
        unpacker = Unpacker(data, MAGIC, "record of the last sync")
        header = _header(unpacker)
        self = cls(unpacker.blob(), header["session"], _names(header))
        if self.digest.hex() != header["manifest"]:
            raise unpacker.error("its manifest is another one")
        self._grids = [_grid(row, unpacker) for row in header["grids"]]
        self._numbers = {grid: number for number, grid in enumerate(self._grids)}
        count = unpacker.number(len(self.manifest) * 1024)
        self._entries, self._grid_of = unpacker.column("I", count), unpacker.column("I", count)
        self._starts, self._lengths = unpacker.column("q", count), unpacker.column("q", count)
        self._proof_lengths = unpacker.column("I", count)
        self._proofs += unpacker.blob()
        if sum(self._proof_lengths) != len(self._proofs):
            raise unpacker.error("its proofs do not add up")
        self._extents = _extents(unpacker, count)
        unpacker.end()
        self._check(unpacker)
        return self

    def _check(self, unpacker: Unpacker) -> None:
        if any(number >= len(self._grids) for number in set(self._grid_of)):
            raise unpacker.error("a file is of an unknown session")
        before = -1
        for file in self.files():
            if file.entry <= before or not 0 <= file.start <= OFFSET_MAX or not 0 < file.length <= OFFSET_MAX:
                raise unpacker.error("its files are not in order")
            before = file.entry
            if len(file.proof) != file.grid.proof_length(file.grid.divide(file.start, file.length)):
                raise unpacker.error("a proof has a wrong length")
            if file.extents and sum(length for _, length in file.extents) != file.length:
                raise unpacker.error("the extents of a file do not add up")


def recorded_sync(data: bytes) -> tuple[str, TargetNames]:
    """Return the digest of the manifest of an encoded record, in hexadecimal, and its names.

    The beginning of the record suffices. Raise ProtocolDataError.
    """
    header = _header(Unpacker(data, MAGIC, "record of the last sync"))
    return header["manifest"], _names(header)


def carry(
    old: Record | None,
    new: Record,
    manifest: Manifest,
    fresh: Iterable[Iterable[ProvenFile]],
    changed: Sequence[int],
    compared: Iterable[ProvenFile] | None = None,
) -> None:
    """Fill a new record: with the fresh files, and with those of the old record that did not change since.

    compared: files that were found equal by their digests, for those that are neither. An old proof then counts only if
    the file had the same digest: another program may have changed source and destination alike. manifest: of the new
    record. fresh: the files of each round, ordered by entry; those of a later round count.
    changed: for each entry, whether its contents are not those of the old record any more.
    """
    sources = [compared] if compared is not None else []
    if old is not None:
        sources.append(_unchanged(old, manifest, changed, by_digest=compared is not None))
    sources += fresh
    if len(sources) == 1:
        new.extend(sources[0])  # nearly always, and much faster than to merge it with nothing
    else:
        new.extend(_last_of_each(heapq.merge(*sources, key=attrgetter("entry"))))


def _last_of_each(files: Iterable[ProvenFile]) -> Iterator[ProvenFile]:
    """Yield the last file of each entry."""
    last: ProvenFile | None = None
    for file in files:
        if last is not None and file.entry != last.entry:
            yield last
        last = file
    if last is not None:
        yield last


def _unchanged(old: Record, manifest: Manifest, changed: Sequence[int], *, by_digest: bool) -> Iterator[ProvenFile]:
    """Yield files of an old record that did not change, and have the same path, size and time in a newer manifest.

    by_digest: and the same digest, if the newer manifest has one.
    """
    try:
        before = Manifest.decode(old.manifest)
    except MrsyncError:  # another version of mrsync has written it
        return
    places = _places(before, manifest)
    for file in old.files():
        entry = places[file.entry] if file.entry < len(before) else -1
        if entry < 0 or manifest.kind(entry) != REGULAR or manifest.sizes[entry] != before.sizes[file.entry]:
            continue
        if by_digest and manifest.digest(entry) not in (NO_DIGEST, before.digest(file.entry)):
            continue
        if manifest.mtime_ns(entry) == before.mtime_ns(file.entry) and not changed[entry]:
            yield file._replace(entry=entry)


def _places(old: Manifest, new: Manifest) -> array[int]:
    """Return for each entry of a manifest the entry of another one with the same path, or -1."""
    if old.names == new.names and old.child_starts == new.child_starts and old.directories == new.directories:
        return array("q", range(len(old)))
    places = array("q", [-1]) * len(old)
    places[0] = 0
    numbers = {directory: number for number, directory in enumerate(new.directories)}
    for number, directory in enumerate(old.directories):
        other = numbers.get(places[directory]) if places[directory] >= 0 else None
        if other is None:
            continue
        first, end = new.child_starts[other], new.child_starts[other + 1]
        known = dict(zip(new.names[first:end], range(first, end)))
        for child in range(old.child_starts[number], old.child_starts[number + 1]):
            place = known.get(old.names[child], -1)
            if place >= 0 and (old.kind(child) == DIRECTORY) == (new.kind(place) == DIRECTORY):
                places[child] = place
    return places


def _header(unpacker: Unpacker) -> dict[str, Any]:
    data = unpacker.blob()
    try:
        header = json.loads(data) if len(data) <= HEADER_BYTES_MAX else None
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or set(header) - set(TargetNames._fields) != {"manifest", "session", "grids"}:
        raise unpacker.error("its header makes no sense")
    if not all(isinstance(name, str) and _is_name(name) for name in _names(header) if name is not None):
        raise unpacker.error("its header makes no sense")
    digest, session, grids = header["manifest"], header["session"], header["grids"]
    if not isinstance(digest, str) or not isinstance(session, int) or not isinstance(grids, list):
        raise unpacker.error("its header makes no sense")
    if len(grids) > GRIDS_MAX or not 0 <= session < 1 << 64:
        raise unpacker.error("its header makes no sense")
    return header


def _names(header: dict[str, Any]) -> TargetNames:
    """Return the names in a header, which has none if an early version wrote it."""
    return TargetNames(header.get("host", ""), header.get("suffix"))


def _is_name(text: str) -> bool:
    """Return whether a text can be a part of a path."""
    try:
        return b"\0" not in os.fsencode(text)
    except ValueError:
        return False


def _grid(row: Any, unpacker: Unpacker) -> Grid:
    kinds = [int, int, int, str]
    if not isinstance(row, list) or [type(value) for value in row] != kinds:
        raise unpacker.error("its header makes no sense")
    grid = Grid(*row)
    if not (
        0 < grid.page_bytes <= PAGE_BYTES_MAX
        and 0 <= grid.contents_bytes <= OFFSET_MAX
        and 0 < grid.proof_bytes <= PROOF_BYTES_MAX
    ):
        raise unpacker.error("its header makes no sense")
    return grid


def _extents(unpacker: Unpacker, count: int) -> dict[int, Extents]:
    file_count, flat_count = unpacker.number(count), unpacker.number(EXTENTS_MAX)
    rows, counts = unpacker.column("I", file_count), unpacker.column("I", file_count)
    offsets, lengths = unpacker.column("q", flat_count), unpacker.column("q", flat_count)
    if sum(counts) != flat_count or any(row >= count for row in rows):
        raise unpacker.error("its extents do not add up")
    if flat_count and (min(offsets) < 0 or max(offsets) > OFFSET_MAX or min(lengths) < 1 or max(lengths) > OFFSET_MAX):
        raise unpacker.error("an extent is impossible")
    ends = accumulate(counts)
    return {
        row: list(zip(offsets[end - size : end], lengths[end - size : end]))
        for row, size, end in zip(rows, counts, ends)
    }
