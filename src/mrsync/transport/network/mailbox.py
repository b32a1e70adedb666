"""Read datagrams one by one from a socket on which the kernel may merge them (UDP_GRO)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import Any

from mrsync.transport.network.socket_options import SO_RXQ_OVFL, UDP_GRO

ANCILLARY_BYTES = 3 * socket.CMSG_SPACE(4)
_CE = 3  # both bits of the field for congestion
_TRAFFIC_CLASSES = ((socket.IPPROTO_IP, socket.IP_TOS), (socket.IPPROTO_IPV6, socket.IPV6_TCLASS))
_ROOM_BYTES = 1 << 16


def receive_datagrams(opened: socket.socket) -> tuple[list[bytes], Any]:
    """Return the next datagrams, which arrived together, and their source. Raise BlockingIOError if there are none."""
    data, ancillary, _, source = opened.recvmsg(_ROOM_BYTES, ANCILLARY_BYTES)
    segment = read_ancillary(ancillary)[0] or len(data) or 1
    return [data[at : at + segment] for at in range(0, len(data), segment)], source


def read_ancillary(ancillary: Sequence[tuple[int, int, bytes]]) -> tuple[int, int, bool]:
    """Return the size of merged packets, the number of packets dropped on this socket so far, and if there is a mark.

    Numbers are 0 if the kernel does not report them. The last of the merged packets may be shorter. Mark: of a router
    whose queue is long (RFC 3168).
    """
    segment = drops = 0
    is_marked = False
    for level, kind, data in ancillary:
        if kind == UDP_GRO and level == socket.IPPROTO_UDP:
            segment = int.from_bytes(data, sys.byteorder)
        elif kind == SO_RXQ_OVFL and level == socket.SOL_SOCKET:
            drops = int.from_bytes(data, sys.byteorder)
        elif (level, kind) in _TRAFFIC_CLASSES:
            is_marked = int.from_bytes(data, sys.byteorder) & _CE == _CE
    return segment, drops, is_marked
