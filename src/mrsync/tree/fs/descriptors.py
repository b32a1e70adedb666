"""Manage the limit of open files of this process, and the share of it that a cache may use."""

from __future__ import annotations

import resource
from contextlib import suppress

ENOUGH = 1 << 16  # more is of no use here, and some programs walk through all there may be
RESERVED = 24  # for sockets, pipes, the journal, and what is open for a moment
CACHES = 4  # that are full at the same time
KEPT_MIN = 4  # two directories that are needed at once, and the way to them


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # then the caches are smaller
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def cache_limit(most: int) -> int:
    """How many descriptors a cache keeps that would like to keep so many."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    return min(most, max(KEPT_MIN, (soft - RESERVED) // CACHES))
