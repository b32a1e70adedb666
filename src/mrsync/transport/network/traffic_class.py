"""The traffic class of packets: what routers are asked to do with them where their queues are long."""

from __future__ import annotations

import socket

from mrsync.transport.network.socket_options import CLASS_IPV4, CLASS_IPV6, try_option
from mrsync.wire.messages import NetworkShare

_MARK_ME = 0b10  # ECT(0) of RFC 3168: mark packets rather than drop them
_LOWER_EFFORT = 1 << 2  # the code point LE of RFC 8622: send all others first
_CLASSES = {NetworkShare.ALL: 0, NetworkShare.FAIR: _MARK_ME, NetworkShare.POLITE: _LOWER_EFFORT | _MARK_ME}


def set_traffic_class(opened: socket.socket, share: NetworkShare) -> None:
    """Give all packets that are sent from now on the class for this share."""
    try_option(opened, CLASS_IPV6 if opened.family == socket.AF_INET6 else CLASS_IPV4, _CLASSES[share])
