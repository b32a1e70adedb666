"""Reading datagrams one by one from a socket that may hand them out merged (UDP_GRO)."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import Any

from mrsync.transport.socket_options import SO_RXQ_OVFL, UDP_GRO

ANCILLARY_BYTES = 2 * socket.CMSG_SPACE(4)
_ROOM_BYTES = 1 << 16


def receive_datagrams(opened: socket.socket) -> tuple[list[bytes], Any]:
    """The next datagrams that came together, and the address they came from; BlockingIOError if there are none."""
    data, ancillary, _, source = opened.recvmsg(_ROOM_BYTES, ANCILLARY_BYTES)
    segment = read_ancillary(ancillary)[0] or len(data) or 1
    return [data[at : at + segment] for at in range(0, len(data), segment)], source


def read_ancillary(ancillary: Sequence[tuple[int, int, bytes]]) -> tuple[int, int]:
    """Bytes of each of the packets that the kernel merged, and how many packets it has dropped on this socket so far.

    Either is 0 when it says nothing of it. The last of the merged packets may be shorter.
    """
    segment = drops = 0
    for level, kind, data in ancillary:
        if kind == UDP_GRO and level == socket.IPPROTO_UDP:
            segment = int.from_bytes(data, sys.byteorder)
        elif kind == SO_RXQ_OVFL and level == socket.SOL_SOCKET:
            drops = int.from_bytes(data, sys.byteorder)
    return segment, drops
