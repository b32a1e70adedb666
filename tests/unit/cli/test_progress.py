from __future__ import annotations

import io
import json
import pty
import subprocess
import sys
import time
from typing import BinaryIO

import pytest

from mrsync.cli.progress import (
    LIVE_INTERVAL_S,
    JsonProgress,
    LiveProgress,
    PlainProgress,
    Progress,
    headline,
    make_progress,
    worst,
)
from mrsync.run.observer import Notice, Snapshot, TargetProgress

SHOW_CURSOR = "\x1b[?25h"
TARGETS = (
    TargetProgress("a", "done", 1000),
    TargetProgress("b", "present", 400, packets_lost=7, is_monitor=True),
    TargetProgress("c", "lost", 10),
)
SNAPSHOT = Snapshot("casting", 4.0, bytes_planned=1000, bytes_sent=500, bytes_repaired=5, targets=TARGETS)


@pytest.mark.parametrize("make", [Progress, PlainProgress, LiveProgress])
def test_notices_are_told_up_to_the_level(make: type[Progress]) -> None:
    stream = io.StringIO()
    with make(1, stream) as observer:
        observer.on_notice(Notice(0, "gone", "n1"))
        observer.on_notice(Notice(1, "status"))
        observer.on_notice(Notice(2, "debugging"))
    assert stream.getvalue() == "n1: gone\nstatus\n"


def test_no_display_wants_no_snapshot() -> None:
    assert Progress(0, io.StringIO()).due_at is None


def test_plain_lines_come_after_one_second_then_every_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    stream = io.StringIO()
    progress = PlainProgress(0, stream)
    assert progress.due_at == 1001
    progress.on_snapshot(SNAPSHOT)
    assert progress.due_at == 1010
    assert stream.getvalue() == "casting: 50 % of 1 kB, 125 B/s, 4 s left; repair 0.99 %; 2/3 targets present\n"


def test_json_lines_have_all_fields() -> None:
    stream = io.StringIO()
    progress = JsonProgress(0, stream)
    progress.on_snapshot(SNAPSHOT)
    progress.on_notice(Notice(0, "gone", "n1"))
    progress.on_notice(Notice(1, "not asked for"))
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["bytes_sent"], first["targets"][1]["host"]) == ("progress", 500, "b")
    assert second == {"event": "notice", "level": 0, "text": "gone", "host": "n1"}


def read_until(terminal: BinaryIO, end: str) -> str:
    """All that the terminal got, up to some text; pytest's timeout guards it."""
    shown = b""
    while end.encode() not in shown:
        shown += terminal.read(10_000)
    return shown.decode()


def test_live_display_shows_the_worst_and_notices_above(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as terminal, open(theirs, "w") as stream:
        with LiveProgress(0, stream) as observer:
            before = time.monotonic()
            observer.on_snapshot(SNAPSHOT)
            after = time.monotonic()
            assert "casting: 50 % of 1 kB" in read_until(terminal, "present, monitor")
            assert observer.due_at is not None
            assert before + LIVE_INTERVAL_S <= observer.due_at <= after + LIVE_INTERVAL_S
            observer.on_notice(Notice(0, "[b]gone[/b]", "n1"))
            read_until(terminal, "n1: [b]gone[/b]")
        read_until(terminal, SHOW_CURSOR)


def test_headline_before_anything_is_planned() -> None:
    assert headline(Snapshot("gathering", 0.1, targets=TARGETS), 0.0) == "gathering: 2/3 targets present"


def test_the_ten_worst_come_first_and_the_done_never() -> None:
    many = tuple(TargetProgress(f"n{number}", "present", number) for number in range(20, 0, -1))
    hosts = [target.host for target in worst(SNAPSHOT._replace(targets=(*TARGETS, *many)))]
    assert hosts[:3] == ["n1", "n2", "n3"]
    assert len(hosts) == 10
    assert "a" not in hosts


def test_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = {kind: type(make_progress(kind, 0)) for kind in ("json", "none", "plain", "auto")}
    assert kinds == {"json": JsonProgress, "none": Progress, "plain": PlainProgress, "auto": PlainProgress}


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    """A run with nothing to do ends before rich, ClusterShell or YAML would be loaded."""
    program = "import sys, mrsync.cli.main, mrsync.cli.progress, mrsync.cli.report; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"rich", "ClusterShell", "yaml", "asyncio", "subprocess"} & set(modules)
