"""Caches of descriptors leave room for everything else, however few a process may have."""

from __future__ import annotations

import resource

import pytest

from mrsync.tree.fs import descriptors
from mrsync.tree.fs.descriptors import CACHES, KEPT_MIN, RESERVED, cache_limit, raise_descriptor_limit


@pytest.mark.parametrize("soft", [1, 32, 64, 256, 1024, 1 << 20, resource.RLIM_INFINITY])
def test_all_caches_fit_below_the_limit(soft: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, soft))
    kept = cache_limit(128)
    assert kept == KEPT_MIN or soft == resource.RLIM_INFINITY or CACHES * kept + RESERVED <= soft
    assert KEPT_MIN <= kept <= 128
    assert cache_limit(1) == 1


def test_the_limit_is_raised_as_far_as_it_may_be() -> None:
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 200), hard))
        raise_descriptor_limit()
        wanted = descriptors.ENOUGH if hard == resource.RLIM_INFINITY else min(hard, descriptors.ENOUGH)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
