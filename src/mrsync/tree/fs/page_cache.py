"""Have the kernel forget data that was copied, so that its page cache keeps what others need (--drop-cache).

The kernel forgets only pages that are on the disk. Written data is therefore synced first, step by step, so that the
amount that waits for the disk stays small. Small files are not worth a sync each, so their data stays in the cache.
"""

from __future__ import annotations

import os

STEP_BYTES = 8 << 20


def forget_read(fd: int, position: int, length: int, *, is_end: bool) -> None:
    """Drop what was read from the page cache, whenever a step of STEP_BYTES of the file is complete.

    position, length: the bytes of the file that were read now, in order. is_end: they were the last ones.
    """
    if is_end:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    elif _ends_step(position, length):
        _forget_step(fd, position + length)


def forget_written(fd: int, position: int, length: int) -> None:
    """Do what forget_read does for bytes that were written; sync them first. Raise OSError if that fails."""
    if _ends_step(position, length):
        os.fdatasync(fd)
        _forget_step(fd, position + length)


def forget_whole(fd: int, size: int) -> None:
    """Sync and forget a written file that has at least one step. Raise OSError if the sync fails."""
    if size >= STEP_BYTES:
        os.fdatasync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def _ends_step(position: int, length: int) -> bool:
    return position // STEP_BYTES != (position + length) // STEP_BYTES


def _forget_step(fd: int, end: int) -> None:
    """Forget the last complete step before this offset, and the one before it: its last pages may have been in use."""
    boundary = end // STEP_BYTES * STEP_BYTES
    first = max(0, boundary - 2 * STEP_BYTES)
    os.posix_fadvise(fd, first, boundary - first, os.POSIX_FADV_DONTNEED)
