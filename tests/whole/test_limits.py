"""Files of absurd sizes: they cost themselves, not the session."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.site import Site

LARGEST = (1 << 63) - 1
MEMORY = Path("/dev/shm")  # a tmpfs takes files of any size


@pytest.fixture
def memory_site() -> Iterator[Site]:
    if not MEMORY.is_dir():
        pytest.skip("there is no /dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="mrsync-limits-", dir=MEMORY))
    site = Site(folder, ("a", "b"))
    site.source.mkdir()
    (site.source / "small").write_text("small")
    yield site
    shutil.rmtree(folder)


def make_huge(path: Path, size: int) -> None:
    with open(path, "wb") as file:
        file.write(b"data")
        os.truncate(path, size)


@pytest.mark.parametrize("options", [(), ("--delta",), ("--commit", "job"), ("--sparse",), ("--no-partial",)])
def test_holes_of_any_size_are_cast(memory_site: Site, options: tuple[str, ...]) -> None:
    """One of 4 EiB is more than a contents object could be, three of the largest more than 64 bits can count."""
    for name in ("1", "2", "3"):
        make_huge(memory_site.source / name, LARGEST)
    make_huge(memory_site.source / "4", 1 << 62)
    ended = memory_site.sync(*options)
    assert ended.status == 0, ended.stderr
    for host in memory_site.hosts:
        for name in ("1", "2", "3", "4"):
            made = memory_site.dest(host) / name
            assert made.stat().st_size == (memory_site.source / name).stat().st_size
            assert made.stat().st_blocks <= 16
            with open(made, "rb") as file:
                assert file.read(5) == b"data\0"
    ended = memory_site.sync("-n")
    assert (ended.status, ended.report["files_planned"]) == (0, 0)


def test_a_dry_run_counts_them(memory_site: Site) -> None:
    for name in ("1", "2", "3"):
        make_huge(memory_site.source / name, LARGEST)
    ended = memory_site.sync("-n")
    assert ended.status == 0, ended.stderr
    assert ended.target("a")["bytes_needed"] == (1 << 64) - 1  # and no more


def test_what_a_target_cannot_hold_costs_only_itself(site: Site, memory_site: Site) -> None:
    """File systems on disks have smaller limits."""
    site.source = memory_site.source
    make_huge(site.source / "huge", LARGEST)
    probe = site.folder / "probe"
    probe.touch()
    try:
        os.truncate(probe, LARGEST)
    except OSError:
        ended = site.sync()
        assert ended.status == 23, ended.stderr
        for host in site.hosts:
            assert [(each["path"], each["error"]) for each in ended.target(host)["sat_out"]] == [("huge", "EFBIG")]
            assert (site.dest(host) / "small").read_text() == "small"
    else:
        pytest.skip("this file system takes files of any size, too")
