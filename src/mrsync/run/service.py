"""What systemd is told by its services: sd_notify(3), and the priority of each line by sd-daemon(3)."""

from __future__ import annotations

import os
import socket

ERROR, WARNING, INFO, DEBUG = 3, 4, 6, 7  # of syslog(3)


def notify(state: str) -> None:
    """Send one assignment such as READY=1 to the service manager, if there is one that listens.

    A manager that cannot be reached changes nothing: the unit's own timeouts say so.
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
    """Return <N>, which begins a line of this priority where a descriptor leads to the journal; empty elsewhere."""
    journal = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(descriptor)
    except OSError:
        return ""
    return f"<{priority}>" if journal == f"{status.st_dev}:{status.st_ino}" else ""
