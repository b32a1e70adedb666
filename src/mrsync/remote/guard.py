"""Kill leftover remote shells, even if this process was killed with SIGKILL.

All remote shells are started in the process group of a small shell script that reads from a pipe of ours. The kernel
closes the pipe however we end. The script then waits GRACE_S and kills its own group.
"""

from __future__ import annotations

import os
import signal
import subprocess

from mrsync.errors import StartError

GRACE_S = 10  # catchers end on their own first, and then their remote shells


class Guard:
    """The process that leads the group of all remote shells, and kills it GRACE_S after the end of its stdin."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def group(self) -> int:
        """The process group in which to start remote shells. Valid after start()."""
        assert self._process is not None  # started before them
        return self._process.pid

    def start(self) -> None:
        """Start the guard. Raise StartError if there is no /bin/sh."""
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
        """Kill all remaining processes of the group, including the guard."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
