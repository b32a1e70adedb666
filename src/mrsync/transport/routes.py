"""Which interfaces lead to which hosts: asked of the resolver and of the kernel, nothing is sent."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mrsync.errors import SocketError
from mrsync.transport.interface import (
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
from mrsync.transport.names import address_of
from mrsync.transport.netlink import Route, route


class Ways(NamedTuple):
    """How hosts are reached.

    interfaces: those with most hosts behind them first; behind: for each host the position of its interface, or None
    where its name is known to a remote shell at most; routed: positions of hosts that are behind a router; is_local:
    nothing needs to leave this host.
    """

    interfaces: tuple[Interface, ...]
    behind: tuple[int | None, ...]
    routed: tuple[int, ...] = ()
    is_local: bool = False


def ways_towards(hosts: Sequence[str], family: int) -> Ways:
    """The interfaces that hosts, names or addresses, are reached through; when all of them are this host, a local one.

    Hosts that nobody here knows are behind the only interface, if there is only one. Raises SocketError otherwise.
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
    """These interfaces, and which of them each host is behind."""
    return _arranged(interfaces, [_try_route(host, family) for host in hosts])


def _arranged(interfaces: tuple[Interface, ...], found: Sequence[Route | str]) -> Ways:
    place = {interface.index: number for number, interface in enumerate(interfaces)}
    return Ways(
        interfaces,
        behind=tuple(place.get(way.ifindex) if isinstance(way, Route) else None for way in found),
        routed=tuple(number for number, way in enumerate(found) if isinstance(way, Route) and way.has_gateway),
    )


def _try_route(host: str, family: int) -> Route | str:
    """The route, or one sentence why there is none."""
    try:
        return route_to(host, family)
    except OSError as error:
        return _problem(host, family, error)


def looped_interface(family: int) -> Interface:
    """For sessions that do not leave this host; raises SocketError.

    Linux takes no IPv6 multicast on the loopback interface; any other one brings back what is sent with a TTL of 0.
    """
    if family == IPV4:
        return loopback_interface()
    for interface in multicast_interfaces(family):
        return interface
    raise SocketError("no interface here takes IPv6 multicast; choose an IPv4 group with -A")


def interfaces_towards_master(address: str) -> list[Interface]:
    """Where a catcher listens for a master with this address, or for a group.

    A link-local address means nothing without the name that our own interface has: all that it may be heard on.
    Raises SocketError.
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
    """IPv6 if this host has nothing else, but for loopback."""
    return IPV4 if multicast_interfaces(IPV4) or not multicast_interfaces(IPV6) else IPV6


def route_to(host: str, family: int) -> Route:
    """Raises OSError, socket.gaierror among them."""
    address, index = address_of(host, family)
    return route(family, address, index)


def has_address(host: str, family: int) -> bool:
    """Whether the resolver knows one of that family."""
    try:
        return bool(address_of(host, family))
    except OSError:
        return False


def is_this_host(host: str, family: int = IPV4) -> bool:
    """Whether packets to this name or address stay here; False for names that cannot be resolved."""
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
