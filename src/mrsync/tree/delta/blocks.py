"""Compute and encode digests of planned files' blocks, by which a target finds them in its old versions."""

from __future__ import annotations

import hashlib
import os
import threading
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from mrsync.ranges import Range
from mrsync.tree.model.packing import Packer, Unpacker
from mrsync.tree.model.plan import Plan
from mrsync.tuples import NamedTuple

# With 80 bits, one of 2**50 differing blocks (more than a fleet ever compares) counts as equal with a chance of 2**-30.
DIGEST_BYTES = 10
ANCHOR_BYTES = 8  # the first bytes of each block, by which it is searched for after an insertion
_MAGIC = b"mrsync blocks\x01"
GROUP_BLOCKS = 64  # read, and then digested together: 4 MB, next to which the start of threads does not count
_MOST_THREADS = 4  # more of them would wait for the one that reads
_THREAD_BLOCKS = 8  # a thread that digests fewer does not pay: 0.1 ms for its start, 0.07 for a block


class FileBlocks(NamedTuple):
    """The concatenated digests and anchors of one planned file's blocks. A block is the file's share of one page."""

    digests: bytes
    anchors: bytes

    def digest(self, number: int) -> bytes:
        return self.digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]

    def anchor(self, number: int) -> bytes:
        return self.anchors[number * ANCHOR_BYTES : (number + 1) * ANCHOR_BYTES]


Blocks = dict[int, FileBlocks]  # by plan file


def delta_key(session: int) -> bytes:
    """Return the key of a session's digests, which no one can know before the session."""
    return session.to_bytes(8, "big")


def block_digest(data: bytes, key: bytes) -> bytes:
    """Digest one block with the session's key, so that nobody can prepare two blocks with equal digests."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES, key=key).digest()


def block_digests(blocks: Sequence[bytes], key: bytes) -> list[bytes]:
    """Digest several blocks at once, on several cores: BLAKE2b does not hold Python's lock.

    One core digests 0.86 GB/s, less than memory and many disks deliver.
    """
    digests = [b""] * len(blocks)
    threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)), 1 + len(blocks) // _THREAD_BLOCKS)

    def digest_from(first: int) -> None:
        for number in range(first, len(blocks), threads):
            digests[number] = block_digest(blocks[number], key)

    others = []
    for first in range(1, threads):
        thread = threading.Thread(target=digest_from, args=(first,), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # this host allows no more threads
            digest_from(first)
        else:
            others.append(thread)
    digest_from(0)
    for thread in others:
        thread.join()
    return digests


def spans_of(plan: Plan, file: int, page_bytes: int) -> Iterator[Range]:
    """Yield the span, in the contents object, of a plan file's share of each page of `page_bytes`."""
    start, end = plan.starts[file], plan.starts[file + 1]
    while start < end:
        stop = min(end, start - start % page_bytes + page_bytes)
        yield start, stop
        start = stop


def block_count(plan: Plan, file: int, page_bytes: int) -> int:
    """Return the number of pages, of `page_bytes`, in which a plan file lies. Each of them has one of its blocks."""
    start, end = plan.starts[file], plan.starts[file + 1]
    return -(-end // page_bytes) - start // page_bytes if start < end else 0


def digest_blocks(
    plan: Plan,
    files: Iterable[int],
    read: Callable[[int, int], bytes],
    page_bytes: int,
    key: bytes,
    on_activity: Callable[[int], None] = lambda count: None,
) -> Blocks:
    """Digest planned files on the master. Raise what `read` raises.

    files: plan files that some target has an older version of. read: returns the bytes (offset, length) of the contents
    object. page_bytes: size of a page; each file is divided where pages begin. key: of the digests, the session's
    `delta_key`. on_activity: called with 1 every few megabytes.
    """
    blocks: Blocks = {}
    for file in files:
        digests, anchors = bytearray(), bytearray()
        spans = spans_of(plan, file, page_bytes)
        while group := [read(start, stop - start) for start, stop in islice(spans, GROUP_BLOCKS)]:
            digests += b"".join(block_digests(group, key))
            anchors += b"".join([data[:ANCHOR_BYTES].ljust(ANCHOR_BYTES, b"\0") for data in group])
            on_activity(1)
        blocks[file] = FileBlocks(bytes(digests), bytes(anchors))
    return blocks


def encode_blocks(blocks: Blocks) -> bytes:
    """Encode blocks as the plan contains them."""
    packer = Packer(_MAGIC)
    packer.number(len(blocks))  # [blocks-file-count]
    packer.column(array("I", blocks))  # [blocks-files]
    packer.blob(b"".join([each.digests for each in blocks.values()]))  # [blocks-digests]
    packer.blob(b"".join([each.anchors for each in blocks.values()]))  # [blocks-anchors]
    return packer.packed()


def decode_blocks(plan: Plan, page_bytes: int) -> Blocks:
    """Decode the blocks in a plan. Raise ProtocolDataError if they are not valid."""
    if not plan.blocks:
        return {}
    unpacker = Unpacker(plan.blocks, _MAGIC, "list of blocks")
    files = unpacker.column("I", unpacker.number(plan.file_count))
    digests, anchors = unpacker.blob(), unpacker.blob()
    unpacker.end()
    if any(file >= plan.file_count for file in files) or len(set(files)) != len(files):
        raise unpacker.error("it names files that are not planned, or twice")
    blocks: Blocks = {}
    first = 0
    for file in files:
        end = first + block_count(plan, file, page_bytes)
        blocks[file] = FileBlocks(
            digests[first * DIGEST_BYTES : end * DIGEST_BYTES], anchors[first * ANCHOR_BYTES : end * ANCHOR_BYTES]
        )
        first = end
    if len(digests) != first * DIGEST_BYTES or len(anchors) != first * ANCHOR_BYTES:
        raise unpacker.error("its digests are not one for each block")
    return blocks
