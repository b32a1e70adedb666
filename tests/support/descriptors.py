"""A process that may open few files, or that has very many open."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

FD_SETSIZE = 1024  # of select(2)


@contextmanager
def limit_of_descriptors(count: int) -> Iterator[None]:
    """Let this process open files up to this number."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and count > hard:
        pytest.skip(f"needs {count} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def only_high_descriptors() -> Iterator[None]:
    """Have all files that are opened get numbers that select(2) cannot take, as beside hundreds of remote shells."""
    with limit_of_descriptors(2 * FD_SETSIZE):
        taken = [os.open(os.devnull, os.O_RDONLY)]
        while taken[-1] < FD_SETSIZE:
            taken.append(os.dup(taken[0]))
        try:
            yield
        finally:
            for descriptor in taken:
                os.close(descriptor)
