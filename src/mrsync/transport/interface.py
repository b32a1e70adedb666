"""The network interfaces of this host as a session needs them: each with an address of the session's family."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from mrsync.errors import SocketError
from mrsync.transport.netlink import NetworkLink, OwnAddress, links, own_addresses

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6
FAMILY_NAMES: dict[int, str] = {IPV4: "IPv4", IPV6: "IPv6"}


@dataclass(frozen=True)
class Interface:
    """Where multicast leaves and arrives; mtu in bytes, address numeric, a link-local one without its scope."""

    name: str
    index: int
    address: str
    mtu: int
    is_loopback: bool
    has_multicast: bool = True
    has_carrier: bool = True

    @property
    def family(self) -> int:
        return family_of(self.address)

    def at(self, address: str, port: int) -> tuple[Any, ...]:
        """An address and a port as sockets want them, on this interface where an address alone is ambiguous."""
        if family_of(address) == IPV4:
            return address, port
        return address, port, 0, self.index if has_scope(address) else 0


def family_of(address: str) -> int:
    """Of a numeric address."""
    return IPV6 if ":" in address else IPV4


def is_address(text: str) -> bool:
    """Whether this is a numeric address, with a scope or without."""
    return _packed(text.partition("%")[0]) is not None


def has_scope(address: str) -> bool:
    """Whether this numeric address means one thing on one link and another on the next."""
    if family_of(address) == IPV4:
        return False
    packed = socket.inet_pton(IPV6, address)
    if packed[0] == 0xFF:
        return packed[1] & 0xF in (1, 2)  # interface-local, link-local
    return packed[0] == 0xFE and packed[1] & 0xC0 == 0x80


def interface_named(wanted: str, family: int = IPV4) -> Interface:
    """The interface with this name, index or address (of any family), for sessions of this one.

    Raises SocketError when there is none, when it is down or has no address of the family.
    """
    known = _links()
    text, _, scope = wanted.partition("%")
    asked = _packed(text)
    for family_asked in (family, *(other for other in FAMILY_NAMES if other != family)):
        for own in _addresses(family_asked):
            link = known.get(own.ifindex)
            if link is None or asked != _packed(own.address) or (scope and scope not in (link.name, str(link.ifindex))):
                continue
            return _described(link, family, preferred=own.address)
    for link in known.values():
        if wanted in (link.name, str(link.ifindex)):
            return _described(link, family)
    names = ", ".join(sorted(link.name for link in known.values()))
    raise SocketError(f"there is no interface {wanted} here; there are {names}")


def interface_at(index: int, family: int, preferred: str = "") -> Interface:
    """The interface with this index, and of its addresses the preferred one; raises SocketError."""
    link = _links().get(index)
    if link is None:
        raise SocketError(f"there is no interface {index} here")
    return _described(link, family, preferred)


def loopback_interface(family: int = IPV4) -> Interface:
    """The interface for sessions that do not leave this host; raises SocketError when it is down."""
    for link in _links().values():
        if link.is_loopback and link.is_up:
            return _described(link, family)
    raise SocketError("the loopback interface is down")


def multicast_interfaces(family: int) -> list[Interface]:
    """All that multicast of this family may come and go by, in the kernel's order; without the loopback interface."""
    indices = dict.fromkeys(own.ifindex for own in _addresses(family))
    fit = [link for link in _links().values() if link.is_up and link.has_multicast and not link.is_loopback]
    return [_described(link, family) for link in fit if link.ifindex in indices]


def deafness(interface: Interface) -> str:
    """Why nobody hears what is cast there, or nothing."""
    if not interface.has_multicast and (interface.family == IPV6 or not interface.is_loopback):
        return f"interface {interface.name} does no multicast"
    if not interface.has_carrier:
        return f"interface {interface.name} has no carrier (is its cable plugged in?)"
    return ""


def _described(link: NetworkLink, family: int, preferred: str = "") -> Interface:
    """preferred: this address, if it is of the family; else one that reaches furthest, and is not on its way out."""
    if not link.is_up:
        raise SocketError(f"interface {link.name} is down")
    own = [own for own in _addresses(family) if own.ifindex == link.ifindex]
    if not own:
        raise SocketError(f"interface {link.name} has no {FAMILY_NAMES[family]} address")
    own.sort(key=lambda one: (one.address != preferred, one.is_deprecated, has_scope(one.address)))
    return Interface(
        link.name, link.ifindex, own[0].address, link.mtu, link.is_loopback, link.has_multicast, link.has_carrier
    )


def _links() -> dict[int, NetworkLink]:
    """By index; raises SocketError."""
    try:
        return {link.ifindex: link for link in links()}
    except OSError as error:
        raise SocketError(f"the kernel tells no interfaces: {error.strerror}") from error


def _addresses(family: int) -> list[OwnAddress]:
    try:
        return own_addresses(family)
    except OSError as error:
        raise SocketError(f"the kernel tells no addresses: {error.strerror}") from error


def _packed(address: str) -> bytes | None:
    """None for what is no address: two spellings of one address are one."""
    try:
        return socket.inet_pton(family_of(address), address)
    except OSError:
        return None
