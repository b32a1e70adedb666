"""Read proven files in portions, and check every part of them by its proof.

Portions are independent of one another, so that threads can read them: hashlib and ciphers release the interpreter's
lock.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from hmac import compare_digest
from typing import Callable

from mrsync.files import close_quietly, open_regular_below
from mrsync.ranges import Range, merged, without
from mrsync.tree.fs.digests import Digester
from mrsync.tree.fs.extents import data_extents
from mrsync.tree.model.plan import data_ends, pieces_of
from mrsync.tree.record.grid import DIGEST_BYTES
from mrsync.tree.record.record import ProvenFile
from mrsync.tuples import NamedTuple

PORTION_BYTES = 8 << 20  # of one file, or of several small ones, for one thread at a time
WRONG_MAX = 1000  # parts of one portion that are named
_ZEROS_BYTES = 1 << 20

Check = Callable[[str, int, bytes, bytes], bool]  # (terms of a grid, page, its data, its proof) -> whether they fit


class Portion(NamedTuple):
    """The parts [first, end) of a file."""

    file: ProvenFile
    first: int
    end: int


Batch = list[Portion]


class PortionResult(NamedTuple):
    """The result of reading a portion.

    length: bytes that are right. wrong: number and place of each wrong part. error: why it cannot be read. is_gone: the
    file is missing, or has another size.
    """

    length: int = 0
    wrong: tuple[tuple[int, str], ...] = ()
    error: str = ""
    is_gone: bool = False


class _Part(NamedTuple):
    """A part with a proof of its own. start: in the contents object. page: -1 for a head or tail."""

    start: int
    length: int
    page: int
    proof: bytes


def batches(files: Iterable[ProvenFile]) -> Iterator[Batch]:
    """Divide files into batches of about PORTION_BYTES."""
    batch: Batch = []
    room = PORTION_BYTES
    for file in files:
        count = _part_count(file)
        step = max(1, PORTION_BYTES // file.grid.page_bytes)
        for first in range(0, count, step):
            portion = Portion(file, first, min(count, first + step))
            batch.append(portion)
            room -= file.length if file.grid.is_whole else min(file.length, step * file.grid.page_bytes)
            if room <= 0:
                yield batch
                batch, room = [], PORTION_BYTES
    if batch:
        yield batch


def read_batch(
    root: bytes,
    path: bytes,
    size: int,
    portion: Portion,
    check: Check,
    on_activity: Callable[[int], None] = lambda count: None,
) -> PortionResult:
    """Read a portion of a file and check its parts. Raise nothing: the result has the error.

    root: path of the directory. path: of the file below it. size: that it must have, in bytes. check: see `Check`.
    on_activity: called with 1 every 64 MB of a file that is one part.
    """
    try:
        fd = open_regular_below(root, path)
    except (FileNotFoundError, NotADirectoryError):
        return PortionResult(is_gone=True)
    except OSError as error:
        return PortionResult(error=os.strerror(error.errno or 0))
    try:
        if os.fstat(fd).st_size != size:
            return PortionResult(is_gone=True)
        if portion.file.grid.is_whole:
            return _digested(fd, size, portion.file.proof, on_activity)
        return _read(fd, size, portion, check)
    except OSError as error:
        return PortionResult(error=os.strerror(error.errno or 0))
    finally:
        close_quietly(fd)


def _digested(fd: int, size: int, proof: bytes, on_activity: Callable[[int], None]) -> PortionResult:
    """Compare a whole file with the digest that it had."""
    if compare_digest(Digester(lambda count: on_activity(1)).digest(lambda: os.dup(fd), size), proof):
        return PortionResult(size)
    return PortionResult(wrong=((-1, "some place (it was compared by one digest)"),))


def _read(fd: int, size: int, portion: Portion, check: Check) -> PortionResult:
    file = portion.file
    read = _reader(fd, file)
    length = 0
    wrong: list[tuple[int, str]] = []
    for number, part in enumerate(_parts(file, portion.first, portion.end), portion.first):
        data = read(part.start, part.length)
        if _is_right(data, part, file, check):
            length += part.length
        elif len(wrong) < WRONG_MAX:
            at = part.start - file.start
            where = f"bytes {at} to {at + part.length - 1}{' of its data' * bool(file.extents)}"
            wrong.append((number, f"page {number} ({where})"))
    if file.extents and portion.first == 0 and not _has_empty_holes(fd, size, file):
        wrong.append((-1, "a hole"))
    return PortionResult(length, tuple(wrong))


def _is_right(data: bytes, part: _Part, file: ProvenFile, check: Check) -> bool:
    if len(data) != part.length:
        return False
    if part.page < 0:
        return compare_digest(hashlib.sha256(data).digest(), part.proof)
    return check(file.grid.terms, part.page, data, part.proof)


def _part_count(file: ProvenFile) -> int:
    head, first, end, tail = file.grid.divide(file.start, file.length)
    return (head > 0) + end - first + (tail > 0)


def _parts(file: ProvenFile, low: int, high: int) -> Iterator[_Part]:
    """Return the parts [low, high) of a file."""
    grid = file.grid
    head, first, end, tail = grid.divide(file.start, file.length)
    edge = DIGEST_BYTES * (head > 0)
    for number in range(low, high):
        page = first + number - (head > 0)
        if number == 0 and head:
            yield _Part(file.start, head, -1, file.proof[:DIGEST_BYTES])
        elif page < end:
            start = page * grid.page_bytes
            at = edge + (page - first) * grid.proof_bytes
            length = min(grid.page_bytes, file.start + file.length - start)
            yield _Part(start, length, page, file.proof[at : at + grid.proof_bytes])
        else:
            yield _Part(file.start + file.length - tail, tail, -1, file.proof[-DIGEST_BYTES:])


def _reader(fd: int, file: ProvenFile) -> Callable[[int, int], bytes]:
    """Return a function that reads data of a file by its place in the contents object."""
    if not file.extents:
        return lambda start, length: os.pread(fd, length, start - file.start)
    ends = data_ends(file.extents)

    def read(start: int, length: int) -> bytes:
        at = start - file.start
        return b"".join(os.pread(fd, size, offset) for offset, size in pieces_of(file.extents, ends, at, at + length))

    return read


def _has_empty_holes(fd: int, size: int, file: ProvenFile) -> bool:
    """Return whether nothing but zeros is where the source had a hole."""
    data = merged((offset, offset + length) for offset, length in file.extents)
    here: list[Range] = [(offset, offset + length) for offset, length in data_extents(fd, size)]
    for first, end in without(here, data):
        for offset in range(first, end, _ZEROS_BYTES):
            if any(os.pread(fd, min(_ZEROS_BYTES, end - offset), offset)):
                return False
    return True
