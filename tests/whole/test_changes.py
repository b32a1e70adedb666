"""A source that changes while it is cast: nobody gets a file that never was."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.whole.site import Ended, Site

MEGABYTE = 1 << 20
LATE = 2 * MEGABYTE  # what is cast before the next file is reached: half a second
BEING_READ, NOT_READ_YET = "1 being read", "2 not read yet"
NAMES = ("0 first", BEING_READ, NOT_READ_YET, "3 last")


def grow(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 1000)


def overwrite(path: Path) -> None:
    """In place, with the size as it was."""
    with open(path, "r+b") as file:
        file.write(os.urandom(path.stat().st_size))


def rewrite(path: Path) -> None:
    """In place, with size and time as they were: only ctime tells."""
    seen = path.stat()
    overwrite(path)
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replace(path: Path) -> None:
    """As editors and package managers do."""
    seen = path.stat()
    new = path.with_name("new")
    new.write_bytes(os.urandom(seen.st_size))
    os.utime(new, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    new.rename(path)


def vanish(path: Path) -> None:
    path.unlink()


def become_a_link(path: Path) -> None:
    """To another file of the same size: it must not be followed."""
    twin = path.with_name("twin")
    twin.write_bytes(os.urandom(path.stat().st_size))
    path.unlink()
    path.symlink_to("twin")


def wait_until_staged(site: Site, size: int) -> None:
    """Until some target has begun a file and holds so many bytes of it."""
    deadline = time.monotonic() + 20
    while not any(staged >= size for staged in site.staged_sizes()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def cast_while_it_changes(site: Site, name: str, change: Callable[[Path], None]) -> tuple[Ended, dict[str, bytes]]:
    """Cast new versions of NAMES, one of which changes meanwhile; how it ended, what the files held before."""
    site.source.mkdir()
    for each in NAMES:
        (site.source / each).write_bytes(each.encode())
    assert site.sync().status == 0
    for each, size in zip(NAMES, (1000, LATE, MEGABYTE, 1000), strict=True):
        (site.source / each).write_bytes(os.urandom(size))
    read = {each: (site.source / each).read_bytes() for each in NAMES}
    run = site.start("--rate", "4M")
    wait_until_staged(site, LATE // 4)
    change(site.source / name)
    return run.wait(), read


@pytest.mark.parametrize(
    ("name", "change"),
    [(BEING_READ, each) for each in (grow, shrink, overwrite, rewrite, replace, vanish, become_a_link)]
    + [(NOT_READ_YET, each) for each in (grow, shrink, overwrite, vanish, become_a_link)],
)
def test_a_file_that_changes_is_changed_by_nobody(site: Site, name: str, change: Callable[[Path], None]) -> None:
    ended, read = cast_while_it_changes(site, name, change)
    assert ended.status == 24, ended.stderr
    assert name in ended.stderr
    assert ended.stderr.splitlines()[-1] == "mrsync: 1 source files vanished or changed while they were read"
    assert [warning for warning in ended.report["warnings"] if name in warning]
    assert site.staged() == []
    for host in site.hosts:
        assert ended.target(host)["state"] == "done"
        for each in NAMES:
            assert (site.dest(host) / each).read_bytes() == (each.encode() if each == name else read[each])
    assert site.sync().status == 0
    assert site.all_differences() == {}


@pytest.mark.parametrize("change", [rewrite, replace])
def test_what_looks_as_scanned_when_it_is_opened_is_cast_as_it_is_then(
    site: Site, change: Callable[[Path], None]
) -> None:
    """Size and time are all that a scan remembers; the file is whole, if not the one that was there first."""
    ended, read = cast_while_it_changes(site, NOT_READ_YET, change)
    assert ended.status == 0, ended.stderr
    assert (site.source / NOT_READ_YET).read_bytes() != read[NOT_READ_YET]
    for host in site.hosts:
        for each in NAMES:
            assert (site.dest(host) / each).read_bytes() == (site.source / each).read_bytes()
