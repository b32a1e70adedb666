"""--drop-cache: neither the master nor a target keeps in memory what was copied."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.page_cache import cached_bytes
from tests.whole.site import MEGABYTE, Site

SIZE = 20 * MEGABYTE + 1


@pytest.mark.parametrize("options", [(), ("--sparse",)], ids=["plain", "sparse"])
def test_nothing_of_a_large_file_stays_in_memory(tmp_path: Path, options: tuple[str, ...]) -> None:
    site = Site(tmp_path, ("a",))
    site.source.mkdir()
    big = site.source / "big"
    with open(big, "wb") as file:
        file.write(os.urandom(SIZE))
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cached_bytes(big):
        pytest.skip("this file system keeps all files in memory")
    assert site.sync("--drop-cache", *options).status == 0
    assert cached_bytes(big) == 0
    assert cached_bytes(site.dest("a") / "big") == 0
    assert site.all_differences() == {}
