"""A source that changes while it is cast: nobody gets a file that never was."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.waiting import HANG_S
from tests.whole.site import Ended, Site

MEGABYTE = 1 << 20
WRITE_ONLY = Path("/sys/bus/cpu/drivers_probe")
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
    """Wait until some target has begun a file and holds this many bytes of it."""
    deadline = time.monotonic() + HANG_S
    while not any(staged >= size for staged in site.staged_sizes()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def cast_while_it_changes(
    site: Site, name: str, change: Callable[[Path], None], *options: str
) -> tuple[Ended, dict[str, bytes]]:
    """Cast new versions of NAMES, one of which changes meanwhile; how it ended, what the files held before."""
    site.source.mkdir()
    for each in NAMES:
        (site.source / each).write_bytes(each.encode())
    assert site.sync().status == 0
    for each, size in zip(NAMES, (1000, LATE, MEGABYTE, 1000), strict=True):
        (site.source / each).write_bytes(os.urandom(size))
    read = {each: (site.source / each).read_bytes() for each in NAMES}
    run = site.start("--rate", "2M", "-v", 1, *options)
    wait_until_staged(site, LATE // 4)
    change(site.source / name)
    return run.wait(), read


@pytest.mark.parametrize(
    ("name", "change"),
    [(BEING_READ, each) for each in (grow, shrink, overwrite, rewrite, replace)]
    + [(NOT_READ_YET, each) for each in (grow, shrink)],
)
def test_a_file_that_changes_is_cast_once_more(site: Site, name: str, change: Callable[[Path], None]) -> None:
    ended, _ = cast_while_it_changes(site, name, change)
    assert ended.status == 0, ended.stderr
    assert ended.report["warnings"] == []
    assert f"{name}: it" in ended.stderr
    assert "while it was read; it will be sent again" in ended.stderr
    assert site.staged() == []
    assert {ended.target(host)["state"] for host in site.hosts} == {"done"}
    for host in site.hosts:  # a new name also changes the directory's time, which nobody looks at again
        assert [line for line in site.differences(host) if not line.startswith("time of b'.'")] == []
    noop = site.sync()
    assert (noop.status, noop.report["files_planned"]) == (0, 0)
    assert site.all_differences() == {}


@pytest.mark.parametrize("name", [BEING_READ, NOT_READ_YET])
@pytest.mark.parametrize("change", [vanish, become_a_link])
def test_vanished_file_is_changed_on_no_target(site: Site, name: str, change: Callable[[Path], None]) -> None:
    ended, read = cast_while_it_changes(site, name, change)
    assert ended.status == 24, ended.stderr
    assert name in ended.stderr
    assert ended.stderr.splitlines()[-1] == "mrsync: 1 source file vanished or changed while it was read"
    assert [warning for warning in ended.report["warnings"] if name in warning]
    assert site.staged() == []
    for host in site.hosts:
        assert ended.target(host)["state"] == "done"
        for each in NAMES:
            assert (site.dest(host) / each).read_bytes() == (each.encode() if each == name else read[each])
    assert site.sync().status == 0
    assert site.all_differences() == {}


def cast_while(site: Site, keep_changing: Callable[[Path], None], *options: str) -> Ended:
    """Cast a file `log`, which changes all the time, and another one."""
    (site.source / "other").write_bytes(os.urandom(LATE))
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.01):
            keep_changing(site.source / "log")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return site.sync("--rate", "4M", *options)
    finally:
        done.set()
        writer.join()


@pytest.mark.parametrize("rule", ["file", "each", "job"])
def test_a_log_that_grows_all_the_time_comes_as_it_was(site: Site, rule: str) -> None:
    """Not what it is at the end of the run, but what it was at one moment."""
    site.source.mkdir()
    (site.source / "log").write_bytes(os.urandom(MEGABYTE))
    (site.source / "log link").hardlink_to(site.source / "log")
    ended = cast_while(site, grow, "--commit", rule)
    assert ended.status == 24, ended.stderr
    assert ended.stderr.splitlines()[-1] == "mrsync: 1 source file vanished or changed while it was read"
    assert ended.report["warnings"] == ["log: it keeps growing; targets get what it contained when it was opened"]
    now = (site.source / "log").read_bytes()
    for host in site.hosts:
        assert ended.target(host)["state"] == "done"
        assert (site.dest(host) / "other").read_bytes() == (site.source / "other").read_bytes()
        then = (site.dest(host) / "log").read_bytes()
        assert MEGABYTE < len(then) < len(now)
        assert now.startswith(then)
        assert (site.dest(host) / "log").samefile(site.dest(host) / "log link")
    assert site.staged() == []
    assert site.sync().status == 0
    assert site.all_differences() == {}


def test_a_file_that_is_overwritten_all_the_time_is_skipped(site: Site) -> None:
    """It grows, too, but what is read of it was never in it at one moment."""
    site.source.mkdir()
    (site.source / "log").write_bytes(b"old" * 100)

    def overwrite_and_grow(path: Path) -> None:
        with open(path, "r+b") as file:
            file.write(os.urandom(100))
        grow(path)

    ended = cast_while(site, overwrite_and_grow)
    assert ended.status == 24, ended.stderr
    assert len(ended.report["warnings"]) == 1
    assert ended.report["warnings"][0].startswith("log: it was written to")
    assert ended.report["warnings"][0].endswith("; it is skipped on all targets")
    for host in site.hosts:
        assert ended.target(host)["state"] == "done"
        assert (site.dest(host) / "other").read_bytes() == (site.source / "other").read_bytes()
        assert not (site.dest(host) / "log").exists()
    assert site.sync().status == 0
    assert site.all_differences() == {}


@pytest.mark.skipif(not WRITE_ONLY.exists(), reason="needs sysfs")
@pytest.mark.parametrize("rule", ["file", "each"])
def test_an_unreadable_file_does_not_count_as_a_change(site: Site, rule: str) -> None:
    """Not even root may. rsync's status is 23: 24 would pass for success."""
    site.source = Path("/sys/bus/cpu")
    (site.folder / "list").write_text("drivers_probe\n")
    for host in site.hosts:
        site.dest(host).mkdir()
        (site.dest(host) / "drivers_probe").write_text("old")
    ended = site.sync("--files-from", site.folder / "list", "--commit", rule)
    assert ended.status == 23, ended.stderr
    sentence = "drivers_probe: it cannot be read (Permission denied); it is skipped on all targets"
    assert ended.report["warnings"] == [sentence]
    assert ended.stderr.splitlines()[-1] == "mrsync: 1 file or directory of the source could not be read"
    assert [(site.dest(host) / "drivers_probe").read_text() for host in site.hosts] == ["old"] * len(site.hosts)


def test_all_that_is_kept_of_a_file_is_cast_once_more(site: Site) -> None:
    """Mode, times, holes and all its names; also files without data, and names that are new on a target."""
    site.source.mkdir()
    (site.source / "0 first").write_bytes(os.urandom(LATE))
    for name in ("empty", "sparse", "a name", "no longer empty"):
        (site.source / name).write_bytes(b"" if "empty" in name else b"old")
    (site.source / "dir").mkdir()
    (site.source / "dir" / "z name").hardlink_to(site.source / "a name")
    run = site.start("--rate", "4M", "-v", 1)
    wait_until_staged(site, LATE // 4)
    (site.source / "empty").chmod(0o4711)
    os.utime(site.source / "empty", ns=(5, 10**18 + 1))
    (site.source / "no longer empty").write_bytes(b"12345")
    with open(site.source / "sparse", "r+b") as file:
        file.seek(5 * MEGABYTE)
        file.write(b"the end")
    with open(site.source / "a name", "ab") as file:
        file.write(b" and new")
    (site.source / "a name").chmod(0o640)
    ended = run.wait()
    assert ended.status == 0, ended.stderr
    assert ended.stderr.count("will be sent again") == 4
    assert site.all_differences() == {}
    for host in site.hosts:
        assert (site.dest(host) / "sparse").stat().st_blocks * 512 < MEGABYTE
        assert (site.dest(host) / "a name").samefile(site.dest(host) / "dir" / "z name")


def test_a_target_that_had_the_file_gets_its_new_version(site: Site) -> None:
    """Only one needed it when the run began; when it changes, all do."""
    site.source.mkdir()
    for name, size in (("a", LATE), ("b", MEGABYTE), ("c link", 10)):
        (site.source / name).write_bytes(os.urandom(size))
    (site.source / "b link").hardlink_to(site.source / "b")
    assert site.sync().status == 0
    (site.source / "a").write_bytes(os.urandom(LATE))
    (site.dest("b") / "b").write_bytes(b"spoilt")
    (site.dest("c") / "b link").unlink()
    (site.dest("c") / "b link").write_bytes(b"spoilt")
    run = site.start("--rate", "4M")
    wait_until_staged(site, LATE // 4)
    overwrite(site.source / "b")
    ended = run.wait()
    assert ended.status == 0, ended.stderr
    assert site.all_differences() == {}
    for host in site.hosts:
        assert (site.dest(host) / "b").samefile(site.dest(host) / "b link")


def test_a_broken_hard_link_group_is_sent_under_its_remaining_names(site: Site) -> None:
    site.source.mkdir()
    (site.source / "a").write_bytes(os.urandom(LATE))
    (site.source / "b").write_bytes(b"old")
    (site.source / "b link").hardlink_to(site.source / "b")
    assert site.sync().status == 0
    (site.source / "a").write_bytes(os.urandom(LATE))
    (site.source / "b").write_bytes(b"new")
    run = site.start("--rate", "4M")
    wait_until_staged(site, LATE // 4)
    (site.source / "b").unlink()
    (site.source / "b").write_bytes(b"another file")
    ended = run.wait()
    assert ended.status == 24
    assert ended.report["warnings"] == ["b: it was replaced; targets get it as one of the names of its file"]
    for host in site.hosts:
        assert (site.dest(host) / "b").read_bytes() == (site.dest(host) / "b link").read_bytes() == b"new"
    assert site.sync().status == 0
    assert site.all_differences() == {}


@pytest.mark.parametrize("rule", ["each", "job"])
def test_a_file_that_changes_is_cast_once_more_under_every_rule(site: Site, rule: str) -> None:
    ended, _ = cast_while_it_changes(site, BEING_READ, overwrite, "--commit", rule)
    assert ended.status == 0, ended.stderr
    assert site.all_differences() == {}


def test_all_or_nothing_is_nothing_when_a_file_vanishes(site: Site) -> None:
    ended, _ = cast_while_it_changes(site, BEING_READ, vanish, "--commit", "job")
    assert ended.status == 23
    why = "a source file vanished, cannot be read, or changes again and again"
    for host in site.hosts:
        assert ended.target(host)["reason"] == f"nothing was changed on any target: {why}"
        for each in NAMES:
            assert (site.dest(host) / each).read_bytes() == each.encode()


@pytest.mark.parametrize("change", [rewrite, replace])
def test_files_are_sent_as_they_are_when_opened(site: Site, change: Callable[[Path], None]) -> None:
    """Size and time are all that a scan remembers; the file is whole, if not the one that was there first."""
    ended, read = cast_while_it_changes(site, NOT_READ_YET, change)
    assert ended.status == 0, ended.stderr
    assert (site.source / NOT_READ_YET).read_bytes() != read[NOT_READ_YET]
    for host in site.hosts:
        for each in NAMES:
            assert (site.dest(host) / each).read_bytes() == (site.source / each).read_bytes()
