"""The log file: lines that programs and people can read, whatever happens."""

from __future__ import annotations

import json
import os
import resource
from datetime import datetime
from pathlib import Path

import pytest

from mrsync.cli.output.logfile import LogFile
from mrsync.errors import FileError, Interrupted
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState
from mrsync.run.observer import Notice, Snapshot
from mrsync.run.settings import CastSettings

SETTINGS = CastSettings(b"/src \xff", b"/dst\n{host}", ("node1", "node2", "node3"), "ssh", b"secret")
SESSION = 0xABC
AWFUL = "cannot read a\nb\x1b[31m\u202e\udcff"


class Watcher:
    """Observer that keeps what it gets."""

    due_at = 5.0

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.snapshots: list[Snapshot] = []

    def on_notice(self, notice: Notice) -> None:
        self.notices.append(notice)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)


def outcome(state: TargetState) -> Outcome:
    return Outcome(1, b"/src", b"/dst", tuple(TargetOutcome(host, state) for host in SETTINGS.targets), bytes_sent=77)


def log_a_session(path: Path, style: str) -> Watcher:
    watcher = Watcher()
    with LogFile(str(path), style, SESSION) as log:
        log.begin("mrsync", SETTINGS.source, SETTINGS.dest, "node[1-3]", ["-m", "node[1-3]", "-t", "/dst\n{host}"])
        observer = log.before(watcher)
        assert observer.due_at == 5.0
        observer.on_notice(Notice(2, AWFUL, "node1"))
        observer.on_snapshot(Snapshot("casting", 1.0))
        log.end(outcome(TargetState.DONE))
    return watcher


def test_each_event_is_a_line_with_time_and_session(tmp_path: Path) -> None:
    watcher = log_a_session(tmp_path / "log", "text")
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 3
    for line in lines:
        assert line.isprintable()
        time, session, _ = line.split(" ", 2)
        assert datetime.fromisoformat(time).tzinfo is not None
        assert session == "0000000000000abc"
    rests = [line.split(" ", 2)[2] for line in lines]
    assert rests[0].startswith("start program=mrsync version=")
    assert 'targets="node[1-3]"' in rests[0]
    assert r'dest="/dst\n{host}"' in rests[0]
    assert rests[1] == r"node1: cannot read a\nb\u001b[31m\u202e\udcff"
    assert rests[2].startswith("end exit_status=0 outcome=complete verdict=")
    assert "bytes_sent=77" in rests[2]
    assert watcher.notices == [Notice(2, AWFUL, "node1")]
    assert len(watcher.snapshots) == 1


def test_each_event_is_a_json_line(tmp_path: Path) -> None:
    log_a_session(tmp_path / "log", "json")
    start, notice, end = map(json.loads, (tmp_path / "log").read_text().splitlines())
    assert (start["event"], start["targets"], start["source"]) == ("start", "node[1-3]", "/src \udcff")
    assert start["options"] == "-m 'node[1-3]' -t '/dst\n{host}'"
    assert (notice["event"], notice["level"], notice["host"], notice["text"]) == ("notice", 2, "node1", AWFUL)
    assert (end["event"], end["exit_status"], end["outcome"]) == ("end", 0, "complete")


def test_several_sessions_append(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("older\n")
    with LogFile(str(tmp_path / "log"), "text", 1) as one, LogFile(str(tmp_path / "log"), "text", 2) as other:
        for log in (one, other, one):
            log.on_notice(Notice(0, "hello"))
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split(" ")[-2:] for line in lines[1:]] == [[f"{number:016x}", "hello"] for number in (1, 2, 1)]
    assert lines[0] == "older"


def test_an_end_by_an_error_is_logged(tmp_path: Path) -> None:
    with pytest.raises(Interrupted), LogFile(str(tmp_path / "log"), "text", SESSION):
        raise Interrupted("interrupted by SIGINT")
    with pytest.raises(ZeroDivisionError), LogFile(str(tmp_path / "log"), "text", SESSION):
        raise ZeroDivisionError("no way")
    with LogFile(str(tmp_path / "log"), "text", SESSION) as log:
        log.end(outcome(TargetState.LOST))
    ends = [line.split(" ", 2)[2] for line in (tmp_path / "log").read_text().splitlines()]
    assert ends[:2] == [
        'end exit_status=20 outcome="interrupted by SIGINT"',
        'end exit_status=1 outcome="internal error: ZeroDivisionError: no way"',
    ]
    assert ends[2].startswith('end exit_status=30 outcome="every target was lost: None"')


@pytest.mark.parametrize("name", ["no/such/folder/log", "."])
def test_a_log_that_cannot_be_opened(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="cannot open the log file"):
        LogFile(str(tmp_path / name), "text", SESSION)


def test_unwritable_log_is_reported_once_and_stops_nothing(tmp_path: Path) -> None:
    watcher = Watcher()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with LogFile(str(tmp_path / "log"), "text", SESSION) as log:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            observer = log.before(watcher)
            for _ in range(3):
                observer.on_notice(Notice(0, "hello"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    sentence = f"cannot write to the log file {tmp_path}/log: File too large"
    assert [notice.text for notice in watcher.notices] == [sentence, "hello", "hello", "hello"]


def test_new_log_has_mode_640(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        LogFile(str(tmp_path / "log"), "text", SESSION)
    finally:
        os.umask(before)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640
