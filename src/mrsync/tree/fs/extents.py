"""Find where a file has data, because holes are not cast; and make holes, for which Python has no function."""

from __future__ import annotations

import errno
import os
from functools import cache
from typing import Any

from mrsync.c_library import c_library

BLOCK_BYTES = 4096
HOLE_BYTES_MIN = 64 << 10  # a smaller hole costs less when it is sent as zeros
PUNCHED_BYTES_MIN = 16 << 10  # to punch less takes longer than to write zeros; a page has more
_ZEROS = bytes(BLOCK_BYTES)
_KEEP_SIZE = 0x01  # of fallocate(2)
_PUNCH_HOLE = 0x02


def data_extents(fd: int, size: int) -> list[tuple[int, int]]:
    """Return (offset, length) of a file's data in order; the whole file if holes are not supported."""
    extents: list[tuple[int, int]] = []
    position = 0
    while position < size:
        start = -1
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
            end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        except SystemError:  # Linux returns a negative offset near the end of 8 EiB, and CPython does not expect that
            return [(0, size)]
        except OSError as error:
            if error.errno == errno.ENXIO and start < 0:  # no data up to the end
                break
            return [(0, size)]  # holes are not supported, or the disk fails: reading the data will report it
        if start >= size:
            break
        if extents and start - sum(extents[-1]) < HOLE_BYTES_MIN:
            start = extents.pop()[0]
        extents.append((start, end - start))
        position = end
    return extents


def can_have_holes(fd: int) -> bool:
    """Return whether holes can be made in an open file, which is not changed."""
    return _punch(fd, os.fstat(fd).st_size, BLOCK_BYTES)


def clear(fd: int, start: int, end: int) -> None:
    """Make the bytes [start, end) of a file zeros: a hole if that is possible and worth its time. Raise OSError.

    Do not make the file longer, and fill no hole.
    """
    end = min(end, os.fstat(fd).st_size)
    start = _data_from(fd, start, end)
    if end - start >= PUNCHED_BYTES_MIN:
        first, last = _with_zeros_beside(fd, start, end)
        if _punch(fd, first, last - first):
            return
    while start < end:  # block by block, because SEEK_HOLE may look at all data that follow
        start += os.pwrite(fd, _ZEROS[: min(end - start, BLOCK_BYTES - start % BLOCK_BYTES)], start)
        start = _data_from(fd, start, end)


def _with_zeros_beside(fd: int, start: int, end: int) -> tuple[int, int]:
    """Extend a range to the ends of its blocks where these have zeros already: only whole blocks become free."""
    before, behind = start % BLOCK_BYTES, -end % BLOCK_BYTES
    if before and not any(os.pread(fd, before, start - before)):
        start -= before
    if behind and not any(os.pread(fd, behind, end)):
        end += behind
    return start, end


def _data_from(fd: int, start: int, end: int) -> int:
    """Return where data begin in [start, end), or end if there are none."""
    try:
        return min(os.lseek(fd, start, os.SEEK_DATA), end)
    except OSError as error:
        return end if error.errno == errno.ENXIO else start  # ENXIO: no data up to the end of the file


def _punch(fd: int, start: int, length: int) -> bool:
    fallocate = _fallocate()
    return fallocate is not None and not fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, start, length)


@cache
def _fallocate() -> Any:
    """Return the C function, with offsets of 64 bits, or None."""
    name = "fallocate64" if c_library("fallocate64") else "fallocate"  # musl has the latter only, with 64 bits
    library = c_library(name)
    if library is None:
        return None
    import ctypes

    fallocate = getattr(library, name)
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return fallocate
