"""Open the way for reports through a firewall or a NAT in front of the master.

Both let in packets that look like replies. Reports do, once we have sent a packet to where they come from.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence

from mrsync.run.bootstrap import Readiness
from mrsync.transport.network.interface import Interface, family_of
from mrsync.transport.network.paths import Path, PathKind


def paths_to(sockets: Sequence[socket.socket], interfaces: Sequence[Interface], ready: Readiness) -> Iterator[Path]:
    """Yield the paths from the report socket of each interface to the catcher, if it has announced where it listens."""
    if not ready.port:
        return
    for opened, interface in zip(sockets, interfaces, strict=True):
        if interface.family == family_of(ready.address):
            yield Path(opened, interface.at(ready.address, ready.port), PathKind.ANSWER)
