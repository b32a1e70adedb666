from __future__ import annotations

import io
import json
import subprocess
import sys
import time

import pyte
import pytest

from mrsync.cli.output.live_view import Rate
from mrsync.cli.output.progress import JsonProgress, LiveProgress, PlainProgress, Progress, headline, make_progress
from mrsync.run.observer import Notice, Snapshot, TargetProgress

TARGETS = (
    TargetProgress("a", "done", 1000),
    TargetProgress("b", "present", 400, packets_lost=7, is_monitor=True),
    TargetProgress("c", "lost", 10),
)
SNAPSHOT = Snapshot(
    "casting", 4.0, bytes_planned=1000, bytes_sent=500, bytes_repaired=5, bytes_traffic=505, targets=TARGETS
)


@pytest.mark.parametrize("make", [Progress, PlainProgress, LiveProgress])
def test_notices_are_shown_up_to_the_level(make: type[Progress]) -> None:
    stream = io.StringIO()
    with make(1, stream) as observer:
        observer.on_notice(Notice(0, "gone", "n1"))
        observer.on_notice(Notice(0, "essential"))
        observer.on_notice(Notice(1, "status"))
        observer.on_notice(Notice(2, "debugging"))
    assert stream.getvalue() == "n1: gone\nmrsync: essential\nstatus\n"


def test_no_display_wants_no_snapshot() -> None:
    assert Progress(0, io.StringIO()).due_at is None


def test_plain_lines_come_after_one_second_then_every_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    stream = io.StringIO()
    progress = PlainProgress(0, stream)
    assert progress.due_at == 1001
    progress.on_snapshot(SNAPSHOT)
    assert progress.due_at == 1010
    for phase in ("done", "aborted"):
        progress.on_snapshot(SNAPSHOT._replace(phase=phase))  # the verdict comes next
    assert stream.getvalue() == "casting: 50 % of 1 kB, 125 B/s, 4 s left; repairs 0.99 %; 2/3 targets; 1 lost\n"


@pytest.mark.parametrize(
    ("snapshot", "line"),
    [
        (Snapshot("scanning", 2.0, files_planned=1200), "scanning: 1200 entries"),
        (
            Snapshot("scanning", 2.0, targets=(TargetProgress("a", "present"), TargetProgress("b", "expected"))),
            "scanning: no entries yet; 1/2 targets",
        ),
        (Snapshot("comparing", 2.0, bytes_repaired=9, targets=TARGETS[:1]), "comparing: 1/1 targets"),
        (
            Snapshot("done", 2.0, bytes_sent=1, bytes_repaired=999, bytes_traffic=1000, targets=TARGETS[:1]),
            "done: repairs 100 %; 1/1 targets",
        ),
        (
            Snapshot("casting", 2.0, 10, 10, files_planned=2000, files_done=7, targets=TARGETS[:1]),
            "casting: 100 % of 10 B; 7/2000 files in place; 1/1 targets",
        ),
        (
            Snapshot("comparing", 2.0, entries=9000, entries_done=4000, targets=TARGETS[:1]),
            "comparing: 4000 looked at, the source has 9000 entries; 1/1 targets",
        ),
        (
            Snapshot("finishing", 2.0, 10, 10, files_planned=9, entries_done=4000, targets=TARGETS[:1]),
            "finishing: 4000 entries worked on; 1/1 targets",
        ),
        (Snapshot("done", 2.0, 10, 10, files_planned=9, targets=TARGETS[:1]), "done: 1/1 targets"),
    ],
)
def test_a_line_has_only_meaningful_figures(snapshot: Snapshot, line: str) -> None:
    assert headline(snapshot, Rate()) == line


def test_json_lines_have_all_fields() -> None:
    stream = io.StringIO()
    progress = JsonProgress(0, stream)
    progress.on_snapshot(SNAPSHOT)
    progress.on_notice(Notice(0, "gone", "n1"))
    progress.on_notice(Notice(1, "not asked for"))
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["bytes_sent"], first["targets"][1]["host"]) == ("progress", 500, "b")
    assert second == {"event": "notice", "level": 0, "text": "gone", "host": "n1"}


def test_live_display_shows_notices_above_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = show(monkeypatch, LiveProgress, 80, 24)
    lines = [line.rstrip() for line in screen.display]
    assert lines[0] == "n1: [b]gone[/b]"
    assert lines[1].startswith("casting  50 % of 1 kB")
    heads = next(number for number, line in enumerate(lines) if line.startswith("target"))
    assert lines[heads + 1].startswith("b       receiving")
    assert lines[heads + 2] == "lost: c"


def test_live_display_with_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    screen = show(monkeypatch, LiveProgress, 80, 24)
    assert {cell.fg for row in screen.buffer.values() for cell in row.values()} == {"default"}


def test_live_display_has_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = show(monkeypatch, LiveProgress, 200, 50)
    assert {"green", "red"} <= {cell.fg for row in screen.buffer.values() for cell in row.values()}


def test_live_display_redraws_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = show(monkeypatch, LiveProgress, 80, 24, frames=20)
    assert sum(line.startswith("casting") for line in screen.display) == 1


def test_live_display_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = show(monkeypatch, LiveProgress, 80, 24, is_closed=True)
    assert [line.rstrip() for line in screen.display if line.strip()] == ["n1: [b]gone[/b]"]
    assert not screen.cursor.hidden


def show(
    monkeypatch: pytest.MonkeyPatch,
    make: type[LiveProgress],
    columns: int,
    rows: int,
    *,
    frames: int = 1,
    is_closed: bool = False,
) -> pyte.Screen:
    """What an emulated terminal shows after frames, a notice, and another frame."""
    for name, value in {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(rows)}.items():
        monkeypatch.setenv(name, value)
    stream = Terminal()
    progress = make(0, stream)
    for _ in range(frames):
        progress.on_snapshot(SNAPSHOT)
    progress.on_notice(Notice(0, "[b]gone[/b]", "n1"))
    progress.on_snapshot(SNAPSHOT)
    if is_closed:
        progress.close()
    screen = pyte.Screen(columns, rows)
    screen.set_mode(pyte.modes.LNM)
    pyte.Stream(screen).feed(stream.getvalue())
    if not is_closed:
        progress.close()
    return screen


class Terminal(io.StringIO):
    """What was written to a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_terminal_that_knows_no_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stderr", Terminal())
    assert type(make_progress("auto", 0)) is PlainProgress


def test_a_terminal_that_knows_ascii_only_is_sent_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Terminal, "encoding", "ascii")
    screen = show(monkeypatch, LiveProgress, 120, 24)
    assert "".join(screen.display).isascii()


def test_headline_before_anything_is_planned() -> None:
    assert headline(Snapshot("gathering", 0.1, targets=TARGETS), Rate()) == "gathering: 2/3 targets; 1 lost"


def test_each_kind_of_progress_has_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    kinds = {kind: type(make_progress(kind, 0)) for kind in ("json", "none", "plain", "auto")}
    assert kinds == {"json": JsonProgress, "none": Progress, "plain": PlainProgress, "auto": PlainProgress}


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    """A run with nothing to do ends before rich, ClusterShell or YAML would be loaded, or dataclasses with inspect."""
    program = "import sys, mrsync.cli.sync, mrsync.cli.output.report, mrsync.run.catch.catch; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"rich", "ClusterShell", "yaml", "asyncio", "subprocess", "dataclasses", "inspect", "shutil"} & set(
        modules
    )
