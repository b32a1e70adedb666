"""Ask the kernel for links, addresses and routes of both families by rtnetlink(7)."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator

from mrsync.tuples import NamedTuple

_RTM_GETLINK, _RTM_GETADDR, _RTM_GETROUTE = 18, 22, 26
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x300
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix bits, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, destination bits, source bits, tos, table, protocol, scope, type, flags
_IFLA_IFNAME, _IFLA_MTU = 3, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC, _RTA_VIA = 1, 4, 5, 7, 18
_RTN_LOCAL = 2
_DADFAILED, _DEPRECATED, _TENTATIVE = 0x08, 0x20, 0x40
_IFF_UP, _IFF_LOOPBACK, _IFF_MULTICAST, _IFF_LOWER_UP = 0x1, 0x8, 0x1000, 0x10000
_ROOM = 1 << 16


class NetworkLink(NamedTuple):
    """A network interface. mtu: in bytes."""

    name: str
    ifindex: int
    mtu: int
    is_up: bool
    is_loopback: bool
    has_multicast: bool
    has_carrier: bool


class OwnAddress(NamedTuple):
    """A usable address of this host. Numeric; link-local ones are without their scope."""

    address: str
    ifindex: int
    is_deprecated: bool


class Route(NamedTuple):
    """The route to an address. source: the address that packets are sent from."""

    ifindex: int
    source: str
    is_local: bool  # the destination is this host
    has_gateway: bool  # the next hop is a router


def links() -> list[NetworkLink]:
    """Return all interfaces of this host. Raise OSError."""
    found = []
    for body in _dump(_RTM_GETLINK, socket.AF_UNSPEC):
        _, _, index, flags, _ = _LINK.unpack_from(body)
        known = _attributes(body, _LINK.size)
        found.append(
            NetworkLink(
                name=known[_IFLA_IFNAME].rstrip(b"\0").decode(errors="replace"),
                ifindex=index,
                mtu=_number(known.get(_IFLA_MTU, b"")),
                is_up=bool(flags & _IFF_UP),
                is_loopback=bool(flags & _IFF_LOOPBACK),
                has_multicast=bool(flags & _IFF_MULTICAST),
                has_carrier=bool(flags & _IFF_LOWER_UP),
            )
        )
    return found


def own_addresses(family: int) -> list[OwnAddress]:
    """Return all addresses of this host of one family, in the kernel's order. Raise OSError."""
    found = []
    for body in _dump(_RTM_GETADDR, family):
        _, _, flags, _, index = _ADDRESS.unpack_from(body)
        known = _attributes(body, _ADDRESS.size)
        flags = _number(known[_IFA_FLAGS]) if _IFA_FLAGS in known else flags
        packed = known.get(_IFA_LOCAL) or known.get(_IFA_ADDRESS)
        if packed and not flags & (_TENTATIVE | _DADFAILED):
            found.append(OwnAddress(socket.inet_ntop(family, packed), index, bool(flags & _DEPRECATED)))
    return found


def route(family: int, address: str, ifindex: int = 0) -> Route:
    """Return the route to a numeric address of a family, by the interface with this index if it is not 0.

    Raise OSError if there is none.
    """
    packed = socket.inet_pton(family, address)
    request = _ROUTE.pack(family, 8 * len(packed), 0, 0, 0, 0, 0, 0, 0) + _attribute(_RTA_DST, packed)
    if ifindex:
        request += _attribute(_RTA_OIF, struct.pack("=i", ifindex))
    for body in _answers(_RTM_GETROUTE, 0, request):
        kind = _ROUTE.unpack_from(body)[7]
        known = _attributes(body, _ROUTE.size)
        source = known.get(_RTA_PREFSRC)
        return Route(
            ifindex=_number(known.get(_RTA_OIF, b"")),
            source=socket.inet_ntop(family, source) if source else "",
            is_local=kind == _RTN_LOCAL,
            has_gateway=_RTA_GATEWAY in known or _RTA_VIA in known,
        )
    raise OSError(0, "the kernel returned no route")


def _dump(kind: int, family: int) -> Iterator[bytes]:
    body = _LINK.pack(family, 0, 0, 0, 0) if kind == _RTM_GETLINK else _ADDRESS.pack(family, 0, 0, 0, 0)
    return _answers(kind, _NLM_F_DUMP, body)


def _answers(kind: int, flags: int, body: bytes) -> Iterator[bytes]:
    """Yield the bodies of all messages that answer a request. Raise OSError."""
    request = _HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST | flags, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as asked:
        asked.sendto(request, (0, 0))
        while True:
            data = asked.recv(_ROOM)
            at = 0
            while at + _HEADER.size <= len(data):
                length, answer, _, _, _ = _HEADER.unpack_from(data, at)
                content = data[at + _HEADER.size : at + length]
                if answer == _NLMSG_DONE:
                    return
                if answer == _NLMSG_ERROR:
                    number = -struct.unpack_from("=i", content)[0]
                    raise OSError(number, os.strerror(number))
                yield content
                at += _aligned(length)
            if not flags:
                return  # without NLM_F_DUMP there is only one answer


def _attributes(body: bytes, at: int) -> dict[int, bytes]:
    found = {}
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _number(value: bytes) -> int:
    return int.from_bytes(value[:4], sys.byteorder)
