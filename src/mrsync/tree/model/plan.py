"""The plan: which files make up the contents object, and at which offset each begins."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from mrsync.errors import LimitError
from mrsync.ranges import clipped, merged
from mrsync.tree.model.limits import KIND_SHIFT
from mrsync.tree.model.manifest import REGULAR, Manifest
from mrsync.tree.model.packing import Packer, Unpacker

MAGIC = b"mrsync plan\x02"
CONTENTS_BYTES_MAX = 1 << 62
EXTENTS_MAX = 1 << 24
OFFSET_MAX = (1 << 63) - 1  # in a file

Extents = Sequence[tuple[int, int]]


def data_ends(extents: Extents) -> list[int]:
    """Return how many bytes of data end with each extent."""
    return list(accumulate(length for _, length in extents))


def pieces_of(extents: Extents, ends: Sequence[int], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where data [start, stop) of a file, counted without its holes, is in it, as (offset, length).

    ends: `data_ends` of the extents. There may be millions of extents, so only those in question are looked at.
    """
    number = bisect_right(ends, start)
    while start < stop:
        offset, length = extents[number]
        skipped = start - (ends[number] - length)
        taken = min(length - skipped, stop - start)
        yield offset + skipped, taken
        start += taken
        number += 1


class Plan:
    """Planned files in the order of the manifest, numbered from 0. The contents object is their concatenated data.

    ranges: planned manifest entries [a, b), ascending.
    entries: the manifest entry of each planned file.
    starts: offset of each file's data in the contents object, and the total size.
    extents: (offset, length) of the data of files with holes, by plan file; all other files are data from 0 to their
    size.
    ctimes, inodes: identity of each source file, for a later session; inode 0 if it is not certain; both empty if
    partial files are not kept.
    sparse_identities: on the master, (inode, ctime) of each file with extents at the moment when these were looked for.
    blocks: encoded digests for deltas, see `tree/delta/blocks.py`.

    Raises LimitError if the contents object would be too large.
    """

    def __init__(self, manifest: Manifest, ranges: Sequence[tuple[int, int]], extents: dict[int, Extents]) -> None:
        self.ranges = ranges
        self.extents = extents
        self._extent_ends: dict[int, Sequence[int]] = {}  # `data_ends` of files that were located
        self.entries = array("I")
        sizes = array("q")
        for first, end in ranges:
            self.entries.extend(range(first, end))
            sizes.extend(manifest.sizes[first:end])
        for file, pieces in extents.items():
            sizes[file] = sum(length for _, length in pieces)
        if sum(sizes) > CONTENTS_BYTES_MAX or sum(map(len, extents.values())) > EXTENTS_MAX:
            raise LimitError("the targets need more than one session can send; sync parts of SOURCE")
        self.starts = array("q", accumulate(sizes, initial=0))
        self.ctimes = array("q")
        self.inodes = array("Q")
        self.sparse_identities: dict[int, tuple[int, int]] = {}
        self.blocks = b""

    def forget_identities(self) -> None:
        """Free ctimes and inodes, 16 bytes per file. Only the journal and what is resumed need them."""
        del self.ctimes[:], self.inodes[:]

    @property
    def file_count(self) -> int:
        return len(self.entries)

    @property
    def contents_bytes(self) -> int:
        return self.starts[-1]

    def end_of(self, file: int) -> int:
        """Return the offset in the contents object after the last byte of a file."""
        return self.starts[file + 1]

    def first_file(self, entry: int) -> int:
        """Return the number in the plan of the first planned file at or after a manifest entry."""
        return bisect_left(self.entries, entry)

    def file_of(self, entry: int) -> int:
        """Return the number of a manifest entry in the plan, or -1."""
        file = self.first_file(entry)
        return file if file < len(self.entries) and self.entries[file] == entry else -1

    def locate(self, offset: int, length: int) -> list[tuple[int, int, int]]:
        """Return the pieces (file, offset in the file, length) of a range of the contents object, in order."""
        starts = self.starts
        if offset < 0 or offset + length > starts[-1]:
            raise ValueError(f"[{offset}, {offset + length}) is outside the contents object")
        pieces = []
        file = bisect_right(starts, offset) - 1
        end = offset + length
        while offset < end:
            start, stop = starts[file], starts[file + 1]
            if stop > end:
                stop = end
            if stop > offset:
                if file in self.extents:
                    pieces += self._locate_in_extents(file, offset - start, stop - start)
                else:
                    pieces.append((file, offset - start, stop - offset))
                offset = stop
            file += 1
        return pieces

    def data_of(self, file: int) -> list[tuple[int, int]]:
        """Return the spans of a file's bytes that are not holes."""
        extents = self.extents.get(file)
        if extents is None:
            return [(0, self.starts[file + 1] - self.starts[file])]
        return [(offset, offset + length) for offset, length in extents]

    def place_of(self, file: int, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return where spans of a file's bytes are in the contents object."""
        placed = []
        position = self.starts[file]
        for first, end in self.data_of(file):
            placed += [(position + low - first, position + high - first) for low, high in clipped(spans, first, end)]
            position += end - first
        return placed

    def pages_of(self, entries: Iterable[tuple[int, int]], page_bytes: int) -> list[tuple[int, int]]:
        """Return the page ranges of the contents object that hold data of these ranges of manifest entries."""
        found = []
        for first, end in entries:
            start, stop = self.starts[self.first_file(first)], self.starts[self.first_file(end)]
            if start < stop:
                found.append((start // page_bytes, -(-stop // page_bytes)))
        return merged(found)

    def encode(self) -> bytes:
        """Return the plan as the bytes of object 1."""
        packer = Packer(MAGIC)
        packer.number(len(self.ranges))  # [plan-range-count]
        packer.column(array("I", [first for first, _ in self.ranges]))  # [plan-range-firsts]
        packer.column(array("I", [end for _, end in self.ranges]))  # [plan-range-ends]
        files = sorted(self.extents)
        flat = [piece for file in files for piece in self.extents[file]]
        packer.number(len(files))  # [plan-sparse-count]
        packer.number(len(flat))  # [plan-extent-count]
        packer.column(array("I", files))  # [plan-sparse-files]
        packer.column(array("I", [len(self.extents[file]) for file in files]))  # [plan-sparse-extents]
        packer.column(array("q", [offset for offset, _ in flat]))  # [plan-extent-offsets]
        packer.column(array("q", [length for _, length in flat]))  # [plan-extent-lengths]
        packer.number(len(self.inodes))  # [plan-known-count]
        packer.column(self.ctimes)  # [plan-ctimes]
        packer.column(self.inodes)  # [plan-inodes]
        packer.object(self.blocks)  # [plan-blocks]
        return packer.packed()

    @classmethod
    def decode(cls, data: bytes, manifest: Manifest) -> Plan:
        """Decode what `encode` wrote for the same manifest. Raise ProtocolDataError for anything invalid."""
        unpacker = Unpacker(data, MAGIC, "plan")
        count = unpacker.number(len(manifest))
        ranges = list(zip(unpacker.column("I", count), unpacker.column("I", count)))
        _check_ranges(ranges, manifest, unpacker)
        extents = _decode_extents(unpacker, len(manifest))
        file_count = sum(end - first for first, end in ranges)
        known = unpacker.number(file_count)
        ctimes, inodes = unpacker.column("q", known), unpacker.column("Q", known)
        blocks = unpacker.object()
        unpacker.end()
        if known not in (0, file_count):
            raise unpacker.error("it knows some of its files, and others not")
        if any(file >= file_count for file in extents):
            raise unpacker.error("it has extents of a file that is not planned")
        try:
            self = cls(manifest, ranges, extents)
        except LimitError as error:
            raise unpacker.error("its contents are too large") from error
        self.ctimes, self.inodes, self.blocks = ctimes, inodes, blocks
        for file, pieces in extents.items():
            if pieces and sum(pieces[-1]) > manifest.sizes[self.entries[file]]:
                raise unpacker.error("an extent is outside its file")
        return self

    def _locate_in_extents(self, file: int, start: int, stop: int) -> list[tuple[int, int, int]]:
        """Return (file, offset, length) for data [start, stop) of a sparse file, counted without its holes."""
        extents = self.extents[file]
        if file not in self._extent_ends:
            self._extent_ends[file] = data_ends(extents)
        return [(file, *piece) for piece in pieces_of(extents, self._extent_ends[file], start, stop)]


def _decode_extents(unpacker: Unpacker, files_max: int) -> dict[int, Extents]:
    """Return the extents by planned file. Damage is found before much memory is taken."""
    file_count, flat_count = unpacker.number(files_max), unpacker.number(EXTENTS_MAX)
    files, counts = unpacker.column("I", file_count), unpacker.column("I", file_count)
    offsets, lengths = unpacker.column("q", flat_count), unpacker.column("q", flat_count)
    if sum(counts) != flat_count or len(set(files)) != file_count:
        raise unpacker.error("its extents do not add up")
    extents: dict[int, Extents] = {}
    position = 0
    for file, count in zip(files, counts):
        own = slice(position, position + count)
        end = 0
        for offset, length in zip(offsets[own], lengths[own]):
            if offset < end or not 0 < length <= OFFSET_MAX - offset:
                raise unpacker.error("extents of a file are not in order")
            end = offset + length
        extents[file] = list(zip(offsets[own], lengths[own]))
        position += count
    return extents


def _check_ranges(ranges: list[tuple[int, int]], manifest: Manifest, unpacker: Unpacker) -> None:
    previous = 0
    for first, end in ranges:
        if not previous <= first < end <= len(manifest):
            raise unpacker.error("its ranges are not in order")
        # Members of hard-link groups are allowed, because some target may have to leave the leader alone.
        if any(mode >> KIND_SHIFT != REGULAR for mode in set(manifest.modes[first:end])):
            raise unpacker.error("it plans an entry that has no contents")
        previous = end
