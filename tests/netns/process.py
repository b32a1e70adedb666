"""Programs under test: started, listened to, and certainly ended."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time

from tests.support.waiting import HANG_S


class Process:
    """A running program; its stdout and stderr are one text. Tests wait for what it says, never for time to pass."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.output = ""
        self._popen = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert self._popen.stdout is not None
        self._stdout = self._popen.stdout

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait_for(self, pattern: str, *, timeout_s: float = HANG_S) -> re.Match[str]:
        """Until its text has this regular expression."""
        deadline = time.monotonic() + timeout_s
        while (match := re.search(pattern, self.output, re.MULTILINE)) is None:
            if not self._read(deadline):
                raise AssertionError(f"{self.name} never said {pattern!r}, but:\n{self.output}")
        return match

    def wait(self, *, timeout_s: float = HANG_S) -> int:
        """Until it ends: its exit status."""
        deadline = time.monotonic() + timeout_s
        while self._read(deadline):
            pass
        try:
            return self._popen.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {timeout_s} s, but said:\n{self.output}") from None

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def close(self) -> None:
        """Kill it, if it still runs, with all that it started."""
        if self._popen.poll() is None:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()
        self._stdout.close()

    def _read(self, deadline: float) -> bool:
        """Take what it says next; False at its end and at the deadline."""
        if not select.select([self._stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        data = os.read(self._stdout.fileno(), 65536)
        self.output += data.decode(errors="replace")
        return bool(data)
