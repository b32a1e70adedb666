"""Manage the limit of open files of this process, and the share of it that a cache may use."""

from __future__ import annotations

import resource
from contextlib import suppress

ENOUGH = 1 << 16  # more is of no use here, and some programs try to close every possible descriptor
RESERVED = 24  # for sockets, pipes, the journal, and files that are open for a moment
CACHES = 5  # that may be full at the same time: caches, and files that are made together
KEPT_MIN = 4  # two directories that are needed at once, and their parents


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # otherwise the caches are smaller
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cache_limit(most: int) -> int:
    """Return the size of a cache that would keep `most` descriptors, limited by the process's limit of open files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    return min(most, max(KEPT_MIN, (soft - RESERVED) // CACHES))
