"""Open the master's stateful firewall for reports.

A stateful firewall accepts packets that look like replies. Reports do, once we have sent a packet to where they
come from.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress

from mrsync.run.bootstrap import Readiness
from mrsync.transport.network.interface import Interface, family_of


def ask_for_reports(sockets: Sequence[socket.socket], interfaces: Sequence[Interface], ready: Readiness) -> None:
    """Send an empty datagram from each report socket to the catcher, so that firewalls take its reports for replies."""
    if not ready.port:
        return
    for opened, interface in zip(sockets, interfaces, strict=True):
        if interface.family == family_of(ready.address):
            with suppress(OSError):  # without a route or permission, the missing reports themselves show the problem
                opened.sendto(b"", interface.at(ready.address, ready.port))
