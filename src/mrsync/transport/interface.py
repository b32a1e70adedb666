"""The network interface a session uses: found by the route to the targets, or named by the user."""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from mrsync.errors import SocketError

_SIOCGIFCONF = 0x8912
_SIOCGIFFLAGS = 0x8913
_SIOCGIFMTU = 0x8921
_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_IFREQ_BYTES = 40
_NAME_BYTES = 16  # IFNAMSIZ
_DISCARD_PORT = 9  # any port will do: connecting a UDP socket sends nothing


@dataclass(frozen=True)
class Interface:
    """Where multicast leaves and arrives; mtu in bytes, address numeric."""

    name: str
    index: int
    address: str
    mtu: int
    is_loopback: bool


def interface_named(wanted: str) -> Interface:
    """The interface with this name, index or address.

    Raises SocketError when there is none, when it is down or has no IPv4 address.
    """
    names = {name: index for index, name in socket.if_nameindex()}
    addresses = _addresses()
    for name, address in addresses:
        if wanted in (name, address, str(names.get(name))):
            return _described(name, wanted if wanted == address else address)
    if wanted in names or wanted in map(str, names.values()):
        raise SocketError(f"interface {wanted} has no IPv4 address")
    known = ", ".join(sorted(names))
    raise SocketError(f"there is no interface {wanted} here; there are {known}")


def interface_towards(hosts: Iterable[str]) -> Interface:
    """The interface that most of the hosts are reached through; loopback when all of them are this host.

    hosts: names or addresses; names that resolve nowhere are passed over, for a remote shell may know them.
    Raises SocketError when no route or no address is found.
    """
    sources: Counter[str] = Counter()
    problem = "no targets"
    is_any_local = False
    for host in hosts:
        try:
            source, is_local = _route(host)
        except OSError as error:
            problem = _route_problem(host, error)
            continue
        is_any_local |= is_local
        if not is_local:
            sources[source] += 1
    if not sources and is_any_local:
        return loopback_interface()
    if not sources:
        raise SocketError(f"cannot choose an interface: {problem}")
    return interface_named(sources.most_common(1)[0][0])


def loopback_interface() -> Interface:
    """The interface for sessions that do not leave this host; raises SocketError when it is down."""
    for name, _ in _addresses():
        interface = _described(name)
        if interface.is_loopback:
            return interface
    raise SocketError("the loopback interface is down")


def is_this_host(host: str) -> bool:
    """Whether packets to this name or address stay here; False for names that cannot be resolved."""
    try:
        return _route(host)[1]
    except OSError:
        return False


def _route(host: str) -> tuple[str, bool]:
    """Source address that packets to host get, and whether they stay on this host; raises OSError."""
    resolved = socket.getaddrinfo(host, _DISCARD_PORT, socket.AF_INET, socket.SOCK_DGRAM)
    target = resolved[0][4]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(target)
        source = str(probe.getsockname()[0])
    return source, source == target[0] or source.startswith("127.")


def _route_problem(host: str, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"{host} has no IPv4 address that is known here (name the interface with -I)"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return f"there is no route to {host}"
    return f"{host}: {error.strerror}"


def _addresses() -> list[tuple[str, str]]:
    """(interface name, IPv4 address) of all interfaces that are up, secondary addresses too."""
    room = 64 * _IFREQ_BYTES
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        while True:
            table = array.array("B", bytes(room))
            request = struct.pack("iP", room, table.buffer_info()[0])
            used = struct.unpack("iP", fcntl.ioctl(probe, _SIOCGIFCONF, request))[0]
            if used < room:
                break
            room *= 2  # the kernel fills what fits and says no more
        found = []
        for start in range(0, used, _IFREQ_BYTES):
            entry = table[start : start + _IFREQ_BYTES].tobytes()
            name = entry[:_NAME_BYTES].partition(b"\0")[0].decode().partition(":")[0]  # eth0:1 is a label of eth0
            if _request_int(probe, name, _SIOCGIFFLAGS, "H") & _IFF_UP:
                found.append((name, socket.inet_ntoa(entry[20:24])))
    return found


def _described(name: str, address: str | None = None) -> Interface:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        mtu = _request_int(probe, name, _SIOCGIFMTU, "i")
        flags = _request_int(probe, name, _SIOCGIFFLAGS, "H")
    first = next(known for owner, known in _addresses() if owner == name)
    return Interface(name, socket.if_nametoindex(name), address or first, mtu, bool(flags & _IFF_LOOPBACK))


def _request_int(probe: socket.socket, name: str, request: int, form: str) -> int:
    answer = fcntl.ioctl(probe, request, struct.pack(f"{_NAME_BYTES}s24x", name.encode()))
    return int(struct.unpack_from(form, answer, _NAME_BYTES)[0])
