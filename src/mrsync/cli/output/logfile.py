"""The log file: a line for the start and end of each session, for notices, itemized changes, and debug lines."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any

from mrsync import __version__
from mrsync.cli.output.output_files import open_log
from mrsync.cli.output.report import complaint, verdict
from mrsync.errors import ExitStatus, MrsyncError
from mrsync.run.cast.outcome import Outcome
from mrsync.run.observer import Notice, Observer, Snapshot

JSON = "json"
PLAIN = re.compile(r"[\w./:{}@,+=-]+")


class LogFile:
    """Observer that logs one session and passes everything on to another observer.

    path: of the file. style: JSON, or else text.
    Each line is appended by one write, so several sessions can share the file. Use it as a context: it logs an end by
    an exception. Raise FileError if the file cannot be opened.
    """

    def __init__(self, path: str, style: str, session: int) -> None:
        self._fd = open_log(path)
        self._path = path
        self._format = _json_line if style == JSON else _text_line
        self._session = f"{session:016x}"
        self._observer: Observer | None = None
        self._has_failed = self._has_ended = False

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._has_ended:
            pass
        elif isinstance(error, MrsyncError):
            self._write("end", exit_status=error.exit_status, outcome=str(error))
        elif error is not None:
            self._write("end", exit_status=ExitStatus.USAGE, outcome=f"internal error: {type(error).__name__}: {error}")
        os.close(self._fd)

    @property
    def due_at(self) -> float | None:
        return self._observer.due_at if self._observer is not None else None

    def before(self, observer: Observer) -> LogFile:
        """Set the observer to pass everything on to, and return this one."""
        self._observer = observer
        return self

    def begin(self, program: str, source: bytes, dest: bytes, targets: str, arguments: Sequence[str]) -> None:
        """Log the start of the session. targets: folded, or as the user names them."""
        self._write(
            "start",
            program=program,
            version=__version__,
            source=os.fsdecode(source),
            dest=os.fsdecode(dest),
            targets=targets,
            options=shlex.join(arguments),
        )

    def end(self, outcome: Outcome) -> None:
        """Log the end of a session that has an outcome."""
        self._has_ended = True
        self._write(
            "end",
            exit_status=outcome.exit_status,
            outcome=complaint(outcome) or "complete",
            verdict=verdict(outcome),
            files=outcome.files_planned,
            bytes_planned=outcome.bytes_planned,
            bytes_sent=outcome.bytes_sent,
            seconds=outcome.seconds.total,
        )

    def change(self, line: str) -> None:
        """Log a change as it is printed."""
        self._write("change", text=line)

    def trace(self, kind: str, fields: dict[str, object]) -> None:
        """Log a line of `protocol/traced.py`."""
        self._write(kind, **fields)

    def on_notice(self, notice: Notice) -> None:
        host = {"host": notice.host} if notice.host else {}
        self._write("notice", level=notice.level, **host, text=notice.text)
        if self._observer is not None:
            self._observer.on_notice(notice)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if self._observer is not None:
            self._observer.on_snapshot(snapshot)

    def _write(self, event: str, **fields: Any) -> None:
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        line = self._format(now, self._session, event, fields).encode("utf-8", "backslashreplace") + b"\n"
        try:
            if os.write(self._fd, line) != len(line):
                raise OSError(0, "only a part of a line could be written")
        except OSError as error:
            self._complain(error.strerror or "")

    def _complain(self, reason: str) -> None:
        """Report once that the log cannot be written. That does not stop the session."""
        if self._has_failed:
            return
        self._has_failed = True
        sentence = f"cannot write to the log file {self._path}: {reason}"
        if self._observer is not None:
            self._observer.on_notice(Notice(0, sentence))
        else:
            print(sentence, file=sys.stderr, flush=True)


def _json_line(now: str, session: str, event: str, fields: dict[str, Any]) -> str:
    return json.dumps({"time": now, "session": session, "event": event, **fields})


def _text_line(now: str, session: str, event: str, fields: dict[str, Any]) -> str:
    """Return `2026-01-02T03:04:05.678+01:00 0123456789abcdef start source="/a b" ...`, escaped."""
    if event == "notice":
        host = f"{fields['host']}: " if "host" in fields else ""
        words = [host + fields["text"]]
    elif event == "change":
        words = [event, fields["text"]]
    else:
        words = [event, *(f"{name}={_quoted(str(value))}" for name, value in fields.items())]
    line = " ".join((now, session, *words))
    return line if line.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)


def _quoted(value: str) -> str:
    return value if PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
