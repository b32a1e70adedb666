"""Find out which interfaces lead to which hosts. Asks the resolver and the kernel; sends nothing to the hosts."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Sequence

from mrsync.errors import SocketError
from mrsync.transport.network.interface import (
    FAMILY_NAMES,
    IPV4,
    IPV6,
    Interface,
    deafness,
    has_scope,
    interface_at,
    interface_named,
    loopback_interface,
    multicast_interfaces,
)
from mrsync.transport.network.names import address_of
from mrsync.transport.network.netlink import Route, route
from mrsync.tuples import NamedTuple


class Ways(NamedTuple):
    """The interfaces towards hosts.

    interfaces: those with the most hosts first. behind: for each host the index of its interface, or None if its
    address is not known here. routed: indices of hosts behind a router. is_local: all hosts are this host.
    """

    interfaces: tuple[Interface, ...]
    behind: tuple[int | None, ...]
    routed: tuple[int, ...] = ()
    is_local: bool = False


def ways_towards(hosts: Sequence[str], family: int) -> Ways:
    """Return the interfaces that lead to hosts (names or addresses). If all of them are this host, a local interface.

    If no host is known here and there is only one usable interface, it is that one. Else raise SocketError.
    """
    found = [_try_route(host, family) for host in hosts]
    routes = [way for way in found if isinstance(way, Route)]
    leaving = [way for way in routes if not way.is_local]
    if leaving:
        sources = {way.ifindex: way.source for way in reversed(leaving)}
        by_hosts = Counter(way.ifindex for way in leaving).most_common()
        interfaces = tuple(interface_at(index, family, sources[index]) for index, _ in by_hosts)
        return _arranged(interfaces, found)
    if routes:
        return Ways(
            (looped_interface(family),), tuple(0 if isinstance(way, Route) else None for way in found), (), True
        )
    if found and not any(has_address(host, other) for host in hosts for other in FAMILY_NAMES):
        usable = [interface for interface in multicast_interfaces(family) if not deafness(interface)]
        if len(usable) == 1:
            return Ways((usable[0],), (None,) * len(found))
    raise SocketError(f"cannot choose an interface: {found[-1] if found else 'no targets'}")


def ways_through(interfaces: tuple[Interface, ...], hosts: Sequence[str], family: int) -> Ways:
    """Return these interfaces, with the hosts that are behind each."""
    return _arranged(interfaces, [_try_route(host, family) for host in hosts])


def _arranged(interfaces: tuple[Interface, ...], found: Sequence[Route | str]) -> Ways:
    place = {interface.ifindex: number for number, interface in enumerate(interfaces)}
    return Ways(
        interfaces,
        behind=tuple(place.get(way.ifindex) if isinstance(way, Route) else None for way in found),
        routed=tuple(number for number, way in enumerate(found) if isinstance(way, Route) and way.has_gateway),
    )


def _try_route(host: str, family: int) -> Route | str:
    """Return the route, or a sentence that says why there is none."""
    try:
        return route_to(host, family)
    except OSError as error:
        return _problem(host, family, error)


def looped_interface(family: int) -> Interface:
    """Return an interface for sessions within this host. Raise SocketError.

    Linux does not send IPv6 multicast on the loopback interface. On any other one, packets with TTL 0 stay on this
    host.
    """
    if family == IPV4:
        return loopback_interface()
    for interface in multicast_interfaces(family):
        return interface
    raise SocketError("no interface here takes IPv6 multicast; choose an IPv4 group with -A")


def interfaces_towards_master(address: str) -> list[Interface]:
    """Return the interfaces on which a catcher listens. address: the master's, or a group.

    A link-local address without a scope may be on any interface, so all are returned. Raise SocketError.
    """
    family = IPV6 if ":" in address else IPV4
    if has_scope(address.partition("%")[0]) and "%" not in address:
        if found := multicast_interfaces(family):
            return found
        raise SocketError("no interface here takes IPv6 multicast")
    try:
        found_route = route_to(address, family)
    except OSError as error:
        raise SocketError(f"cannot choose an interface: {_problem(address, family, error)}") from error
    if found_route.is_local:
        return [interface_named(address, family)]
    return [interface_at(found_route.ifindex, family, found_route.source)]


def own_family() -> int:
    """Return IPv6 if this host has only IPv6 interfaces besides loopback, else IPv4."""
    return IPV4 if multicast_interfaces(IPV4) or not multicast_interfaces(IPV6) else IPV6


def route_to(host: str, family: int) -> Route:
    """Return the route to a name or address. Raise OSError or socket.gaierror."""
    address, index = address_of(host, family)
    return route(family, address, index)


def has_address(host: str, family: int) -> bool:
    """Return whether the resolver knows an address of this family."""
    try:
        return bool(address_of(host, family))
    except OSError:
        return False


def is_this_host(host: str, family: int = IPV4) -> bool:
    """Return whether this name or address is this host; False if it cannot be resolved."""
    try:
        return route_to(host, family).is_local
    except OSError:
        return False


def _problem(host: str, family: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"{host} has no {FAMILY_NAMES[family]} address that is known here (name the interface with -I)"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"there is no route to {host}"
    return f"{host}: {error.strerror}"
