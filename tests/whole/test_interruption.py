"""Runs that are ended from outside, at random moments: without --partial nothing is left over, no file is half."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.programs import Argument
from tests.support.workers import run_seed
from tests.whole.site import Ended, Run, Site, wait_until_gone

FILES = 40
FILE_BYTES = 100_000
RATE = "8M"  # bytes/s: half a second of casting
MOMENTS_S = {"": 0.3, "joined": 0.1, "comparing": 0.05, "planning": 0.05, "casting": 0.4, "finishing": 0.03}
LEFT = "leaving at once, targets clean up by themselves; run the same command again to resume"
CHANCE = random.Random(os.environ.get("MRSYNC_SEED", run_seed()))
SEEDS = [CHANCE.randrange(1 << 32) for _ in range(12)]


def write_version(tree: Path, version: int) -> None:
    """All files anew, with the version in every byte, in the time and in the mode."""
    for i in range(FILES):
        path = tree / f"d{i % 4}" / f"f{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([version]) * (FILE_BYTES + version))
        path.chmod(0o600 + version)
        os.utime(path, (version, version))


def version_of(path: Path) -> int:
    """The one version this file is whole of."""
    seen = path.stat()
    data = path.read_bytes()
    version = data[0]
    assert data == bytes([version]) * (FILE_BYTES + version)
    assert (seen.st_mode & 0o777, seen.st_mtime) == (0o600 + version, version)
    return version


def prepare(site: Site) -> None:
    """Old trees on the targets, a new one in the source."""
    write_version(site.source, 1)
    assert site.sync().status == 0
    write_version(site.source, 2)


def check_targets(site: Site) -> None:
    """Nothing staged, every file old or new; and the next run puts everything right."""
    assert site.staged() == []
    for host in site.hosts:
        files = [path for path in site.dest(host).rglob("f*") if path.is_file()]
        assert len(files) == FILES
        assert {version_of(path) for path in files} <= {1, 2}
    assert site.sync().status == 0
    assert site.all_differences() == {}


def check_report_of_leaving(ended: Ended) -> None:
    """What is known of the run, not that it never began."""
    report = ended.report
    assert (report["exit_status"], report["files_planned"]) == (20, FILES)
    assert report["complaint"].endswith(f"twice: {LEFT}")
    assert report["bytes_sent"] > 0
    assert report["seconds"]["cast"] > 0
    for target in report["targets"].values():
        assert target["state"] == "lost"
        assert target["reason"].startswith("interrupted")


def start_until(site: Site, phase: str, wait_s: float, *options: Argument) -> tuple[Run, list[int]]:
    """A slow run, so long after it told of this phase; its catchers."""
    run = site.start("--rate", RATE, "-v", 2, "--no-partial", *options)
    catchers = run.catchers(len(site.hosts))
    if phase:
        run.wait_for(f" {phase}$")
    time.sleep(wait_s)
    return run, catchers


@pytest.mark.parametrize("seed", SEEDS)
def test_ctrl_c_at_any_moment_leaves_nothing_behind(site: Site, seed: int) -> None:
    chance = random.Random(seed)
    phase = list(MOMENTS_S)[SEEDS.index(seed) % len(MOMENTS_S)]
    wait_s = chance.uniform(0, MOMENTS_S[phase])
    print(f"seed {seed}: {wait_s:.4f} s after {phase or 'the start'}")
    prepare(site)
    run, catchers = start_until(site, phase, wait_s)
    run.interrupt()
    ended = run.wait()
    wait_until_gone(catchers)
    if ended.status == 0:
        assert "phase done" in ended.stderr  # Ctrl-C came too late to change anything
        assert site.all_differences() == {}
    else:
        assert ended.status == 20, ended.stderr
        assert "mrsync: interrupted by SIGINT" in ended.stderr
    assert "Traceback" not in ended.stderr
    check_targets(site)


INTERRUPTED_WHEN_IT_HAS_BEGUN = """
import signal, sys, threading
start = threading.Thread.start
def start_interrupted(thread):
    start(thread)
    if thread.name == "signals":
        signal.raise_signal(signal.SIGINT)
threading.Thread.start = start_interrupted
program = sys.argv[3]
del sys.argv[1:4]
exec(program)
"""


def test_ctrl_c_in_the_moment_when_a_run_begins(site: Site) -> None:
    """The handler then runs in the middle of what reacts to the beginning: this must not happen twice."""
    prepare(site)
    ended = site.sync(prefix=(sys.executable, "-c", INTERRUPTED_WHEN_IT_HAS_BEGUN))
    assert (ended.status, "Traceback" in ended.stderr) == (20, False), ended.stderr
    assert ended.stderr.splitlines()[-1] == "mrsync: interrupted by SIGINT; run the same command again to resume"
    check_targets(site)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_a_run_in_order_too(site: Site, number: signal.Signals) -> None:
    prepare(site)
    run, catchers = start_until(site, "casting", 0.2)
    os.kill(run.pid, number)
    ended = run.wait()
    wait_until_gone(catchers)
    assert (ended.status, ended.stderr.splitlines()[-1]) == (
        20,
        f"mrsync: interrupted by {number.name}; run the same command again to resume",
    )
    check_targets(site)


@pytest.mark.parametrize("phase", ["joined", "casting", "finishing"])
def test_catchers_clean_up_when_the_master_is_killed(site: Site, phase: str) -> None:
    prepare(site)
    run, catchers = start_until(site, phase, 0.2 if phase == "casting" else 0.0)
    run.kill()
    assert run.wait().status == -signal.SIGKILL
    wait_until_gone(catchers)
    check_targets(site)


def test_ctrl_c_reports_complete_files_at_once_and_then_each_target(site: Site) -> None:
    prepare(site)
    run, catchers = start_until(site, "casting", 0.2)
    run.interrupt()
    run.wait_for("^mrsync: stopping; 0 of 3 complete$")
    ended = run.wait()
    wait_until_gone(catchers)
    assert ended.stdout.startswith("0/3 complete, 3 interrupted; ")
    places = "interrupted before anything was changed|interrupted; files in place: \\d+ of 40"
    lines = ended.stderr.splitlines()
    assert re.fullmatch(f"[a-c,]+: ({places})", lines[-2]), lines
    for target in ended.report["targets"].values():
        count = int("0" + "".join(re.findall("place: (.*) of", target["reason"])))
        assert (target["files_updated"], target["bytes_written"]) == (count, count * (FILE_BYTES + 2))
    assert lines[-1] == "mrsync: interrupted by SIGINT; run the same command again to resume"
    check_targets(site)


def test_a_catcher_that_hangs_is_named_and_a_second_ctrl_c_leaves_at_once(site: Site) -> None:
    prepare(site)
    run, catchers = start_until(site, "casting", 0.2)
    os.kill(catchers[1], signal.SIGSTOP)
    try:
        run.interrupt()
        run.wait_for(r"^mrsync: waiting up to 10 s for \S+ to clean up$")
        run.interrupt()
        ended = run.wait()
    finally:
        os.kill(catchers[1], signal.SIGCONT)
    assert ended.status == 20
    last = ended.stderr.splitlines()[-1]
    assert last == f"interrupted by SIGINT twice: {LEFT}"
    check_report_of_leaving(ended)
    wait_until_gone(catchers)
    check_targets(site)


def test_a_second_ctrl_c_leaves_at_once_whatever_goes_on(site: Site) -> None:
    """Both come while it casts: there is no time for the first one to be heard."""
    prepare(site)
    log = site.folder / "log"
    run, catchers = start_until(site, "casting", 0.2, "--log-file", log)
    os.kill(run.pid, signal.SIGSTOP)
    os.kill(run.pid, signal.SIGINT)
    os.kill(run.pid, signal.SIGTERM)
    os.kill(run.pid, signal.SIGCONT)
    ended = run.wait()
    assert ended.status == 20
    assert LEFT in ended.stderr
    check_report_of_leaving(ended)
    assert 'verdict="0/3 complete, 3 interrupted; ' in log.read_text().splitlines()[-1]
    wait_until_gone(catchers)
    check_targets(site)


def test_a_signal_while_targets_clean_up_takes_nothing_back(site: Site) -> None:
    """The session is over, and the master waits for what is left of the remote shells."""
    write_version(site.source, 1)
    shell = site.folder / "shell"
    shell.write_text('#!/bin/sh\nshift\nsh -c "$*"\nsleep 60\n')
    shell.chmod(0o755)
    run = site.start("-r", shell, "-I", "lo", "-L", "-v", 2)
    run.wait_for("^mrsync: waiting up to 10 s for")
    os.kill(run.pid, signal.SIGTERM)
    ended = run.wait()
    assert ended.status == 20
    assert ended.stderr.splitlines()[-1] == "mrsync: interrupted by SIGTERM"  # there is nothing to resume
    assert {target["state"] for target in ended.report["targets"].values()} == {"done"}
    assert ended.report["bytes_sent"] > FILES * FILE_BYTES
    assert site.all_differences() == {}
