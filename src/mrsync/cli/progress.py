"""What a cast shows while it runs: a live display, plain lines, JSON lines, or notices alone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from mrsync.cli.report import size
from mrsync.run.observer import Notice, Observer, Snapshot, TargetProgress

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

LIVE_INTERVAL_S = 0.25
LIVE_AFTER_S = 0.5  # a shorter run shows nothing, and never pays for importing rich (40 ms)
PLAIN_INTERVAL_S = 10.0
JSON_INTERVAL_S = 1.0
LINES_AFTER_S = 1.0
WORST_SHOWN = 10


class Progress:
    """Observer that prints notices up to a level, and nothing else; use as a context, so that displays end."""

    due_at: float | None = None

    def __init__(self, verbosity: int, stream: TextIO) -> None:
        self._verbosity = verbosity
        self._stream = stream

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_notice(self, notice: Notice) -> None:
        if notice.level <= self._verbosity:
            self._print(f"{notice.host}: {notice.text}" if notice.host else notice.text)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Not wanted here: due_at is None."""

    def close(self) -> None:
        """No display of this one may stay on the terminal after it."""

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class PlainProgress(Progress):
    """A line after one second, then every ten."""

    def __init__(self, verbosity: int, stream: TextIO) -> None:
        super().__init__(verbosity, stream)
        self.due_at = time.monotonic() + LINES_AFTER_S
        self._rate = _Rate()

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.due_at = time.monotonic() + PLAIN_INTERVAL_S
        self._print(headline(snapshot, self._rate.update(snapshot)))


class JsonProgress(Progress):
    """Every notice and, each second, a snapshot as one line of JSON."""

    def __init__(self, verbosity: int, stream: TextIO) -> None:
        super().__init__(verbosity, stream)
        self.due_at = time.monotonic() + LINES_AFTER_S

    def on_notice(self, notice: Notice) -> None:
        if notice.level <= self._verbosity:
            self._print(json.dumps({"event": "notice", **notice._asdict()}))

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.due_at = time.monotonic() + JSON_INTERVAL_S
        fields = snapshot._asdict()
        fields["targets"] = [target._asdict() for target in snapshot.targets]
        self._print(json.dumps({"event": "progress", **fields}))


class LiveProgress(Progress):
    """Totals and the ten targets furthest behind, redrawn four times a second."""

    def __init__(self, verbosity: int, stream: TextIO) -> None:
        super().__init__(verbosity, stream)
        self.due_at = time.monotonic() + LIVE_AFTER_S
        self._rate = _Rate()
        self._live: Live | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.due_at = time.monotonic() + LIVE_INTERVAL_S
        if self._live is None:
            self._live = self._start()
        self._live.update(self._render(snapshot), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _start(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        live = Live(console=Console(file=self._stream), auto_refresh=False, transient=True, redirect_stdout=False)
        live.start()
        return live

    def _render(self, snapshot: Snapshot) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        parts: list[Text | ProgressBar | Table] = [Text(headline(snapshot, self._rate.update(snapshot)))]
        if snapshot.bytes_planned:
            parts.append(ProgressBar(total=snapshot.bytes_planned, completed=snapshot.bytes_sent))
        table = Table("target", "state", "behind", "lost", "dropped", box=None, pad_edge=False)
        for target in worst(snapshot):
            state = f"{target.state}, monitor" if target.is_monitor else target.state
            behind = size(max(0, snapshot.bytes_sent - target.bytes_done))
            table.add_row(target.host, state, behind, str(target.packets_lost), str(target.kernel_drops))
        if table.row_count:
            parts.append(table)
        return Group(*parts)

    def _print(self, line: str) -> None:
        if self._live is None:
            super()._print(line)
        else:
            self._live.console.print(line, markup=False, highlight=False)  # above the display


def make_progress(kind: str, verbosity: int) -> Progress:
    """kind: auto, plain, none or json, as --progress has it. JSON goes to stdout, all else to stderr."""
    if kind == "json":
        return JsonProgress(verbosity, sys.stdout)
    if kind == "none":
        return Progress(verbosity, sys.stderr)
    if kind == "plain" or not sys.stderr.isatty():
        return PlainProgress(verbosity, sys.stderr)
    return LiveProgress(verbosity, sys.stderr)


def tell_left_out(observer: Observer, hosts: Iterable[str]) -> None:
    """These of TARGETS are this host, and take no part."""
    for host in hosts:
        observer.on_notice(Notice(0, "left out: it is this host", host))


def headline(snapshot: Snapshot, rate_bytes_s: float) -> str:
    """casting: 31 % of 41.2 GB, 1.09 GB/s, 12 s left; repair 0.4 %; 97/100 targets present."""
    parts = []
    if snapshot.bytes_planned:
        amount = f"{100 * snapshot.bytes_sent // snapshot.bytes_planned} % of {size(snapshot.bytes_planned)}"
        amount += f", {size(rate_bytes_s)}/s"
        if rate_bytes_s > 0:
            amount += f", {(snapshot.bytes_planned - snapshot.bytes_sent) / rate_bytes_s:.0f} s left"
        parts.append(amount)
    if snapshot.bytes_repaired:
        parts.append(f"repair {100 * snapshot.bytes_repaired / (snapshot.bytes_sent + snapshot.bytes_repaired):.2g} %")
    present = sum(target.state in ("present", "done") for target in snapshot.targets)
    parts.append(f"{present}/{len(snapshot.targets)} targets present")
    return f"{snapshot.phase}: {'; '.join(parts)}"


def worst(snapshot: Snapshot) -> list[TargetProgress]:
    """Those with the least done come first; whoever is done does not come."""
    behind = [target for target in snapshot.targets if target.state != "done"]
    return sorted(behind, key=lambda target: (target.bytes_done, -target.packets_lost))[:WORST_SHOWN]


class _Rate:
    """Bytes per second between two snapshots, smoothed."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._bytes = 0
        self._rate_bytes_s = 0.0

    def update(self, snapshot: Snapshot) -> float:
        elapsed_s = snapshot.seconds - self._seconds
        if elapsed_s > 0:
            now_bytes_s = (snapshot.bytes_sent - self._bytes) / elapsed_s
            self._rate_bytes_s = (self._rate_bytes_s + now_bytes_s) / 2 if self._rate_bytes_s else now_bytes_s
        self._seconds, self._bytes = snapshot.seconds, snapshot.bytes_sent
        return self._rate_bytes_s
