"""What makes sure that nothing we started outlives us for long, not even after a kill -9."""

from __future__ import annotations

import os
import signal
import subprocess

from mrsync.errors import StartError

GRACE_S = 10  # for remote shells to end by themselves, after the catchers behind them


class Guard:
    """A process that leads the group of all remote shells; a while after the end of its stdin it kills the group."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def group(self) -> int:
        """The process group to start others in."""
        assert self._process is not None  # started before them
        return self._process.pid

    def start(self) -> None:
        """Raises StartError."""
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"read line; sleep {GRACE_S}; kill -KILL 0"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,
            )
        except OSError as error:
            raise StartError(f"/bin/sh cannot be started: {error.strerror}") from error

    def stop(self) -> None:
        """Kill whatever is left of the group."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
