"""Open the sockets of a session: one at the caster, two at each catcher."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

from mrsync.errors import PortInUseError, SocketError
from mrsync.transport.network import socket_options
from mrsync.transport.network.interface import FAMILY_NAMES, IPV4, IPV6, Interface, family_of, has_scope, is_address
from mrsync.transport.network.socket_options import try_option

_PMTUDISC_WANT = 1  # IPV6_PMTUDISC_WANT: fragment datagrams larger than the path MTU that routers reported
_PMTUDISC_PROBE = 3  # IP_PMTUDISC_PROBE: never fragment, ignore the path MTU; our own probes find a size that works
_PMTUDISC_OMIT = 5  # IP_PMTUDISC_OMIT: fragment what is larger than the interface's MTU, and let routers do so

UDP_SEGMENT = 103

SEND_BUFFER_BYTES = 128 << 10  # the kernel doubles it: four bursts; sends block before a queue of 20 ms drops
CASTER_RECEIVE_BUFFER_BYTES = 4 << 20  # for simultaneous reports of a thousand targets
DATA_BUFFER_BYTES = 32 << 20
UNTOLD_BUFFER_BYTES = 208 << 10  # the default of Linux


def check_group(group: str) -> None:
    """Raise SocketError unless this is a multicast address."""
    if not is_address(group):
        raise SocketError(f"the group {group} is not an address")
    first = socket.inet_pton(family_of(group), group)[0]
    if first != 0xFF if family_of(group) == IPV6 else not 224 <= first < 240:
        raise SocketError(f"the group {group} is not a multicast address")


def open_caster_socket(interface: Interface, group: str, port: int, *, ttl: int, is_looped: bool) -> socket.socket:
    """Open a socket that sends to (group, port) and receives reports on port - 1 of the interface's address.

    ttl: hops that packets to the group may take. is_looped: targets on this host receive the group too. Loopback
    interfaces deliver once in either case. Raise SocketError.
    """
    check_group(group)
    opened = _udp_socket(interface.family)
    try:
        aim(opened, interface, ttl=ttl, is_looped=is_looped)
        is_ipv6 = interface.family == IPV6
        no_fragments = socket_options.NO_FRAGMENTS_IPV6 if is_ipv6 else socket_options.NO_FRAGMENTS_IPV4
        try_option(opened, no_fragments, _PMTUDISC_PROBE)
        try_option(opened, socket_options.SEND_BUFFER, SEND_BUFFER_BYTES)
        _grow_receive_buffer(opened, CASTER_RECEIVE_BUFFER_BYTES)
        opened.bind(interface.at(interface.address, port - 1))
    except OSError as error:
        opened.close()
        raise _problem(error, interface, f"{interface.address} port {port - 1}") from error
    return opened


def allow_fragments(opened: socket.socket) -> None:
    """Have packets sent in fragments where they no longer fit. Call it when no probe has to find a size any longer.

    Each lost fragment loses its packet, but without them an MTU that shrinks would lose all.
    """
    if opened.family == IPV6:
        try_option(opened, socket_options.NO_FRAGMENTS_IPV6, _PMTUDISC_WANT)
    else:
        try_option(opened, socket_options.NO_FRAGMENTS_IPV4, _PMTUDISC_OMIT)


def aim(opened: socket.socket, interface: Interface, *, ttl: int, is_looped: bool) -> None:
    """Send to groups on this interface, over `ttl` hops, and to this host only if is_looped. Raise OSError."""
    if interface.family == IPV6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, interface.ifindex)
        try_option(opened, socket_options.LOOP_IPV6, int(is_looped))
    else:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _membership("0.0.0.0", interface))
        try_option(opened, socket_options.LOOP_IPV4, int(is_looped))
    set_group_ttl(opened, ttl)


def open_data_socket(
    interfaces: Sequence[Interface], group: str, port: int, *, buffer_bytes: int = DATA_BUFFER_BYTES
) -> socket.socket:
    """Open a socket that receives (group, port) on these interfaces.

    It shares the port with other catchers on this host. buffer_bytes: its receive buffer, as far as the kernel allows.
    Raise SocketError.
    """
    check_group(group)
    opened = _udp_socket(family_of(group))
    interface = interfaces[0]
    try:
        try_option(opened, socket_options.SHARED_PORT, 1)
        _receive_only_own_groups(opened)
        _prepare_for_pages(opened, buffer_bytes)
        is_ambiguous = len(interfaces) > 1 and has_scope(group)  # a bound address can have only one scope
        opened.bind(interface.at("::" if is_ambiguous else group, port))
        for interface in interfaces:
            join(opened, group, interface)
    except OSError as error:
        opened.close()
        raise _problem(error, interface, f"{group} port {port}") from error
    return opened


def join(opened: socket.socket, group: str, interface: Interface) -> None:
    """Join the group on this interface. Raise OSError."""
    if opened.family == IPV6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _membership_ipv6(group, interface))
    else:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _membership(group, interface))


def leave(opened: socket.socket, group: str, interface: Interface) -> None:
    """Leave the group on this interface. Raise OSError."""
    if opened.family == IPV6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_LEAVE_GROUP, _membership_ipv6(group, interface))
    else:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, _membership(group, interface))


def rejoin(opened: socket.socket, group: str, interfaces: Sequence[Interface]) -> None:
    """Leave the group and join it again, which sends new membership reports. Ignore interfaces that are gone."""
    for interface in interfaces:
        for change in (leave, join):
            with suppress(OSError):
                change(opened, group, interface)


def open_reply_socket(family: int = IPV4, *, buffer_bytes: int = DATA_BUFFER_BYTES) -> socket.socket:
    """Open a socket that sends reports and receives unicast, including pages. Raise SocketError.

    It is not bound to an address: the route to the caster determines the source address.
    """
    opened = _udp_socket(family)
    try:
        _prepare_for_pages(opened, buffer_bytes)
        try_option(opened, socket_options.SEND_BUFFER, SEND_BUFFER_BYTES)  # for pages to a child
        opened.bind(("", 0))
    except OSError as error:
        opened.close()
        raise _problem(error, None, "the socket for reports") from error
    return opened


def open_port_socket(interface: Interface, port: int) -> socket.socket:
    """Open a socket that receives unicast on this port of the interface. Raise SocketError."""
    opened = _udp_socket(interface.family)
    try:
        try_option(opened, socket_options.SHARED_PORT, 1)
        opened.bind(interface.at(interface.address, port))
    except OSError as error:
        opened.close()
        raise SocketError(_problem(error, interface, f"{interface.address} port {port}")) from error
    return opened


def set_group_ttl(opened: socket.socket, ttl: int) -> None:
    """Set the TTL of packets to groups. A TTL of n passes n - 1 routers."""
    if opened.family == IPV6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
    else:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)


def unicast_ttl(opened: socket.socket) -> int:
    """Return the initial TTL of unicast packets."""
    if opened.family == IPV6:
        return opened.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
    return opened.getsockopt(socket.IPPROTO_IP, socket.IP_TTL)


def granted_buffer(opened: socket.socket) -> int:
    """Return the size of the receive buffer that the kernel granted, or its default if that is unknown."""
    try:
        return opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    except OSError:
        return UNTOLD_BUFFER_BYTES


def _udp_socket(family: int) -> socket.socket:
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise SocketError(f"this host cannot use {FAMILY_NAMES[family]}: {error.strerror}") from error
    if family == IPV6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    opened.setblocking(False)
    return opened


def _receive_only_own_groups(opened: socket.socket) -> None:
    """Do not receive groups that other programs on this host have joined. Linux has this for IPv6 since 4.20."""
    is_ipv4 = opened.family == IPV4
    try_option(opened, socket_options.OWN_GROUPS_IPV4 if is_ipv4 else socket_options.OWN_GROUPS_IPV6, 0)


def _membership(group: str, interface: Interface) -> bytes:
    """Return a struct ip_mreqn with the interface's index, since its address may be shared or change."""
    return socket.inet_aton(group) + socket.inet_aton("0.0.0.0") + struct.pack("@i", interface.ifindex)


def _membership_ipv6(group: str, interface: Interface) -> bytes:
    """Return a struct ipv6_mreq."""
    return socket.inet_pton(IPV6, group) + struct.pack("@i", interface.ifindex)


def _prepare_for_pages(opened: socket.socket, buffer_bytes: int) -> None:
    """Enlarge the receive buffer, merge packets (since Linux 5.0), count drops, and report marks of routers."""
    try_option(opened, socket_options.DROP_COUNT, 1)
    _grow_receive_buffer(opened, buffer_bytes)
    try_option(opened, socket_options.MERGED_PACKETS, 1)
    try_option(opened, socket_options.MARKS_IPV4 if opened.family == IPV4 else socket_options.MARKS_IPV6, 1)


def _grow_receive_buffer(opened: socket.socket, wanted: int) -> None:
    """Set the receive buffer, beyond the system's limit if allowed."""
    if not try_option(opened, socket_options.FORCED_BUFFER, wanted):  # needs CAP_NET_ADMIN
        try_option(opened, socket_options.RECEIVE_BUFFER, wanted)


def _problem(error: OSError, interface: Interface | None, place: str) -> SocketError:
    if error.errno == errno.EADDRINUSE:
        advice = "another session may be running (choose another port with -P, or -A auto)"
        return PortInUseError(f"{place} is in use; {advice}")
    if error.errno == errno.EADDRNOTAVAIL:
        return SocketError(f"{place} is not an address of this host")
    if error.errno in (errno.EACCES, errno.EPERM):
        return SocketError(f"no permission to use {place}")
    if error.errno == errno.ENODEV and interface:
        return SocketError(f"interface {interface.name} is gone, or does not support multicast")
    return SocketError(f"cannot use {place}: {error.strerror}")
