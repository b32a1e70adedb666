"""--delta: targets take from older copies what these share, as the pages and bytes of the report show."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.whole.site import MEGABYTE, Ended, Site

MEGABYTES = 12


@pytest.fixture
def big(site: Site) -> Path:
    """A large file that all targets have."""
    site.source.mkdir()
    path = site.source / "big"
    with open(path, "wb") as file:
        for _ in range(MEGABYTES):
            file.write(os.urandom(MEGABYTE))
    assert site.sync().status == 0
    return path


def append_a_byte(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"x")


def change_a_megabyte(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(MEGABYTES // 2 * MEGABYTE + 12345)
        file.write(os.urandom(MEGABYTE))


def insert_a_line(path: Path) -> None:
    data = path.read_bytes()
    at = random.randrange(len(data))
    path.write_bytes(data[:at] + b"a line\n" + data[at:])


def cut_in_half(path: Path) -> None:
    os.truncate(path, MEGABYTES // 2 * MEGABYTE)


def check(site: Site, ended: Ended) -> None:
    assert ended.status == 0, ended.stderr
    assert site.all_differences() == {}
    assert site.staged() == []


@pytest.mark.parametrize(
    ("change", "pages"),
    [(os.utime, 0), (append_a_byte, 2), (change_a_megabyte, 18), (insert_a_line, 3), (cut_in_half, 1)],
)
def test_only_changed_pages_are_cast(site: Site, big: Path, change: Callable[[Path], None], pages: int) -> None:
    change(big)
    ended = site.sync("--delta")
    check(site, ended)
    assert ended.report["pages_sent"] <= pages
    told = 18 * ended.report["pages"] + MEGABYTE  # digests, and what is told again and again while targets read
    assert ended.report["bytes_sent"] < 70_000 * ended.report["pages_sent"] + told
    again = site.sync("--delta")
    check(site, again)
    assert again.report["pages_sent"] == again.report["files_planned"] == 0


def test_target_without_an_old_version_gets_the_whole_file(site: Site, big: Path) -> None:
    (site.dest("b") / "big").unlink()
    append_a_byte(big)
    ended = site.sync("--delta")
    check(site, ended)
    assert ended.report["pages_sent"] == ended.report["pages"]


def test_others_have_other_old_copies(site: Site, big: Path) -> None:
    """What each lacks is cast once, to all."""
    for number, host in enumerate(site.hosts):
        with open(site.dest(host) / "big", "r+b") as file:
            file.seek((1 + 4 * number) * MEGABYTE)
            file.write(os.urandom(MEGABYTE))
        os.utime(site.dest(host) / "big", (1, 1))
    ended = site.sync("--delta")
    check(site, ended)
    assert 3 * 16 <= ended.report["pages_sent"] <= 3 * 18


def test_a_delta_that_breaks_is_taken_up(site: Site, big: Path) -> None:
    data = big.read_bytes()
    half = len(data) // 2
    big.write_bytes(os.urandom(half) + data[half:])
    time.sleep(0.2)  # no change of before can be mistaken for one that was scanned
    run = site.start("--delta", "--rate", "6M", "-v", 2)
    catchers = run.catchers(3)
    run.wait_for(" casting$")
    time.sleep(0.5)
    for pid in (run.pid, *catchers):
        os.kill(pid, signal.SIGKILL)
    run.wait()
    ended = site.sync("--delta")
    check(site, ended)
    assert 0 < ended.report["pages_sent"] <= 0.45 * ended.report["pages"]


def test_without_delta_all_of_it_is_cast(site: Site, big: Path) -> None:
    append_a_byte(big)
    ended = site.sync()
    check(site, ended)
    assert ended.report["pages_sent"] == ended.report["pages"]


def test_a_dry_run_reads_nothing(site: Site, big: Path) -> None:
    append_a_byte(big)
    ended = site.sync("--delta", "-n")
    assert (ended.status, ended.report["pages_sent"]) == (0, 0)
    assert ended.target("a")["files_needed"] == 1
