"""Notify systemd (sd_notify(3)), and mark lines with their priorities (sd-daemon(3))."""

from __future__ import annotations

import os
import socket

ERROR, WARNING, INFO, DEBUG = 3, 4, 6, 7  # levels of syslog(3)


def notify(state: str) -> None:
    """Send an assignment such as READY=1 to the service manager, if there is one that listens.

    Ignore errors: the timeouts of the unit report a missing notification.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as opened:
        opened.setblocking(False)
        try:
            opened.sendto(state.encode("utf-8", "replace"), address)
        except OSError:
            return


def priority_mark(descriptor: int, priority: int) -> str:
    """Return "<N>" to begin a line with this priority if the descriptor leads to the journal, else ""."""
    journal = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return ""
    return f"<{priority}>" if journal == f"{status.st_dev}:{status.st_ino}" else ""
