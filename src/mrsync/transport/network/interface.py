"""The network interfaces of this host, each with an address of the session's family."""

from __future__ import annotations

import socket
from typing import Any

from mrsync.errors import SocketError
from mrsync.transport.network.netlink import NetworkLink, OwnAddress, links, own_addresses
from mrsync.tuples import NamedTuple

IPV4, IPV6 = socket.AF_INET, socket.AF_INET6
FAMILY_NAMES: dict[int, str] = {IPV4: "IPv4", IPV6: "IPv6"}


class Interface(NamedTuple):
    """An interface for multicast. mtu: in bytes. address: numeric; a link-local one without its scope."""

    name: str
    ifindex: int
    address: str
    mtu: int
    is_loopback: bool
    has_multicast: bool = True
    has_carrier: bool = True

    @property
    def family(self) -> int:
        return family_of(self.address)

    def at(self, address: str, port: int) -> tuple[Any, ...]:
        """Return a socket address for an address and a port. A link-local address gets this interface as its scope."""
        if family_of(address) == IPV4:
            return address, port
        return address, port, 0, self.ifindex if has_scope(address) else 0


def family_of(address: str) -> int:
    """Return the family of a numeric address."""
    return IPV6 if ":" in address else IPV4


def is_address(text: str) -> bool:
    """Return whether this is a numeric address, with or without a scope."""
    return is_bare_address(text.partition("%")[0])


def is_bare_address(text: str) -> bool:
    """Return whether this is a numeric address without a scope, so that no name server is ever asked for it."""
    return _packed(text) is not None


def has_scope(address: str) -> bool:
    """Return whether this numeric address is only unique on one link."""
    if family_of(address) == IPV4:
        return False
    packed = socket.inet_pton(IPV6, address)
    if packed[0] == 0xFF:
        return packed[1] & 0xF in (1, 2)  # interface-local, link-local
    return packed[0] == 0xFE and packed[1] & 0xC0 == 0x80


def interface_named(wanted: str, family: int = IPV4) -> Interface:
    """Return the interface with this name, index or address (of any family), for a session of this family.

    Raise SocketError if there is none, if it is down, or if it has no address of the family.
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
    """Return the interface with this index. preferred: the address to use if it has several. Raise SocketError."""
    link = _links().get(index)
    if link is None:
        raise SocketError(f"there is no interface {index} here")
    return _described(link, family, preferred)


def loopback_interface(family: int = IPV4) -> Interface:
    """Return the loopback interface. Raise SocketError if it is down."""
    for link in _links().values():
        if link.is_loopback and link.is_up:
            return _described(link, family)
    raise SocketError("the loopback interface is down")


def multicast_interfaces(family: int) -> list[Interface]:
    """Return all interfaces for multicast of this family in the kernel's order, without the loopback interface."""
    indices = dict.fromkeys(own.ifindex for own in _addresses(family))
    fit = [link for link in _links().values() if link.is_up and link.has_multicast and not link.is_loopback]
    return [_described(link, family) for link in fit if link.ifindex in indices]


def deafness(interface: Interface) -> str:
    """Return why multicast that is sent on this interface reaches no host, or ""."""
    if not interface.has_multicast and (interface.family == IPV6 or not interface.is_loopback):
        return f"interface {interface.name} does not support multicast"
    if not interface.has_carrier:
        return f"interface {interface.name} has no carrier (is its cable plugged in?)"
    return ""


def _described(link: NetworkLink, family: int, preferred: str = "") -> Interface:
    """Describe a link. Use the preferred address if it has it, else one with global scope that is not deprecated."""
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
    """Return all links by index. Raise SocketError."""
    try:
        return {link.ifindex: link for link in links()}
    except OSError as error:
        raise SocketError(f"the kernel reports no interfaces: {error.strerror}") from error


def _addresses(family: int) -> list[OwnAddress]:
    try:
        return own_addresses(family)
    except OSError as error:
        raise SocketError(f"the kernel reports no addresses: {error.strerror}") from error


def _packed(address: str) -> bytes | None:
    """Return the packed address, which is equal for all spellings, or None if it is not an address."""
    try:
        return socket.inet_pton(family_of(address), address)
    except (OSError, ValueError):  # ValueError for what no C string can be
        return None
