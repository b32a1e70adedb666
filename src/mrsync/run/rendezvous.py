"""Choose where a session takes place: address family, group, port, and the master's interfaces towards the targets."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from mrsync.errors import PortInUseError, SocketError, UsageError
from mrsync.remote.folding import fold
from mrsync.run.foreign_sessions import ForeignSessionWatch, is_quiet
from mrsync.run.settings import AUTO, GROUPS, LOCAL, GroupAddresses, Network, Remote, host_of
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import IPV4, IPV6, Interface, deafness, family_of, interface_named, is_address
from mrsync.transport.network.multicast import check_group, open_caster_socket
from mrsync.transport.network.names import look_up_all
from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.network.routes import (
    Ways,
    has_address,
    is_this_host,
    looped_interface,
    own_family,
    ways_through,
    ways_towards,
)
from mrsync.transport.pages.forwarding import endpoint
from mrsync.tuples import NamedTuple
from mrsync.wire.header import session_tag
from mrsync.wire.limits import PATH_MTU_MIN

CHOICES = 16
PORTS = range(20000, 32000, 2)  # below Linux's default range of ephemeral ports, which starts at 32768
QUIET_S = 0.25  # an active session sends a status every 0.1 s


class RunSettings(Protocol):
    """The settings that every kind of run with targets has."""

    @property
    def targets(self) -> tuple[str, ...]: ...

    @property
    def remote_shell(self) -> str | None: ...

    @property
    def network(self) -> Network: ...

    @property
    def remote(self) -> Remote: ...


class Rendezvous(NamedTuple):
    """Where a session takes place, as known before a socket is opened.

    behind: for each target, the index of the interface towards it, or None if unknown. routed: targets behind a router.
    is_unicast: nothing is sent to the group.
    """

    group: str
    port: int
    ttl: int
    is_looped: bool
    interfaces: tuple[Interface, ...]
    behind: tuple[int | None, ...]
    routed: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    is_unicast: bool = False

    @property
    def mtu(self) -> int:
        """The smallest MTU of all interfaces, in bytes."""
        return min(interface.mtu for interface in self.interfaces)

    @property
    def island(self) -> tuple[bytes, int]:
        """The group that relays cast to in networks that do not receive this one: the other of an even and odd pair."""
        address, port = endpoint((self.group, self.port))
        return address[:-1] + bytes([address[-1] ^ 1]), port

    @property
    def is_ipv6(self) -> bool:
        return family_of(self.group) == IPV6

    def routed_names(self, targets: Sequence[str]) -> list[str]:
        """Return targets behind a router if the TTL is too small to reach them by multicast."""
        return [targets[number] for number in self.routed] if self.ttl <= 1 else []

    def describe(self, targets: Sequence[str]) -> str:
        """Return a description in one line. It names the targets behind each interface except the first."""
        first, *others = self.interfaces
        where = "unicast" if self.is_unicast else f"group {self.group}"
        parts = [f"{where} port {self.port} on {first.name}"]
        for number, interface in enumerate(others, 1):
            names = [target for target, behind in zip(targets, self.behind, strict=True) if behind == number]
            parts.append(f"{interface.name} ({fold(names) if names else 'as told'})")
        return ", ".join(parts)

    def watch_foreign_sessions(self, session: int, loop: Loop, tell: Callable[[str], None]) -> ForeignSessionWatch:
        """Warn the user of other sessions in the same place. session: the id of ours. tell: called with the warning.

        On the loopback interface this is not needed, because the port is already taken there.
        """

        def tell_of(address: str) -> None:
            tell(
                f"another session casts to {self.group} port {self.port}, from {address}: both are slower (try -A auto)"
            )

        watch = ForeignSessionWatch(session_tag=session_tag(session), on_foreign_session=tell_of, loop=loop)
        if not self.interfaces[0].is_loopback and not self.is_unicast:
            watch.listen(self.interfaces, self.group, self.port)
        return watch

    def open_paths(self) -> list[Path]:
        """Open a socket for each interface, and return it as a path to the group. The sockets also receive reports.

        The path of an interface that cannot send to the group is only for answers. Raise SocketError.
        """
        paths: list[Path] = []
        try:
            for interface in self.interfaces:
                opened = open_caster_socket(interface, self.group, self.port, ttl=self.ttl, is_looped=self.is_looped)
                is_cast = not self.is_unicast and not deafness(interface)
                kind = PathKind.MULTICAST if is_cast else PathKind.ANSWER
                paths.append(Path(opened, interface.at(self.group, self.port), kind))
        except SocketError:
            for path in paths:
                path.socket.close()
            raise
        return paths


def open_rendezvous(
    settings: RunSettings, groups: GroupAddresses = GROUPS, *, has_unicast: bool = False
) -> tuple[Rendezvous, list[Path]]:
    """Choose what the user left open, and open the sockets. Raise SocketError, UsageError.

    has_unicast: targets that multicast does not reach can be served by unicast.
    """
    rendezvous = find_rendezvous(settings, groups, has_unicast=has_unicast)
    if settings.network.group != AUTO or rendezvous.is_unicast:
        return rendezvous, rendezvous.open_paths()
    for _ in range(CHOICES):
        chosen = rendezvous._replace(group=_random_group(rendezvous.is_ipv6))
        try:
            if is_quiet(chosen.interfaces, chosen.group, chosen.port, QUIET_S):
                return chosen, chosen.open_paths()
        except PortInUseError:
            rendezvous = rendezvous._replace(
                port=PORTS.start + int.from_bytes(os.urandom(2), "big") % len(PORTS) * PORTS.step
            )
    raise SocketError("no free group and port were found; choose some with -A and -P")


def find_rendezvous(settings: RunSettings, groups: GroupAddresses = GROUPS, *, has_unicast: bool = False) -> Rendezvous:
    """Find the place of a session. With AUTO, its group is a placeholder of the right family.

    has_unicast: as for open_rendezvous.
    Raise SocketError if no interface is usable, UsageError if the settings cannot be met.
    """
    network = settings.network
    group = None if network.group == AUTO else network.group
    if group is not None:
        check_group(group)
    look_up_all(*_names(settings))
    family = family_of(group) if group is not None else _family(settings)
    hosts = [host_of(target) for target in settings.targets]
    ways = _ways(settings, hosts, family)
    usable = [number for number, one in enumerate(ways.interfaces) if _is_usable(one, has_unicast=has_unicast)]
    if not usable or (network.interface is not None and len(usable) < len(ways.interfaces)):
        deaf = next(one for one in ways.interfaces if not _is_usable(one, has_unicast=has_unicast))
        raise SocketError(f"{deafness(deaf)}; choose another one with -I")
    interfaces = tuple(ways.interfaces[number] for number in usable)
    narrow = min(interfaces, key=lambda one: one.mtu)
    if narrow.mtu < PATH_MTU_MIN:
        raise SocketError(
            f"{narrow.name} has an MTU of {narrow.mtu} bytes, and sessions need {PATH_MTU_MIN}: "
            f"raise it (ip link set {narrow.name} mtu {PATH_MTU_MIN}), or choose another interface with -I"
        )
    warnings = _deaf_sentences(ways, settings.targets, usable)
    return Rendezvous(
        group=group or groups.of(family),
        port=network.port,
        ttl=0 if ways.is_local and not ways.interfaces[0].is_loopback else network.ttl,
        is_looped=network.has_loop or any(is_this_host(host, family) for host in hosts),
        interfaces=interfaces,
        behind=tuple(usable.index(number) if number in usable else None for number in ways.behind),
        routed=ways.routed,
        warnings=() if network.is_unicast else tuple(warnings),
        is_unicast=network.is_unicast or all(map(deafness, interfaces)),
    )


def _names(settings: RunSettings) -> tuple[list[str], Callable[[str], str | None]]:
    """Return the hosts to look up, and a function for their names in the remote shell's own configuration."""
    if settings.remote_shell == LOCAL:
        return [], lambda host: None
    targets = {host_of(target): target for target in settings.targets}
    if settings.remote_shell is None:
        return list(targets), lambda host: None
    from mrsync.remote.command import RemoteShell  # not needed for runs on this host

    remote = settings.remote
    shell = RemoteShell.parse(settings.remote_shell, remote.connect_timeout_s, remote.user, remote.ports)
    return list(targets), lambda host: shell.real_name(targets[host])


def _is_usable(interface: Interface, *, has_unicast: bool) -> bool:
    """Return whether targets behind this interface can be served."""
    return not deafness(interface) or (has_unicast and interface.has_carrier)


def _family(settings: RunSettings) -> int:
    """Return the address family of the targets: IPv6 if some have only IPv6 addresses, else IPv4 if they are known.

    Raise UsageError if some targets have only IPv4 and others only IPv6 addresses.
    """
    if settings.remote_shell == LOCAL:
        return IPV4
    for named in (settings.network.interface or "").split(","):
        if is_address(named):
            return family_of(named)
    hosts = [host_of(target) for target in settings.targets]
    without_ipv4 = [host for host in hosts if not has_address(host, IPV4)]
    only_ipv6 = [host for host in without_ipv4 if has_address(host, IPV6)]
    if not only_ipv6:
        return own_family() if without_ipv4 else IPV4
    only_ipv4 = [host for host in hosts if host not in without_ipv4 and not has_address(host, IPV6)]
    if only_ipv4:
        raise UsageError(
            f"{fold(only_ipv4)} has only an IPv4 address that is known here, {fold(only_ipv6)} only an IPv6 address: "
            "say by -A which family all of them have, or sync them apart (--exclude-target)"
        )
    return IPV6


def _ways(settings: RunSettings, hosts: Sequence[str], family: int) -> Ways:
    if settings.network.interface is not None:
        names = [name.strip() for name in settings.network.interface.split(",")]
        interfaces = dict.fromkeys(interface_named(name, family) for name in names if name)
        if not interfaces:
            raise UsageError("-I names no interface")
        return ways_through(tuple(interfaces), hosts, family)._replace(is_local=settings.remote_shell == LOCAL)
    if settings.remote_shell == LOCAL:
        return Ways((looped_interface(family),), (0,) * len(hosts), is_local=True)
    return ways_towards(hosts, family)


def _deaf_sentences(ways: Ways, targets: Sequence[str], usable: Sequence[int]) -> Iterator[str]:
    """Yield a warning for each interface that cannot send multicast."""
    for number, interface in enumerate(ways.interfaces):
        if deafness(interface):
            names = [target for target, behind in zip(targets, ways.behind, strict=True) if behind == number]
            what = "can only be served by unicast" if number in usable else "will hear nothing"
            yield f"{fold(names) if names else 'targets there'} {what}: {deafness(interface)}"


def _random_group(is_ipv6: bool) -> str:
    """Return a random site-local group: from 239.255.0.0/16 (RFC 2365) or ff15::/16 (RFC 4291).

    Its number is even, and that of its island is odd. So it is not the island of another session that chose like this.
    """
    high, low = int.from_bytes(os.urandom(2), "big"), int.from_bytes(os.urandom(2), "big") & ~1
    if is_ipv6:
        return f"ff15::{high:x}:{low:x}"
    return f"239.255.{low >> 8}.{low & 0xFF}"
