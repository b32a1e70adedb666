"""Experiments: what the doctor sends to the targets, and what their answers prove.

Each experiment sends packets of one kind. Meanwhile it waits by a function of the doctor's, which serves sockets and
launcher, so that answers come in as facts and echoes. `evidence` sums them up for one target.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from mrsync.errors import SocketError
from mrsync.run.measure.evidence import Evidence, Throughput
from mrsync.run.measure.facts import SIZES, Facts, Heard
from mrsync.run.measure.meetings import FIRST_NUMBER, Meetings
from mrsync.run.measure.probe_log import GROUP, Trial, Trials
from mrsync.run.measure.target_exam import TargetExam
from mrsync.run.rendezvous import Rendezvous
from mrsync.transport.network.interface import family_of, is_bare_address
from mrsync.transport.network.multicast import set_group_ttl, unicast_ttl
from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.pinging import EchoReceived, Pinger
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import HEADER_BYTES, MTU_MAX, TAG_BYTES
from mrsync.wire.messages import Kind, Way

PINGS = 10
PING_INTERVAL_S = 0.05
CAST_MAX_S = 5.0
SIZES_WAIT_S = 0.25  # for the probes to report which sizes they received
TTLS = (2, 3, 4, 8, 16, 32)
SIZES_TRIED = (9000, 8000, 4500, 2000, 1500, 1492, 1450, 1400, 1300, 1280, 1200, 1000)
SIZE_COPIES = 5
SIZE_ROUNDS_MAX = 14


class Wait(Protocol):
    """Serve everything for some seconds, or until is_over() is true."""

    def __call__(self, seconds: float, is_over: Callable[[], bool] = ...) -> None: ...


class Experiments:
    """The packets of one examination.

    spare: names of the interfaces of pinger.spare, in the same order. exams: those of all targets. is_stopped: returns
    whether to end early.
    """

    def __init__(
        self,
        rendezvous: Rendezvous,
        geometry: Geometry,
        pinger: Pinger,
        spare: Sequence[str],
        exams: Sequence[TargetExam],
        wait: Wait,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._trials = Trials(len(exams))
        self._meetings = Meetings({})
        self._rendezvous = rendezvous
        self._geometry = geometry
        self._pinger = pinger
        self._spare = spare
        self._exams = exams
        self._wait = wait
        self._is_stopped = is_stopped
        self._pinged_at: dict[int, float] = {}  # times by the numbers of pings to the group
        self._flows: dict[int, Throughput] = {}  # what was sent, by series
        self._size_max = 0

    def there(self) -> dict[int, TargetExam]:
        """Return the targets whose probe is running."""
        return {
            number: exam for number, exam in enumerate(self._exams) if exam.facts is not None and exam.reason is None
        }

    def deaf(self) -> list[int]:
        """Return the targets whose probe is running, and that received no ping to the group."""
        return [target for target in self.there() if not self._trials.share(target, GROUP).heard]

    def ping(self) -> None:
        """Ping the group, and by unicast both ports of every target."""
        for _ in range(PINGS):
            self._send(GROUP)
            for target, exam in self.there().items():
                for way, path in self._unicast_paths(target, exam):
                    self._send(Trial(way, target=target), path)
            self._wait(PING_INTERVAL_S)

    def try_otherwise(self) -> None:
        """For targets that do not receive the group, try larger TTLs and our other interfaces."""
        if not self._rendezvous.interfaces[0].is_loopback:
            for ttl in (ttl for ttl in TTLS if ttl > self._rendezvous.ttl):
                for path in self._pinger.paths:
                    set_group_ttl(path.socket, ttl)
                    self._send(Trial(Way.GROUP, ttl=ttl), path)
                    self._send(Trial(Way.GROUP, ttl=ttl), path)
                self._wait(PING_INTERVAL_S)
            for path in self._pinger.paths:
                set_group_ttl(path.socket, self._rendezvous.ttl)
        for interface, path in zip(self._spare, self._pinger.spare, strict=True):
            for _ in range(PINGS // 2):
                self._send(Trial(Way.GROUP, interface=interface), path)
                self._wait(PING_INTERVAL_S)

    def meet(self) -> None:
        """Have targets ping each other, since they would have to pass pages on."""
        paths = {
            target: path
            for target, exam in self.there().items()
            for way, path in self._unicast_paths(target, exam)
            if way is Way.OWN_PORT and self._trials.share(target, Trial(way, target=target)).heard
        }
        self._meetings = Meetings({target: (str(path.address[0]), path.address[1]) for target, path in paths.items()})
        for _ in range(PINGS // 2):
            for request in self._meetings.requests():
                self._pinger.ask(request, paths[request.target])
            self._wait(PING_INTERVAL_S)

    def try_sizes(self) -> None:
        """Send packets of several sizes, then bisect between the largest that arrived and the next larger one."""
        sizes = {size for size in SIZES_TRIED if size < self._rendezvous.mtu}
        sizes.add(min(self._rendezvous.mtu, MTU_MAX))
        for _ in range(SIZE_ROUNDS_MAX):
            for size in sorted(sizes):
                self._send_size(size)
            self._wait(SIZES_WAIT_S)
            sizes = self._trials.next_sizes()
            if not sizes or self._is_stopped():
                return

    def _send_size(self, size: int) -> None:
        data = bytes(max(1, size - overhead(self._rendezvous) - HEADER_BYTES - TAG_BYTES))
        for _ in range(SIZE_COPIES):
            try:
                self._pinger.send_page(data, page=size, generation=SIZES)
            except SocketError:
                return  # this host cannot send packets of this size, so no target needs to receive them
        self._trials.on_size_sent(size)
        self._size_max = max(self._size_max, size)

    def cast(self, series: int, pages: int, rate_bytes_s: float) -> None:
        """Send full pages at a rate in bytes per second, and note how many packets left and how long that took.

        Where this host cannot send that fast, send fewer: it takes no more than CAST_MAX_S.

        series: number of the measurement, the generation of its pages.
        """
        data = os.urandom(self._geometry.page_bytes)
        before = self._pinger.packets_sent
        started = time.monotonic()
        for page in range(pages):
            if self._is_stopped() or time.monotonic() - started > CAST_MAX_S:
                break
            self._wait(started + page * len(data) / rate_bytes_s - time.monotonic())
            self._pinger.send_page(data, page=page, generation=series)
            if self._pinger.is_blocked:
                self._wait(1.0, lambda: not self._pinger.is_blocked)
        taken_s = time.monotonic() - started
        packets = (self._pinger.packets_sent - before) // len(self._pinger.paths)
        self._flows[series] = Throughput(packets_sent=packets, seconds_sent=taken_s)

    def _send(self, trial: Trial, path: Path | None = None) -> None:
        number = self._pinger.ping(path)
        self._trials.on_sent(trial, number)
        if trial == GROUP:
            self._pinged_at[number] = self._pinger.sent_at

    def _unicast_paths(self, target: int, exam: TargetExam) -> Iterator[tuple[Way, Path]]:
        facts = exam.facts
        if (
            facts is None
            or not is_bare_address(facts.address)
            or family_of(facts.address) != family_of(self._rendezvous.group)
        ):
            return
        number = self._rendezvous.behind[target] if self._rendezvous.behind else 0
        outlet = self._pinger.paths[number or 0].socket
        interface = self._rendezvous.interfaces[number or 0]
        for way, port in ((Way.DATA_PORT, self._rendezvous.port), (Way.OWN_PORT, facts.reply_port)):
            if 0 < port < 65536:
                yield way, Path(outlet, interface.at(facts.address, port), PathKind.UNICAST)

    def add_fact(self, target: int, fact: Facts) -> None:
        """Take a fact that the probe of a target reports."""
        if not isinstance(fact, Heard):
            self._exams[target].add_fact(fact)
        elif fact.number >= FIRST_NUMBER and fact.way == Way.OWN_PORT:
            self._meetings.on_received(fact.number)
        else:
            self._trials.on_received(target, fact)

    def add_echo(self, heard: EchoReceived) -> None:
        """Take an echo of a target that exists."""
        echo, exam = heard.echo, self._exams[heard.echo.target]
        self._trials.on_echo(echo.target, echo)
        sent_at = self._pinged_at.get(echo.number)
        if echo.kind is not Kind.PING or echo.way is not Way.GROUP or sent_at is None:
            return
        exam.add_echo(heard.at - sent_at - echo.hold_us / 1e6, echo.clock_us, time.monotonic() - heard.at)

    def evidence(self, target: int, hosts: Sequence[str]) -> Evidence:
        """Return all evidence about a target. hosts: the names of all targets."""
        trials = self._trials
        return (
            self._exams[target]
            .evidence(hosts[target], self._flows)
            ._replace(
                group=trials.share(target, GROUP),
                port=trials.share(target, Trial(Way.DATA_PORT, target=target)),
                own=trials.share(target, Trial(Way.OWN_PORT, target=target)),
                is_unasked_heard=trials.is_unasked_heard(target),
                elsewhere=trials.elsewhere(target),
                ttl_needed=trials.ttl_needed(target),
                heard_from=trials.heard_from(target),
                routers=trials.routers(target, unicast_ttl(self._pinger.sockets[0])),
                unreached=tuple(hosts[other] for other in self._meetings.unreached(target)),
                mtu_sent=self._size_max,
                mtu_passed=trials.largest(target),
            )
        )


def overhead(rendezvous: Rendezvous) -> int:
    """Return the size of the IP and UDP headers of a packet, in bytes."""
    return 48 if rendezvous.is_ipv6 else 28
