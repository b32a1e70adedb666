"""A terminal, as far as a progress display uses one: what stays on it, and whether its cursor is seen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence

from tests.support.waiting import HANG_S

_TOKEN = re.compile(r"\x1b\[(?P<numbers>[?0-9;]*)(?P<final>[A-Za-z])|(?P<control>[\r\n])|(?P<text>[^\x1b\r\n]+)")


class Screen:
    """Takes what a program writes; `lines` is what a person sees then."""

    def __init__(self) -> None:
        self.lines = [""]
        self.has_cursor = True
        self._row = 0
        self._column = 0

    def feed(self, text: str) -> None:
        position = 0
        while position < len(text):
            token = _TOKEN.match(text, position)
            assert token, f"unknown control sequence {text[position : position + 10]!r}"
            position = token.end()
            if token["text"]:
                self._put(token["text"])
            elif token["control"]:
                self._move(self._row + (token["control"] == "\n"))
            else:
                self._obey(token["numbers"], token["final"])

    def seen(self) -> list[str]:
        """Lines that are not blank."""
        return [line.rstrip() for line in self.lines if line.strip()]

    def _put(self, text: str) -> None:
        line = self.lines[self._row].ljust(self._column)
        self.lines[self._row] = line[: self._column] + text + line[self._column + len(text) :]
        self._column += len(text)

    def _move(self, row: int) -> None:
        self._row, self._column = max(0, row), 0
        self.lines += [""] * (self._row + 1 - len(self.lines))

    def _obey(self, numbers: str, final: str) -> None:
        if final == "A":
            self._row = max(0, self._row - int(numbers or 1))
        elif final == "K":
            assert numbers == "2"
            self.lines[self._row] = ""
        elif numbers == "?25":
            self.has_cursor = final == "h"
        else:
            assert final == "m", f"unknown control sequence {numbers}{final}"


def run_on_terminal(command: Sequence[str], *, on_output: Callable[[str, int], None] | None = None) -> tuple[int, str]:
    """Run a program whose only terminal is a new one; its exit status and all that it wrote there.

    on_output: called with all that was written so far and the process id, whenever there is more.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    )
    os.close(theirs)
    output = ""
    deadline = time.monotonic() + HANG_S
    try:
        while select.select([ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
            try:
                output += os.read(ours, 65536).decode()
            except OSError:  # the other end was closed by the last who had it
                break
            if on_output is not None:
                on_output(output, process.pid)
        return process.wait(5), output
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(ours)
