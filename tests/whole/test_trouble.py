"""Targets that die, fall silent or have no room: the others go on, and the report tells the truth."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from mrsync.wire.limits import VERSION
from tests.programs import program, program_of_version
from tests.whole.conftest import MakeSite
from tests.whole.site import Run, Site, write_files

MEGABYTE = 1 << 20
SLOW = ("--rate", "8M", "-v", 2)


def test_a_killed_catcher_is_dropped_and_the_others_finish(site: Site) -> None:
    write_files(site.source, {"big": 6 * MEGABYTE, "small": 10})
    run = site.start(*SLOW, "-w", 2)
    victim = run.catchers(3)[1]
    run.wait_for("phase casting")
    os.kill(victim, signal.SIGKILL)
    ended = run.wait()
    assert ended.status == 23
    assert site.differences("a") == site.differences("c") == []
    assert (ended.target("b")["state"], ended.target("b")["reason"]) == ("lost", "killed by SIGKILL")
    assert [ended.target(host)["state"] for host in "ac"] == ["done", "done"]
    assert "b: lost: killed by SIGKILL" in ended.stderr
    assert ended.stderr.splitlines()[-1] == "mrsync: not complete: b"
    assert site.sync().status == 0  # which also removes what the victim could not
    assert site.staged() == []
    assert site.all_differences() == {}


def test_a_catcher_that_hangs_is_dropped_after_the_ack_wait(site: Site) -> None:
    write_files(site.source, {"big": 6 * MEGABYTE, "small": 10})
    run = site.start(*SLOW, "-w", 2, "--no-partial")
    victim = run.catchers(3)[0]
    run.wait_for("phase casting")
    os.kill(victim, signal.SIGSTOP)
    run.wait_for("^a: lost: .*silent")
    os.kill(victim, signal.SIGCONT)
    ended = run.wait()
    assert ended.status == 23
    assert ended.target("a")["state"] == "lost"
    assert site.differences("b") == site.differences("c") == []
    assert site.staged() == []  # it woke up, heard that it is out, and cleaned up


def test_a_catcher_that_hangs_to_the_end_is_not_waited_for(site: Site) -> None:
    write_files(site.source, {"big": 3 * MEGABYTE})
    run = site.start(*SLOW, "-w", 1)
    victim = run.catchers(3)[0]
    run.wait_for("phase casting")
    os.kill(victim, signal.SIGSTOP)
    ended = run.wait()
    assert ended.status == 23
    assert "a: given up and silent, so its clean-up is not awaited" in ended.stderr
    assert "waiting up to" not in ended.stderr
    assert site.differences("b") == site.differences("c") == []
    assert site.sync().status == 0  # which removes what the victim could not
    assert site.staged() == []
    assert site.all_differences() == {}


def test_busy_targets_are_waited_for_when_the_session_is_aborted(site: Site) -> None:
    """It is not to blame for the end, and is not killed before it has cleaned up."""
    write_files(site.source, {"big": 3 * MEGABYTE})
    run = site.start(*SLOW, "--quit-on-bad", "--no-partial")
    catchers = run.catchers(3)
    run.wait_for("phase casting")
    os.kill(catchers[1], signal.SIGSTOP)
    os.kill(catchers[0], signal.SIGKILL)
    run.wait_for("waiting up to 10 s for b to clean up|b was given up")
    os.kill(catchers[1], signal.SIGCONT)
    ended = run.wait()
    assert "does not answer" not in ended.stderr
    assert not [path for path in site.staged() if os.path.relpath(path, site.folder / "dest").startswith("b/")]


def test_catcher_that_was_started_by_hand_tells_why_it_stops(make_site: MakeSite) -> None:
    site = make_site(("a", "b"))
    write_files(site.source, {"big": 6 * MEGABYTE})
    place = ("--insecure", "-A", site.group, "-P", site.port, "-I", "lo")
    stopped, other = [
        Run(program("multicatcher", "-i", number, "-t", site.dest(host), *place), site.folder / "none")
        for number, host in enumerate(site.hosts)
    ]
    report = site.folder / "report.json"
    run = Run(program("multicaster", "-m", "a,b", "-s", site.source, "--report", report, *SLOW, *place), report)
    run.wait_for("phase casting")
    os.kill(stopped.pid, signal.SIGTERM)
    ended = run.wait()
    assert (ended.status, ended.target("a")["reason"]) == (23, "stopped by SIGTERM")
    assert stopped.wait().status == 20
    assert other.wait().status == 0
    assert site.differences("b") == []


@pytest.mark.parametrize("difference", [-1, 1])
def test_both_ends_say_that_their_versions_differ(make_site: MakeSite, difference: int) -> None:
    """The target that has the master's version is served all the same."""
    site = make_site(("a", "b"))
    write_files(site.source, {"file": 1000})
    place = ("--insecure", "-A", site.group, "-P", site.port, "-I", "lo")
    arguments = [("-i", number, "-t", site.dest(host), *place) for number, host in enumerate(site.hosts)]
    other = Run(program_of_version(VERSION + difference, "multicatcher", *arguments[0]), site.folder / "none")
    same = Run(program("multicatcher", *arguments[1]), site.folder / "none")
    report = site.folder / "report.json"
    options = ("-m", "a,b", "-s", site.source, "--report", report, "-w", 6)
    run = Run(program("multicaster", *options, *place), report)
    other.wait_for("masters whose version of mrsync cannot work with this one; install the same on all hosts")
    os.kill(other.pid, signal.SIGTERM)
    ended = run.wait()
    assert other.wait().stderr.count("cannot work with this one") == 1
    assert ended.stderr.count("127.0.0.1 runs a version of mrsync that cannot work with this one") == 1
    assert (ended.status, ended.target("a")["state"], same.wait().status) == (23, "unreachable", 0)
    assert site.differences("b") == []


def test_quit_on_bad_ends_the_run_for_all(site: Site) -> None:
    write_files(site.source, {"big": 6 * MEGABYTE})
    run = site.start(*SLOW, "-q", "--no-partial")
    victim = run.catchers(3)[2]
    run.wait_for("phase casting")
    os.kill(victim, signal.SIGKILL)
    ended = run.wait()
    assert ended.status == 30
    assert ended.target("c")["reason"] == "killed by SIGKILL"
    assert "delivered" not in ended.stdout
    for host in "ab":
        target = ended.target(host)
        assert (target["state"], target["reason"]) == ("lost", "the session was aborted: c: killed by SIGKILL")
        assert list(site.dest(host).iterdir()) == []


def test_a_run_that_lost_every_catcher_reports_it(site: Site) -> None:
    write_files(site.source, {"big": 6 * MEGABYTE})
    run = site.start(*SLOW)
    victims = run.catchers(3)
    run.wait_for("phase casting")
    for victim in victims:
        os.kill(victim, signal.SIGKILL)
    ended = run.wait()
    assert ended.status == 30
    assert ended.stderr.splitlines()[-1] == "mrsync: every target was lost"


def test_no_target_changes_a_file_that_one_has_no_room_for(crowded: Site) -> None:
    site = crowded
    write_files(site.source, {"a small": 1000, "big": 1000, "z small": 1000})
    assert site.sync().status == 0
    old = (site.source / "big").read_bytes()
    write_files(site.source, {"a small": 2000, "big": 4 * MEGABYTE, "z small": 3000})
    ended = site.sync()
    assert ended.status == 23
    assert "c: skips" not in ended.stdout
    for host in site.hosts:
        assert (site.dest(host) / "big").read_bytes() == old
        for name in ("a small", "z small"):
            assert (site.dest(host) / name).read_bytes() == (site.source / name).read_bytes()
        target = ended.target(host)
        assert target["state"] == "partial"
        assert [file["path"] for file in target["sat_out"]] == ["big"]
    assert ended.target("c")["sat_out"][0]["error"] == "ENOSPC"
    assert ended.target("a")["sat_out"][0]["message"] == "c could not take it: No space left on device"
    assert site.staged() == []
    (site.source / "big").write_bytes(b"small enough")
    assert site.sync().status == 0
    assert site.all_differences() == {}


def test_a_file_that_only_some_need_does_not_disturb_the_rest(crowded: Site) -> None:
    """c has no room for what a and b got before: it is behind, they are not."""
    site = crowded
    write_files(site.source, {"big": 4 * MEGABYTE, "small": 1000})
    assert site.sync("-m", "a,b").status == 0
    ended = site.sync()
    assert ended.status == 23
    assert [ended.target(host)["state"] for host in site.hosts] == ["done", "done", "partial"]
    assert site.differences("a") == site.differences("b") == []
    assert "missing: b'big'" in site.differences("c")


def test_a_file_that_one_target_would_refuse_is_changed_on_none(site: Site) -> None:
    write_files(site.source, {"refused": 10, "other": 10})
    assert site.sync().status == 0
    if subprocess.run(["chattr", "+i", str(site.dest("a") / "refused")], capture_output=True).returncode:
        pytest.skip("needs root and a file system with chattr")
    old = (site.source / "refused").read_bytes()
    try:
        write_files(site.source, {"refused": 20, "other": 20})
        ended = site.sync()
    finally:
        subprocess.run(["chattr", "-i", str(site.dest("a") / "refused")], check=True)
    assert ended.status == 23
    for host in "abc":
        assert (site.dest(host) / "refused").read_bytes() == old
        assert (site.dest(host) / "other").stat().st_size == 20
    assert site.sync().status == 0
    assert site.all_differences() == {}
