"""The doctor's probe on a target: report facts about the host, echo what arrives, and report it on stdout as well."""

from __future__ import annotations

import gc
import os
import socket
import time
from functools import partial

from mrsync.errors import SocketError
from mrsync.run.bootstrap import own_interfaces, run_program, watch_for_the_end
from mrsync.run.measure.facts import HEARD_PER_LINE, SIZES, Facts, Heard, HostFacts, VolumeFacts, encode_facts
from mrsync.run.measure.hostfacts import Host, deafness_of_bridges, disk_facts, python_version, since
from mrsync.run.sandbox import Sandbox
from mrsync.run.settings import GROUPS, CatchSettings
from mrsync.transport.echoing import Arrival, Echoer, EchoSocket
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import Interface, family_of, multicast_interfaces
from mrsync.transport.network.multicast import granted_buffer, open_data_socket, open_port_socket, open_reply_socket
from mrsync.transport.network.routes import own_family
from mrsync.transport.network.socket_options import describe_missing
from mrsync.wire.messages import Kind, Way
from mrsync.wire.seals.sealing import has_aes_gcm

TELL_INTERVAL_S = 0.1


def probe(settings: CatchSettings) -> int:
    """Serve until the master is gone; return the exit status.

    Raise MrsyncError if this host cannot take part at all.
    """
    gc.disable()
    group = settings.network.group or GROUPS.of(own_family())
    problem = ""
    try:
        interfaces = own_interfaces(settings, group)
    except SocketError as error:
        problem = str(error)
        interfaces = multicast_interfaces(family_of(group))
        if not interfaces:
            raise
    loop = Loop()
    prober = _Probe(settings, loop, group, interfaces, problem)
    try:
        return prober.run()
    finally:
        loop.close()
        prober.close()


class _Probe:
    """The sockets that listen, what they have received, and when that is reported."""

    def __init__(
        self, settings: CatchSettings, loop: Loop, group: str, interfaces: list[Interface], route_problem: str
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._group = group
        self._interfaces = interfaces
        self._route_problem = route_problem
        self._host = Host()
        self._before = self._host.counters(family_of(group))
        self._ended: list[str] = []
        self._untold: list[Facts] = []
        self._told: set[Facts] = set()  # counters and volumes of the last report
        self._reply = open_reply_socket(family_of(group))
        self._unasked = open_reply_socket(family_of(group), buffer_bytes=0)
        self._echo_sockets = [
            EchoSocket(self._reply, Way.OWN_PORT),
            *self._group_echo_sockets(),
            *self._port_echo_sockets(),
        ]
        self._echoer = Echoer(
            self._reply,
            secret=settings.secret,
            target=settings.target,
            instance=int.from_bytes(os.urandom(8), "big"),
            unasked=self._unasked,
            echoes_pages=False,  # echoes of a thousand targets would disturb the measurement
            on_arrival=self._on_arrival,
        )

    def run(self) -> int:
        for echo_socket in self._echo_sockets:
            self._echoer.listen(echo_socket)
            self._loop.watch(echo_socket.socket, partial(self._echoer.receive, echo_socket))
        watch_for_the_end(self._settings, self._loop, self._ended.append)
        self._greet()
        self._untold.append(self._host_facts())
        self._loop.work(partial(disk_facts, self._settings.dest), lambda facts: self._untold.append(facts))
        tell_at = self._loop.now()
        while not self._ended:
            now = self._loop.now()
            if now >= tell_at:
                self._tell()
                tell_at = now + TELL_INTERVAL_S
            self._loop.wait(max(0.0, tell_at - now))
        return 0

    def close(self) -> None:
        for echo_socket in self._echo_sockets:
            echo_socket.socket.close()
        self._unasked.close()

    def _group_echo_sockets(self) -> list[EchoSocket]:
        """Open a socket where a catcher would listen, and one for each interface where it would not."""
        port = self._settings.network.port
        echo_sockets = [EchoSocket(open_data_socket(self._interfaces, self._group, port), Way.GROUP)]
        own = {interface.ifindex for interface in self._interfaces}
        for interface in multicast_interfaces(family_of(self._group)):
            if interface.ifindex not in own:
                echo_sockets.append(
                    EchoSocket(open_data_socket([interface], self._group, port), Way.GROUP, interface.name)
                )
        return echo_sockets

    def _port_echo_sockets(self) -> list[EchoSocket]:
        port = self._settings.network.port
        return [EchoSocket(open_port_socket(interface, port), Way.DATA_PORT) for interface in self._interfaces]

    def _greet(self) -> None:
        """Send a packet to the master, so that a stateful firewall here accepts its unicast packets as replies."""
        if self._settings.master is None:
            return
        address = self._interfaces[0].at(self._settings.master, self._settings.network.port - 1)
        self._echoer.send(b"", address)

    def _on_arrival(self, arrival: Arrival) -> None:
        echo_socket = arrival.echo_socket
        if arrival.kind is Kind.PAGE and arrival.generation != SIZES:
            return  # counted in the volume of its series
        self._untold.append(
            Heard(arrival.kind, echo_socket.way, arrival.number, arrival.generation, echo_socket.interface, arrival.ttl)
        )

    def _host_facts(self) -> HostFacts:
        first = self._interfaces[0]
        names = [interface.name for interface in self._interfaces]
        every = [interface.name for interface in multicast_interfaces(family_of(self._group))]
        data = next(echo_socket.socket for echo_socket in self._echo_sockets if echo_socket.way is Way.GROUP)
        return HostFacts(
            python=python_version(),
            kernel=os.uname().release,
            has_cryptography=has_aes_gcm(),
            interface=",".join(names),
            route_problem=self._route_problem,
            address=first.address,
            mtu=min(interface.mtu for interface in self._interfaces),
            reply_port=self._reply.getsockname()[1],
            is_loopback=first.is_loopback,
            is_wireless=any(map(self._host.is_wireless, names)),
            is_bridge_deaf=deafness_of_bridges(self._host, self._interfaces),
            rp_filter=",".join(self._host.strict_interfaces(every)) if first.family == socket.AF_INET else "",
            missing_options=describe_missing(data),
            missing_protections=", ".join(Sandbox().missing()),
            buffer_bytes=granted_buffer(data),
            rmem_max=self._host.number("proc/sys/net/core/rmem_max") or 0,
            clock_us=time.time_ns() // 1000,
        )

    def _tell(self) -> None:
        """Print what is new, at most HEARD_PER_LINE facts in a line."""
        counters = since(self._before, self._host.counters(family_of(self._group)))._replace(
            socket_drops=self._echoer.kernel_drops,
            send_failures=self._echoer.send_failures,
            last_failure=self._echoer.last_failure,
        )
        volumes = [
            VolumeFacts(series, volume.packets, volume.bytes, round(volume.last_at - volume.first_at, 6))
            for series, volume in self._echoer.volumes.items()
        ]
        states: set[Facts] = {counters, *volumes}
        notices = self._untold + [state for state in states if state not in self._told]
        self._untold, self._told = [], states
        for first in range(0, len(notices), HEARD_PER_LINE):
            print(encode_facts(notices[first : first + HEARD_PER_LINE]), flush=True)


def catch_from_stdin(target: str) -> int:
    """Run a launched probe with parameters from stdin; return its exit status."""
    return run_program("probe", probe, target)
