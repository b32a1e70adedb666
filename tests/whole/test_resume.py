"""A run resumes an interrupted one: only what is missing is cast, and no file is ever half written."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import re
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.support.waiting import HANG_S
from tests.whole.conftest import MakeSite
from tests.whole.site import MEGABYTE, Ended, Run, Site, wait_until_gone, write_files
from tests.whole.test_interruption import FILES, version_of, write_version

TICK_S = 0.2  # then no change of before can be mistaken for one that was scanned
SEED = int(os.environ.get("MRSYNC_SEED", random.randrange(1 << 32)))
KILLS = 12


def write_big(site: Site, megabytes: int = 24) -> None:
    write_files(site.source, {"big": megabytes * MEGABYTE, **{f"small/{number}": 3000 for number in range(50)}})
    time.sleep(TICK_S)


def staged_share(site: Site, megabytes: int = 24) -> float:
    """Of the large file, at the slowest target."""
    sizes = [0] * len(site.hosts)
    for path in site.staged():
        host = Path(path).relative_to(site.folder / "dest").parts[0]
        with contextlib.suppress(FileNotFoundError):  # committed meanwhile
            sizes[site.hosts.index(host)] = max(sizes[site.hosts.index(host)], os.path.getsize(path))
    return min(sizes) / (megabytes * MEGABYTE)


def start_and_wait(
    site: Site, share: float, *options: str, megabytes: int = 24, rate: str = "16M"
) -> tuple[Run, list[int]]:
    """A run of which every target has so much."""
    run = site.start("--rate", rate, *options)
    catchers = run.catchers(len(site.hosts))
    deadline = time.monotonic() + HANG_S
    while staged_share(site, megabytes) < share:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return run, catchers


def assert_equal(site: Site, ended: Ended) -> None:
    assert ended.status == 0, ended.stderr
    assert site.all_differences() == {}
    assert site.staged() == []


def kill_master(run: Run, catchers: list[int]) -> None:
    run.kill()


def kill_catchers(run: Run, catchers: list[int]) -> None:
    for catcher in catchers:
        os.kill(catcher, signal.SIGKILL)


def interrupt(run: Run, catchers: list[int]) -> None:
    run.interrupt()


@pytest.mark.parametrize("breaks", [kill_master, kill_catchers, interrupt])
def test_after_half_of_it_the_other_half_is_cast(site: Site, breaks: Callable[[Run, list[int]], None]) -> None:
    write_big(site)
    run, catchers = start_and_wait(site, 0.5)
    breaks(run, catchers)
    run.wait()
    wait_until_gone(catchers)
    ended = site.sync()
    assert_equal(site, ended)
    assert 0.2 * ended.report["pages"] < ended.report["pages_sent"] <= 0.52 * ended.report["pages"]
    again = site.sync()
    assert_equal(site, again)
    assert again.report["pages_sent"] == 0


def test_one_target_of_three_breaks_and_only_it_needs_more(site: Site) -> None:
    write_big(site)
    run, catchers = start_and_wait(site, 0.5, "-w", "2")
    os.kill(catchers[1], signal.SIGKILL)
    assert run.wait().status == 23
    told = site.sync("-n").stderr
    assert re.fullmatch("b: warning: an interrupted run has left [\\d.]+ MB here; what is still right of .*\n", told)
    ended = site.sync()
    assert_equal(site, ended)
    assert 0 < ended.report["pages_sent"] <= 0.52 * ended.report["pages"]
    assert [ended.target(host)["files_needed"] > 0 for host in "abc"] == [False, True, False]


def test_whole_small_files_wait_for_the_next_run_too(make_site: MakeSite) -> None:
    """All or nothing, and one target hangs: the others have everything staged when all are killed."""
    site = make_site(("a", "b", "c"))
    write_files(site.source, {f"d{number % 7}/{number}": 1 + number for number in range(2000)})
    time.sleep(TICK_S)
    run = site.start("-v", 2, "--commit", "job", "-w", 60)
    catchers = run.catchers(3)
    run.wait_for(" casting$")
    os.kill(catchers[1], signal.SIGSTOP)
    deadline = time.monotonic() + HANG_S
    while sum(path.startswith(os.fspath(site.dest("b"))) is False for path in site.staged()) < 2 * 2001:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(TICK_S)  # the last of them may not be complete
    for pid in (*catchers, run.pid):
        os.kill(pid, signal.SIGKILL)
    run.wait()
    site.hosts = ("a", "c")
    ended = site.sync()
    assert (ended.status, ended.report["files_planned"], ended.report["pages_sent"]) == (0, 2000, 0)
    assert site.all_differences() == {}
    site.hosts = ("a", "b", "c")
    assert_equal(site, site.sync())


def test_a_job_that_was_called_off_is_taken_up_and_leaves_all_times(make_site: MakeSite) -> None:
    site = make_site(("a", "b"))
    write_files(site.source, {"sub/old": 1000})
    assert site.sync().status == 0
    times = {path: path.stat().st_mtime_ns for path in (site.dest("a"), site.dest("a") / "sub")}
    write_files(site.source, {f"sub/{number}": 100_000 for number in range(60)})
    time.sleep(TICK_S)
    run = site.start("-v", 2, "--commit", "job", "--rate", "16M")
    catchers = run.catchers(2)
    run.wait_for(" casting$")
    time.sleep(TICK_S)
    os.kill(catchers[1], signal.SIGKILL)
    assert run.wait().status == 23
    assert {path: path.stat().st_mtime_ns for path in times} == times
    kept = site.staged()
    assert any(path.startswith(os.fspath(site.dest("a"))) for path in kept)
    ended = site.sync("--commit", "job")
    assert_equal(site, ended)
    assert ended.report["pages_sent"] < ended.report["pages"]


def test_a_source_that_changed_meanwhile_is_not_mixed_with_old_pieces(site: Site) -> None:
    write_big(site)
    run, catchers = start_and_wait(site, 0.3)
    run.kill()
    run.wait()
    wait_until_gone(catchers)
    big = site.source / "big"
    status = big.stat()
    with open(big, "r+b") as file:
        file.write(b"changed at the beginning")
    os.utime(big, ns=(status.st_atime_ns, status.st_mtime_ns))
    ended = site.sync()
    assert_equal(site, ended)
    assert ended.report["pages_sent"] == ended.report["pages"]


def test_without_partial_everything_is_cast_again(site: Site) -> None:
    write_big(site)
    run, catchers = start_and_wait(site, 0.3, "--no-partial")
    run.kill()
    run.wait()
    wait_until_gone(catchers)
    assert site.staged() == []
    ended = site.sync()
    assert_equal(site, ended)
    assert ended.report["pages_sent"] == ended.report["pages"]


# kills in a row, and somebody who reads all the time


def watch(site: Site, pipe: Connection) -> None:
    """Read every file of every target over and over; tell how often, and what was absent or half.

    It rests between targets: on two cores it would take the time of those that it watches.
    """
    rounds, faults = 0, []
    while not pipe.poll():
        for host in site.hosts:
            for number in range(FILES):
                path = site.dest(host) / f"d{number % 4}" / f"f{number}"
                try:
                    with open(path, "rb") as file:
                        data = file.read()
                    if data != bytes(data[:1]) * (100_000 + data[0]):
                        faults.append(f"{path} is half")
                except (OSError, IndexError) as error:
                    faults.append(f"{path}: {error!r}")
            time.sleep(0.002)
        rounds += 1
    pipe.recv()
    pipe.send((rounds, faults[:10]))


@contextlib.contextmanager
def watched(site: Site) -> Iterator[None]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=watch, args=(site, theirs), daemon=True)
    process.start()
    try:
        yield
        ours.send("enough")
        assert ours.poll(30)
        rounds, faults = ours.recv()
    finally:
        process.kill()
    assert faults == []
    assert rounds > KILLS


def kill_at_some_moment(site: Site, chance: random.Random, *options: str) -> str:
    """A run that is killed; returns how."""
    phase, longest_s = chance.choice(
        [("", 0.3), ("comparing", 0.05), ("casting", 0.4), ("casting", 0.4), ("casting", 0.4), ("finishing", 0.03)]
    )
    wait_s = chance.uniform(0, longest_s)
    victims = chance.choice(["master", "a target", "both"])
    run = site.start("--rate", "8M", "-v", 2, "-w", 2, *options)
    catchers = run.catchers(len(site.hosts))
    if phase:
        run.wait_for(f" {phase}$")
    time.sleep(wait_s)
    if victims != "master":
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(catchers), signal.SIGKILL)
    if victims != "a target":
        run.kill()
    ended = run.wait()
    wait_until_gone(catchers)
    return f"{victims} killed {wait_s:.3f} s after {phase or 'the start'}: {ended.status}"


def test_killed_at_any_moment_nothing_is_lost_or_half(make_site: MakeSite) -> None:
    print(f"MRSYNC_SEED={SEED}")
    chance = random.Random(SEED)
    site = make_site(("a", "b"))
    write_version(site.source, 1)
    assert site.sync().status == 0
    with watched(site):
        for turn in range(KILLS):
            write_version(site.source, 2 + turn)
            print(turn, kill_at_some_moment(site, chance))
            for host in site.hosts:
                versions = {version_of(site.dest(host) / f"d{number % 4}" / f"f{number}") for number in range(FILES)}
                assert versions <= {1 + turn, 2 + turn}
            assert_equal(site, site.sync())
