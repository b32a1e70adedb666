"""Make the standard streams safe: if they are closed, full or without a reader, commands still work."""

from __future__ import annotations

import io
import os
import select
import sys
from types import TracebackType
from typing import Any, TextIO

from mrsync.errors import FileError


class StandardStreams:
    """A context in which print() and displays cannot fail. At its end, lost output is reported on stderr.

    name: of the command, which precedes its messages on stderr.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._before = sys.stdin, sys.stdout, sys.stderr
        self._output = _TolerantFile(1)

    def __enter__(self) -> StandardStreams:
        self._output.is_closed = 1 in _occupy_descriptors()
        if sys.stdin is None:
            sys.stdin = open(0, closefd=False)
        if sys.stdout is sys.__stdout__:  # else it is redirected inside this process
            sys.stdout = _text_stream(self._output, sys.stdout, is_line_buffered=self._output.isatty())
        if sys.stderr is sys.__stderr__:
            sys.stderr = _text_stream(_TolerantFile(2), sys.stderr, is_line_buffered=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        sys.stdout.flush()
        if self._output.failure:
            print(f"{self._name}: cannot write to stdout: {self._output.failure}", file=sys.stderr)
        sys.stderr.flush()
        sys.stdin, sys.stdout, sys.stderr = self._before


class _TolerantFile(io.BufferedIOBase):
    """A descriptor that accepts all data.

    failure: why data was lost; empty if none was. is_closed: it was when the program started.
    It has no buffer: data may be lost if a signal handler raises an exception, but is never written twice.
    """

    def __init__(self, descriptor: int) -> None:
        self.failure = ""
        self.is_closed = False
        self._descriptor = descriptor

    def write(self, data: Any, /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        if self.is_closed and size:
            self.failure = "it is closed"
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process has made it non-blocking
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.failure = self.failure or error.strerror or str(error)
                break
        return size

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)


def check_written() -> None:
    """Raise FileError if part of the output of a command, which is its result, was lost."""
    sys.stdout.flush()
    file = sys.stdout.buffer
    if isinstance(file, _TolerantFile) and file.failure:
        reason, file.failure = file.failure, ""  # told once
        raise FileError(f"cannot write to stdout: {reason}")


def _occupy_descriptors() -> set[int]:
    """Open descriptors 0 to 2 if they are closed. Return which were.

    Otherwise the next socket or file would be taken for a standard stream. Nothing can be read from them: a list that
    is to come from a closed stdin is an error, not empty.
    """
    closed = set()
    while (opened := os.open(os.devnull, os.O_WRONLY)) <= 2:
        os.set_inheritable(opened, True)
        closed.add(opened)
    os.close(opened)
    return closed


def _text_stream(file: _TolerantFile, before: TextIO | None, *, is_line_buffered: bool) -> TextIO:
    encoding = before.encoding if before is not None else "utf-8"
    return io.TextIOWrapper(  # type: ignore[type-var]  # needs no more than this file has
        file, encoding, errors="backslashreplace", line_buffering=is_line_buffered
    )
