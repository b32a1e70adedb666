"""A cache of descriptors closes the least recently used one, and calls back before it does."""

from __future__ import annotations

import os

import pytest

from mrsync.tree.fs.fdcache import FdCache


def opened() -> int:
    return os.open(os.devnull, os.O_RDONLY)


def test_the_least_recently_used_one_goes() -> None:
    evicted: list[int] = []
    cache = FdCache(2, lambda key, fd: evicted.append(key) if os.fstat(fd) else None)
    first = opened()
    cache.put(1, first)
    cache.put(2, opened())
    assert cache.get(1) == first
    cache.put(3, opened())
    assert evicted == [2]
    assert 2 not in cache
    cache.put(4, opened(), kept=(1, 3))
    cache.close(1)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(first)
    cache.close_all()
    assert all(key not in cache for key in range(5))
    assert cache.get(3) is None


def test_an_error_on_closing_belongs_to_its_own_key() -> None:
    """NFS may tell only at close that data was lost. The key that needed room has nothing to do with it."""
    cache = FdCache(1)
    broken, fine = opened(), opened()
    cache.put(1, broken)
    os.close(broken)
    cache.put(2, fine)
    assert cache.get(2) == fine
    with pytest.raises(OSError, match="Bad file"):
        cache.get(1)
    assert cache.get(1) is None
    cache.close_all()
