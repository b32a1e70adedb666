"""Find where a file has data, because holes are not cast."""

from __future__ import annotations

import errno
import os

HOLE_BYTES_MIN = 64 << 10  # a smaller hole costs less when it is sent as zeros


def data_extents(fd: int, size: int) -> list[tuple[int, int]]:
    """Return (offset, length) of a file's data in order; the whole file if holes are not supported."""
    extents: list[tuple[int, int]] = []
    position = 0
    while position < size:
        try:
            start = os.lseek(fd, position, os.SEEK_DATA)
            end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        except SystemError:  # Linux returns a negative offset near the end of 8 EiB, and CPython does not expect that
            return [(0, size)]
        except OSError as error:
            if error.errno == errno.ENXIO:  # no data up to the end
                break
            return [(0, size)]  # holes are not supported, or the disk fails: reading the data will report it
        if start >= size:
            break
        if extents and start - sum(extents[-1]) < HOLE_BYTES_MIN:
            start = extents.pop()[0]
        extents.append((start, end - start))
        position = end
    return extents
