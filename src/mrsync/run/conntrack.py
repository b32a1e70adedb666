"""Stateful firewalls of the master: they let in what answers, so the master asks each catcher for its reports."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress

from mrsync.run.bootstrap import Readiness
from mrsync.transport.interface import Interface, family_of


def ask_for_reports(sockets: Sequence[socket.socket], interfaces: Sequence[Interface], ready: Readiness) -> None:
    """Send an empty datagram from the port that reports come to: a firewall takes them for answers from then on."""
    if not ready.port:
        return
    for opened, interface in zip(sockets, interfaces, strict=True):
        if interface.family == family_of(ready.address):
            with suppress(OSError):  # no route, or a firewall: what it is good for is told by who is not heard
                opened.sendto(b"", interface.at(ready.address, ready.port))
