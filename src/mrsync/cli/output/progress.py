"""What a run shows while it lasts: a live display, plain lines, JSON lines, or only notices."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from mrsync.cli.output.live_view import (
    ENDED,
    SENDING,
    SPARKS,
    FrameLine,
    Rate,
    duration,
    frame,
    scanned,
    state_of,
    work_done,
)
from mrsync.cli.output.report import percentage, size
from mrsync.run.observer import Notice, Observer, Snapshot
from mrsync.run.service import DEBUG, INFO, WARNING, priority_mark

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

LIVE_INTERVAL_S = 0.25
LIVE_AFTER_S = 0.5  # shorter runs show nothing and save the import of rich (40 ms)
PLAIN_INTERVAL_S = 10.0
OVER = ("done", "aborted")  # phases in which nothing more happens
JSON_INTERVAL_S = 1.0
LINES_AFTER_S = 1.0
PRIORITIES = {0: WARNING, 1: INFO, 2: DEBUG}  # priority in the journal, by level of a notice
PLAIN_SIGNS = str.maketrans({"━": "=", "─": "-", "…": ".", "·": ",", **dict.fromkeys(SPARKS)})


class Progress:
    """Observer that prints notices up to a level and nothing else. Use it as a context, which closes the display.

    name: of the command, which precedes essential notices that are about no target: cron mails them without context.
    Empty: they stand alone.
    """

    due_at: float | None = None

    def __init__(self, verbosity: int, stream: TextIO, name: str = "mrsync") -> None:
        self._verbosity = verbosity
        self._stream = stream
        self._name = name

    def __enter__(self) -> Observer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def on_notice(self, notice: Notice) -> None:
        if notice.level <= self._verbosity:
            speaker = notice.host or (self._name if notice.level == 0 else "")
            line = f"{speaker}: {notice.text}" if speaker else notice.text
            self._print(priority_mark(2, PRIORITIES[notice.level]) + line)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Do nothing. This is never called, because due_at is None."""

    def close(self) -> None:
        """Remove the display from the terminal."""

    def _print(self, line: str) -> None:
        print(line, file=self._stream, flush=True)


class PlainProgress(Progress):
    """Prints a line after one second, and then every ten seconds."""

    def __init__(self, verbosity: int, stream: TextIO, name: str = "mrsync") -> None:
        super().__init__(verbosity, stream, name)
        self.due_at = time.monotonic() + LINES_AFTER_S
        self._rate = Rate()

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.due_at = time.monotonic() + PLAIN_INTERVAL_S
        if snapshot.phase in OVER:  # the verdict follows
            return
        self._rate.update(snapshot)
        self._print(headline(snapshot, self._rate))


class JsonProgress(Progress):
    """Prints every notice, and a snapshot each second, as lines of JSON."""

    def __init__(self, verbosity: int, stream: TextIO, name: str = "mrsync") -> None:
        super().__init__(verbosity, stream, name)
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
    """Shows the live view, redrawn four times a second. Notices scroll above it."""

    def __init__(self, verbosity: int, stream: TextIO, name: str = "mrsync") -> None:
        super().__init__(verbosity, stream, name)
        self.due_at = time.monotonic() + LIVE_AFTER_S
        self._rate = Rate()
        self._live: Live | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.due_at = time.monotonic() + LIVE_INTERVAL_S
        self._rate.update(snapshot)
        if self._live is None:
            self._live = self._start()
        self._live.update(self._render(snapshot, self._live.console), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _start(self) -> Live:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False)
        live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
        live.start()
        console.show_cursor(True)  # rich hides it, and Ctrl-Z, Ctrl-\ and kill -9 would leave the terminal without one
        return live

    def _render(self, snapshot: Snapshot, console: Console) -> Text:
        width, height = console.size
        return as_text(frame(snapshot, self._rate, width, height - 1), console.encoding)

    def _print(self, line: str) -> None:
        if self._live is None:
            super()._print(line)
        else:
            self._live.console.print(line, markup=False, soft_wrap=True)  # above the display


def as_text(lines: Sequence[FrameLine], encoding: str) -> Text:
    """Return a frame as a text of rich. encoding: of the terminal."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        for words, style in line:
            text.append(_in_encoding(words, encoding), style)
    return text


def _in_encoding(words: str, encoding: str) -> str:
    """Return words with the view's signs replaced by ASCII, unless the terminal has UTF-8."""
    return words if encoding.lower().startswith("utf") else words.translate(PLAIN_SIGNS)


def make_progress(kind: str, verbosity: int, name: str = "mrsync") -> Progress:
    """Return the display for a value of --progress: auto, plain, none or json.

    JSON goes to stdout, the rest to stderr. name: see Progress.
    """
    if kind == "json":
        return JsonProgress(verbosity, sys.stdout, name)
    if kind == "none":
        return Progress(verbosity, sys.stderr, name)
    if kind == "plain" or not sys.stderr.isatty() or os.environ.get("TERM", "") in ("", "dumb", "unknown"):
        return PlainProgress(verbosity, sys.stderr, name)
    return LiveProgress(verbosity, sys.stderr, name)


def tell_all(observer: Observer, notices: Iterable[Notice]) -> None:
    """Tell the user what was known before the run."""
    for notice in notices:
        observer.on_notice(notice)


def headline(snapshot: Snapshot, rate: Rate) -> str:
    """Return, for example: casting: 31 % of 41.2 GB, 1.09 GB/s, 12 s left; repairs 0.4 %; 97/100 targets."""
    parts = []
    if snapshot.phase in SENDING and snapshot.bytes_planned:
        amount = f"{100 * snapshot.bytes_sent // snapshot.bytes_planned} % of {size(snapshot.bytes_planned)}"
        left = snapshot.bytes_planned - snapshot.bytes_sent
        if left:
            amount += f", {size(rate.bytes_s)}/s"
        if left and rate.bytes_s > 0:
            amount += f", {duration(rate.left_s(snapshot))} left"
        parts.append(amount)
    if snapshot.phase == "scanning":
        parts.append(scanned(snapshot))
    if work := work_done(snapshot):
        parts.append(work)
    if snapshot.bytes_repaired and snapshot.bytes_sent:  # the share is meaningless without contents
        share = percentage(snapshot.bytes_repaired, snapshot.bytes_traffic)
        parts.append(f"repairs {share}")
    counts = Counter(state_of(target, snapshot.phase) for target in snapshot.targets)
    away = counts["awaited"] + sum(counts[state] for state in ENDED)
    if snapshot.targets:
        parts.append(f"{len(snapshot.targets) - away}/{len(snapshot.targets)} targets")
    parts += [f"{counts[state]} {state}" for state in ("silent", *ENDED) if counts[state]]
    return f"{snapshot.phase}: {'; '.join(parts)}"
