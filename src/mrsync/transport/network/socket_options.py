"""Optional socket options: without one of them, a session is slower or reports less, but works."""

from __future__ import annotations

import socket

from mrsync.tuples import NamedTuple


class HelpfulOption(NamedTuple):
    """A socket option. without: what happens if it is not available."""

    name: str
    level: int
    number: int
    without: str


SO_RXQ_OVFL = 40
UDP_GRO = 104

DROP_COUNT = HelpfulOption("SO_RXQ_OVFL", socket.SOL_SOCKET, SO_RXQ_OVFL, "drops are not counted")
MERGED_PACKETS = HelpfulOption("UDP_GRO", socket.IPPROTO_UDP, UDP_GRO, "packets come one by one")
ARRIVAL_TIMES = HelpfulOption("SO_TIMESTAMPNS", socket.SOL_SOCKET, 35, "round trips include waiting in programs")
OWN_GROUPS_IPV4 = HelpfulOption("IP_MULTICAST_ALL", socket.IPPROTO_IP, 49, "other groups are heard and rejected")
OWN_GROUPS_IPV6 = HelpfulOption("IPV6_MULTICAST_ALL", socket.IPPROTO_IPV6, 29, OWN_GROUPS_IPV4.without)
NO_FRAGMENTS_IPV4 = HelpfulOption("IP_MTU_DISCOVER", socket.IPPROTO_IP, 10, "packets may be fragmented")
NO_FRAGMENTS_IPV6 = HelpfulOption("IPV6_MTU_DISCOVER", socket.IPPROTO_IPV6, 23, NO_FRAGMENTS_IPV4.without)
LOOP_IPV4 = HelpfulOption("IP_MULTICAST_LOOP", socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, "this host hears itself")
LOOP_IPV6 = HelpfulOption("IPV6_MULTICAST_LOOP", socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, LOOP_IPV4.without)
TTL_IPV4 = HelpfulOption("IP_RECVTTL", socket.IPPROTO_IP, 12, "routers are not counted")
TTL_IPV6 = HelpfulOption("IPV6_RECVHOPLIMIT", socket.IPPROTO_IPV6, 51, TTL_IPV4.without)
MARKS_IPV4 = HelpfulOption("IP_RECVTOS", socket.IPPROTO_IP, 13, "congestion is seen by losses and delay only")
MARKS_IPV6 = HelpfulOption("IPV6_RECVTCLASS", socket.IPPROTO_IPV6, 66, MARKS_IPV4.without)
CLASS_IPV4 = HelpfulOption("IP_TOS", socket.IPPROTO_IP, socket.IP_TOS, "routers treat packets like any others")
CLASS_IPV6 = HelpfulOption("IPV6_TCLASS", socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CLASS_IPV4.without)
SHARED_PORT = HelpfulOption("SO_REUSEADDR", socket.SOL_SOCKET, socket.SO_REUSEADDR, "one program per port")
SEND_BUFFER = HelpfulOption("SO_SNDBUF", socket.SOL_SOCKET, socket.SO_SNDBUF, "the send buffer has the default size")
FORCED_BUFFER = HelpfulOption("SO_RCVBUFFORCE", socket.SOL_SOCKET, 33, "net.core.rmem_max limits the buffer")
RECEIVE_BUFFER = HelpfulOption("SO_RCVBUF", socket.SOL_SOCKET, socket.SO_RCVBUF, "the buffer has the default size")

_TOLD = {
    socket.AF_INET: (DROP_COUNT, MERGED_PACKETS, ARRIVAL_TIMES, OWN_GROUPS_IPV4, NO_FRAGMENTS_IPV4, TTL_IPV4),
    socket.AF_INET6: (DROP_COUNT, MERGED_PACKETS, ARRIVAL_TIMES, OWN_GROUPS_IPV6, NO_FRAGMENTS_IPV6, TTL_IPV6),
}


def try_option(opened: socket.socket, option: HelpfulOption, value: int) -> bool:
    """Set the option. Return whether the kernel accepted it."""
    try:
        opened.setsockopt(option.level, option.number, value)
    except OSError:  # ENOPROTOOPT, EOPNOTSUPP, EINVAL or EPERM, depending on the sandbox
        return False
    return True


def describe_missing(opened: socket.socket) -> str:
    """Return the options that this kernel or sandbox lacks: "SO_RXQ_OVFL (drops are not counted), ...", or ""."""
    missing = [option for option in _TOLD[opened.family] if not _is_known(opened, option)]
    return ", ".join(f"{option.name} ({option.without})" for option in missing)


def _is_known(opened: socket.socket, option: HelpfulOption) -> bool:
    try:
        opened.getsockopt(option.level, option.number)
    except OSError:
        return False
    return True
