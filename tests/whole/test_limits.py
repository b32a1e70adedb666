"""Files of absurd sizes fail alone, and the session goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import Argument, program
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


def test_names_that_a_target_cannot_hold_affect_nothing_else(site: Site, memory_site: Site) -> None:
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


def with_limit(name: str, *arguments: Argument, limit: str) -> list[str]:
    """A program as it would be if a limit were smaller: `module.NAME = value`."""
    module = limit.partition(" ")[0].rpartition(".")[0]
    python, option, start, source, *rest = program(name, *arguments)
    lower = f"import sys; sys.path.insert(0, sys.argv[1]); import {module}; {limit}; "
    return [python, option, lower + start, source, *rest]


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        (
            "mrsync.tree.source.scanner.ENTRIES_MAX = 3",
            "there are more than 3 entries in SOURCE; sync parts of it",
        ),
        (
            "mrsync.tree.model.packing.UNPACKED_BYTES_MAX = 100",
            "the list of entries takes more than 0 GiB; sync parts of SOURCE",
        ),
        (
            "mrsync.run.cast.supply.PLANNED_PAGES_MAX = 2",
            "the targets need more than 0 TiB, the limit of one session; sync parts of SOURCE",
        ),
    ],
)
def test_more_than_one_session_can_cast_is_one_sentence(site: Site, limit: str, sentence: str) -> None:
    """Before any contents are cast; catchers that were started by hand are told if they have joined by then."""
    site.source.mkdir()
    for name in "abc":
        (site.source / name).write_bytes(os.urandom(100_000))
    site.dest("a").mkdir()
    (site.dest("a") / "kept").touch()
    common = ("-A", site.group, "-P", site.port, "-I", "lo", "--insecure")
    with subprocess.Popen(
        program("multicatcher", "-t", site.dest("a"), "-i", 0, *common), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as catcher:
        assert catcher.stdout is not None
        assert b"ready" in catcher.stdout.readline()
        cast = with_limit("multicaster", "-m", "a", "-s", site.source, "-L", *common, limit=limit)
        ended = subprocess.run(cast, capture_output=True, text=True, timeout=50, check=False)
        if "PAGES" not in limit:
            catcher.terminate()  # it may have had no time to join, and wait for another master
        _, stderr = catcher.communicate(timeout=50)
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (1, f"multicaster: {sentence}")
    assert catcher.returncode in ((20,) if "PAGES" in limit else (20, 23))  # 23: ended by us, but it had joined
    # A status that says the end may come before the farewell that says why.
    told = sentence in stderr.decode() or "the master ended the session" in stderr.decode()
    assert told or "PAGES" not in limit
    assert os.listdir(site.dest("a")) == ["kept"]
