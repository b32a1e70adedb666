"""--commit: each for itself, file by file, or all or nothing; with targets that have no room or die."""

from __future__ import annotations

import glob
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.waiting import HANG_S
from tests.trees import differences
from tests.whole.conftest import MakeSite
from tests.whole.site import MEGABYTE, Ended, Run, Site, wait_until_gone, write_files
from tests.whole.test_interruption import FILES, version_of, write_version
from tests.whole.test_resume import SEED, watched

SLOW = ("--rate", "8M", "-v", 2)
OLD = {"a small": 1000, "big": 1000, "dir/in it": 500, "extra": 10, "z small": 1000}
JOB = ("--commit", "job", "--no-partial")  # what is kept for the next run would be a trace
NEW = {"a small": 2000, "big": 4 * MEGABYTE, "dir/in it": 600, "new dir/new": 700, "z small": 3000}


def write_versions(site: Site) -> None:
    """Equal trees at first; then a source with new, changed and deleted files, links and modes."""
    write_files(site.source, OLD)
    (site.source / "link").symlink_to("big")
    assert site.sync().status == 0
    for host in site.hosts:
        subprocess.run(["cp", "-a", site.dest(host), site.folder / f"before {host}"], check=True)
    (site.source / "extra").unlink()
    (site.source / "link").unlink()
    (site.source / "link").symlink_to("z small")
    (site.source / "dir").chmod(0o711)
    write_files(site.source, NEW)


def assert_untouched(site: Site, hosts: str) -> None:
    """Everything is as it was, down to the times of directories."""
    for host in hosts:
        assert differences(site.folder / f"before {host}", site.dest(host)) == []
    assert site.staged() == []


def assert_withdrawn(ended: Ended, hosts: str, why: str) -> None:
    assert ended.status == 23
    for host in hosts:
        assert ended.target(host)["state"] == "partial"
        assert ended.target(host)["reason"] == f"nothing was changed on any target: {why}"
        assert (ended.target(host)["files_updated"], ended.target(host)["deleted"]) == (0, 0)
    assert f"nothing was changed on any target: {why}" in ended.stderr


def test_each_takes_what_it_can(crowded: Site) -> None:
    write_versions(crowded)
    ended = crowded.sync("--commit", "each")
    assert ended.status == 23
    assert [ended.target(host)["state"] for host in crowded.hosts] == ["done", "done", "partial"]
    assert [file["path"] for file in ended.target("c")["sat_out"]] == ["big"]
    assert crowded.differences("a") == crowded.differences("b") == []
    assert all("big" in line for line in crowded.differences("c"))
    assert (crowded.dest("c") / "big").stat().st_size == OLD["big"]
    assert crowded.staged() == []


def test_a_dry_run_foresees_what_has_no_room(crowded: Site) -> None:
    write_versions(crowded)
    foreseen, ended = crowded.sync("-n"), crowded.sync()
    sentence = "big: cannot write: No space left on device"
    assert (foreseen.status, ended.status) == (23, 23)
    assert sentence in foreseen.stderr
    assert sentence in ended.stderr


def test_all_files_at_the_end_and_what_one_cannot_take_nowhere(crowded: Site) -> None:
    write_versions(crowded)
    ended = crowded.sync("--commit", "end")
    assert ended.status == 23
    for host in crowded.hosts:
        assert (crowded.dest(host) / "big").stat().st_size == OLD["big"]
        assert all("big" in line for line in crowded.differences(host))
    assert crowded.staged() == []


def test_commit_each_waits_for_no_target(site: Site) -> None:
    """One hangs, the others have their files while it still counts."""
    write_files(site.source, {f"{number:03}": MEGABYTE // 4 for number in range(16)})
    run = site.start(*SLOW, "--commit", "each", "-w", 8)
    victim = run.catchers(3)[1]
    run.wait_for("phase casting")
    os.kill(victim, signal.SIGSTOP)
    names = sorted(os.listdir(site.source))
    wait_for(lambda: all(sorted(glob.glob("*", root_dir=site.dest(host))) == names for host in "ac"), run)
    os.kill(victim, signal.SIGCONT)
    assert run.wait().status == 0
    assert site.all_differences() == {}


def wait_for(claim: Callable[[], bool], run: Run, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < deadline, run.stderr
        time.sleep(0.02)


def test_all_or_nothing_is_all(site: Site) -> None:
    write_versions(site)
    ended = site.sync(*JOB)
    assert ended.status == 0, ended.stderr
    assert site.all_differences() == {}


def test_one_has_no_room_and_nothing_is_changed_anywhere(crowded: Site) -> None:
    write_versions(crowded)
    ended = crowded.sync(*JOB)
    assert_withdrawn(ended, "abc", "c cannot take a file: ENOSPC")
    assert [file["path"] for file in ended.target("c")["sat_out"]] == ["big"]
    assert_untouched(crowded, "abc")


def test_one_dies_before_the_flip_and_nothing_is_changed_anywhere(site: Site) -> None:
    write_versions(site)
    run = site.start(*SLOW, *JOB, "-w", 4)
    victim = run.catchers(3)[1]
    run.wait_for("phase casting")
    wait_for(lambda: bool(site.staged()), run)
    os.kill(victim, signal.SIGKILL)
    ended = run.wait()
    assert (ended.target("b")["state"], ended.target("b")["reason"]) == ("lost", "killed by SIGKILL")
    assert_withdrawn(ended, "ac", "b is lost: killed by SIGKILL")
    for folder in site.staged():
        assert folder.startswith(str(site.dest("b")))
        os.unlink(folder)
    assert_untouched(site, "ac")
    before, after = site.folder / "before b", site.dest("b")
    assert [line for line in differences(before, after) if not line.startswith("time of")] == []


def test_one_never_comes_and_nothing_is_changed_anywhere(site: Site) -> None:
    write_versions(site)
    site.dest("b").rename(site.folder / "elsewhere")
    site.dest("b").write_text("no directory")
    ended = site.sync(*JOB)
    assert ended.target("b")["state"] == "refused"
    assert_withdrawn(ended, "ac", f"b is refused: {ended.target('b')['reason']}")
    assert_untouched(site, "ac")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_the_master_ends_before_the_flip_and_nothing_is_changed(site: Site, sign: signal.Signals) -> None:
    write_versions(site)
    run = site.start(*SLOW, *JOB)
    catchers = run.catchers(3)
    run.wait_for("phase casting")
    wait_for(lambda: bool(site.staged()), run)
    os.kill(run.pid, sign)
    run.wait()
    wait_for(lambda: not any(map(is_running, catchers)), run)
    assert_untouched(site, "abc")


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/exe").exists()


def test_a_destination_that_was_not_there_is_not_left(crowded: Site) -> None:
    write_files(crowded.source, {"big": 4 * MEGABYTE, "dir/small": 10})
    ended = crowded.sync(*JOB)
    assert_withdrawn(ended, "abc", "c cannot take a file: ENOSPC")
    assert not crowded.dest("a").exists()
    assert list(crowded.dest("c").iterdir()) == []


def test_nothing_is_deleted_either_when_no_contents_are_needed(site: Site) -> None:
    write_versions(site)
    shutil.rmtree(site.source)
    site.source.mkdir()
    site.dest("b").rename(site.folder / "elsewhere")
    site.dest("b").write_text("no directory")
    ended = site.sync(*JOB)
    assert_withdrawn(ended, "ac", f"b is refused: {ended.target('b')['reason']}")
    assert_untouched(site, "ac")


# kills at any moment

KILLS = 6


def versions(site: Site, host: str) -> set[int]:
    """Of all files of a target, each of which is whole."""
    return {version_of(site.dest(host) / f"d{number % 4}" / f"f{number}") for number in range(FILES)}


def kill_somebody(site: Site, chance: random.Random, rule: str) -> str:
    """A run in which one target or the master is killed; the host, or nothing."""
    victim = chance.choice(["", *site.hosts])
    run = site.start("--rate", "16M", "-v", 2, "-w", 2, "--commit", rule, "--no-partial")
    catchers = run.catchers(len(site.hosts))
    run.wait_for(" casting$")
    wait_s = chance.choice([chance.uniform(0, 0.3), chance.uniform(0.22, 0.3)])
    time.sleep(wait_s)
    with suppress(ProcessLookupError):
        os.kill(catchers[site.hosts.index(victim)] if victim else run.pid, signal.SIGKILL)
    ended = run.wait()
    wait_until_gone(catchers)
    print(f"{victim or 'the master'} killed after {wait_s:.3f} s: {ended.status}")
    return victim


@pytest.mark.parametrize("rule", ["each", "job"])
def test_killed_at_any_moment_the_rule_holds(make_site: MakeSite, rule: str) -> None:
    print(f"MRSYNC_SEED={SEED}")
    chance = random.Random(SEED)
    site = make_site(("a", "b", "c"))
    write_version(site.source, 1)
    assert site.sync().status == 0
    with watched(site):
        for turn in range(KILLS):
            write_version(site.source, 2 + turn)
            victim = kill_somebody(site, chance, rule)
            found = {host: versions(site, host) for host in site.hosts}
            assert set().union(*found.values()) <= {1 + turn, 2 + turn}
            others = [found[host] for host in site.hosts if host != victim]
            if rule == "job":
                assert [len(each) for each in others] == [1] * len(others), found  # all of it or nothing of it
            if rule == "job" and victim:
                assert len(set().union(*others)) == 1, found  # and on all alike
            assert site.sync("--commit", rule).status == 0
            assert site.all_differences() == {}


def test_one_dies_in_the_flip_and_the_others_are_through(make_site: MakeSite) -> None:
    """There is no way back any more; its next run brings it up to date."""
    site = make_site(("a", "b", "c"))
    write_files(site.source, {f"{number % 10}/{number}": 10 for number in range(1000)})
    assert site.sync().status == 0
    write_files(site.source, {f"{number % 10}/{number}": 11 for number in range(1000)})
    run = site.start(*JOB)
    victim = run.catchers(3)[1]
    first = site.dest("b") / "0" / "0"
    deadline = time.monotonic() + HANG_S
    while first.stat().st_size != 11:
        assert time.monotonic() < deadline
    os.kill(victim, signal.SIGKILL)
    ended = run.wait()
    assert ended.status == 23
    assert [ended.target(host)["state"] for host in "abc"] == ["done", "lost", "done"]
    assert site.differences("a") == site.differences("c") == []
    assert site.sync(*JOB).status == 0
    assert site.all_differences() == {}
