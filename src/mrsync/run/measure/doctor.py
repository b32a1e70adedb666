"""Test all targets at once, within a minute, for problems that would keep a sync from running well.

The examination is a sequence of steps (`_examine`). Each step sends something and then waits in the loop, which serves
sockets, launcher and observer. Targets tell what they have received in two ways: in echoes over the network, and in
lines of JSON over the remote shell. The difference shows which direction is broken: a target that reports a ping
whose echo did not arrive can receive, but cannot send to us.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from mrsync.errors import ExitStatus, ProtocolDataError, SocketError
from mrsync.remote.launcher import CatcherExited, Launcher
from mrsync.run.launch import Program, start_everywhere
from mrsync.run.measure import probe
from mrsync.run.measure.diagnosis import Finding, diagnose
from mrsync.run.measure.evidence import Evidence, Setting, Throughput
from mrsync.run.measure.facts import FAST, SIZES, SLOW, Heard, decode_facts
from mrsync.run.measure.meetings import FIRST_NUMBER, Meetings
from mrsync.run.measure.probe_log import GROUP, Trial, Trials
from mrsync.run.measure.target_exam import TargetExam
from mrsync.run.observer import Notice, Observer, Snapshot, TargetProgress
from mrsync.run.rendezvous import Rendezvous, open_rendezvous
from mrsync.run.settings import DoctorSettings, Invitation
from mrsync.run.stop import Stop
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import family_of, is_address, multicast_interfaces
from mrsync.transport.network.multicast import open_caster_socket, set_group_ttl, unicast_ttl
from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.pinging import EchoReceived, Pinger
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import BURST_BYTES_MAX, HEADER_BYTES, MTU_MAX, PACKETS_PER_PAGE_MAX, TAG_BYTES
from mrsync.wire.messages import Kind, Way
from mrsync.wire.seals.keys import SessionKeys

PROBE = Program("probe", "mrsync.run.measure.probe", probe.catch_from_stdin)
STOP_WAIT_S = 2.0
ANSWER_EXTRA_S = 10.0  # after the connect timeout, for the probe to be sent and to start
PINGS = 10
PING_INTERVAL_S = 0.05
TELLING_S = 0.5  # for the probes to report what they received
TTLS = (2, 3, 4, 8, 16, 32)
SIZES_TRIED = (9000, 8000, 4500, 2000, 1500, 1492, 1450, 1400, 1300, 1280, 1200, 1000)
SIZE_COPIES = 5
SIZE_ROUNDS_MAX = 14
FLOW_S = 0.4
SLOW_PAGES = 15
SLOW_SHARE = 0.1  # of the test rate, for the slow test
DISK_WAIT_S = 10.0


class Examined(NamedTuple):
    """The evidence about one target, and the findings from it."""

    seen: Evidence
    findings: tuple[Finding, ...]

    @property
    def is_fit(self) -> bool:
        return not any(finding.is_fault for finding in self.findings)


class DoctorOutcome(NamedTuple):
    """The result of an examination."""

    setting: Setting
    targets: tuple[Examined, ...]
    seconds: float
    is_interrupted: bool = False

    @property
    def exit_status(self) -> ExitStatus:
        """OK only if no target has a fault."""
        if self.is_interrupted:
            return ExitStatus.INTERRUPTED
        if all(target.seen.facts is None for target in self.targets):
            return ExitStatus.START
        return ExitStatus.OK if all(target.is_fit for target in self.targets) else ExitStatus.PARTIAL


def examine(settings: DoctorSettings, observer: Observer, stop: Stop) -> DoctorOutcome:
    """Examine all targets. Raise MrsyncError if the examination cannot start."""
    rendezvous, paths = open_rendezvous(settings)
    payload = min(rendezvous.mtu, MTU_MAX) - _overhead(rendezvous)  # full packets: no room is needed for coded packets
    packets = min(PACKETS_PER_PAGE_MAX, BURST_BYTES_MAX // payload)
    geometry = Geometry(payload - HEADER_BYTES, packets)
    keys = SessionKeys.derive(settings.secret, int.from_bytes(os.urandom(8), "big"))
    spare = _spare_paths(rendezvous)
    pinger = Pinger(paths, geometry, keys, spare=list(spare.values()))
    try:
        invitation = Invitation(
            settings.targets, settings.dest, settings.secret, settings.network, verbosity=settings.verbosity
        )
        launcher = start_everywhere(PROBE, settings.remote_shell, settings.remote, invitation, rendezvous)
        try:
            return _Doctor(settings, observer, stop, rendezvous, geometry, pinger, tuple(spare), launcher).run()
        finally:
            launcher.stop(STOP_WAIT_S)
    finally:
        pinger.close()


def _spare_paths(rendezvous: Rendezvous) -> dict[str, Path]:
    """Open paths out of the interfaces that the group is not cast on, by name.

    Leave out those that cannot be opened.
    """
    paths = {}
    used = {interface.ifindex for interface in rendezvous.interfaces}
    for interface in multicast_interfaces(family_of(rendezvous.group)):
        if interface.ifindex in used:
            continue
        try:
            opened = open_caster_socket(
                interface, rendezvous.group, rendezvous.port, ttl=rendezvous.ttl, is_looped=rendezvous.is_looped
            )
        except SocketError:
            continue
        paths[interface.name] = Path(opened, interface.at(rendezvous.group, rendezvous.port))
    return paths


class _Doctor:
    """A running examination."""

    def __init__(
        self,
        settings: DoctorSettings,
        observer: Observer,
        stop: Stop,
        rendezvous: Rendezvous,
        geometry: Geometry,
        pinger: Pinger,
        spare: tuple[str, ...],
        launcher: Launcher,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._rendezvous = rendezvous
        self._geometry = geometry
        self._pinger = pinger
        self._spare = spare  # names of the interfaces of pinger.spare, in the same order
        self._launcher = launcher
        self._loop = Loop()
        self._started_at = time.monotonic()
        self._phase = "starting"
        self._exams = [TargetExam() for _ in settings.targets]
        self._trials = Trials(len(settings.targets))
        self._pinged_at: dict[int, float] = {}  # times by the numbers of pings to the group
        self._flows: dict[int, Throughput] = {}  # what was sent, by series
        self._meetings = Meetings({})
        self._size_max = 0
        self._stop = stop

    def run(self) -> DoctorOutcome:
        for warning in self._rendezvous.warnings:
            self._observer.on_notice(Notice(0, warning))
        try:
            self._loop.watch(self._launcher, self._on_launcher)
            for opened in self._pinger.sockets:
                self._loop.watch(opened, partial(self._on_echoes, opened))
            self._stop.listen(lambda: self._loop.post(lambda: None))  # wakes the loop
            self._examine()
            return self._outcome()
        finally:
            self._stop.listen(None)
            self._loop.close()

    # the examination, step by step

    def _examine(self) -> None:
        self._enter("starting probes")
        self._wait(self._settings.remote.connect_timeout_s + ANSWER_EXTRA_S, self._has_everyone_answered)
        if not self._there():
            return
        self._enter("pinging")
        self._ping()
        self._wait(TELLING_S)
        if self._deaf():
            self._enter("looking for targets that hear nothing")
            self._try_otherwise()
            self._wait(TELLING_S)
        if self._deaf() and len(self._there()) > 1:
            self._enter("asking targets to ping each other")
            self._meet()
            self._wait(TELLING_S)
        self._enter("trying sizes")
        self._try_sizes()
        self._enter("waiting for disks")
        self._wait(DISK_WAIT_S, lambda: all(exam.disk for exam in self._there().values()))
        self._enter("casting pages")
        self._cast(SLOW, SLOW_PAGES, SLOW_SHARE * self._settings.rate_bytes_s)
        rate = self._settings.rate_bytes_s
        self._cast(FAST, max(SLOW_PAGES, round(rate * FLOW_S / self._geometry.page_bytes)), rate)
        self._wait(TELLING_S)

    def _ping(self) -> None:
        """Ping the group, and by unicast both ports of every target."""
        for _ in range(PINGS):
            self._send(GROUP)
            for target, exam in self._there().items():
                for way, path in self._unicast_paths(target, exam):
                    self._send(Trial(way, target=target), path)
            self._wait(PING_INTERVAL_S)

    def _try_otherwise(self) -> None:
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

    def _meet(self) -> None:
        """Have targets ping each other, since they would have to pass pages on."""
        paths = {
            target: path
            for target, exam in self._there().items()
            for way, path in self._unicast_paths(target, exam)
            if way is Way.OWN_PORT and self._trials.share(target, Trial(way, target=target)).heard
        }
        self._meetings = Meetings({target: (str(path.address[0]), path.address[1]) for target, path in paths.items()})
        for _ in range(PINGS // 2):
            for request in self._meetings.requests():
                self._pinger.ask(request, paths[request.target])
            self._wait(PING_INTERVAL_S)

    def _try_sizes(self) -> None:
        """Send packets of several sizes, then bisect between the largest that arrived and the next larger one."""
        sizes = {size for size in SIZES_TRIED if size < self._rendezvous.mtu}
        sizes.add(min(self._rendezvous.mtu, MTU_MAX))
        for _ in range(SIZE_ROUNDS_MAX):
            for size in sorted(sizes):
                self._send_size(size)
            self._wait(TELLING_S / 2)
            sizes = self._trials.next_sizes()
            if not sizes or self._stop.reason:
                return

    def _send_size(self, size: int) -> None:
        data = bytes(max(1, size - _overhead(self._rendezvous) - HEADER_BYTES - TAG_BYTES))
        for _ in range(SIZE_COPIES):
            try:
                self._pinger.send_page(data, page=size, generation=SIZES)
            except SocketError:
                return  # this host cannot send packets of this size, so no target needs to receive them
        self._trials.on_size_sent(size)
        self._size_max = max(self._size_max, size)

    def _cast(self, series: int, pages: int, rate_bytes_s: float) -> None:
        """Send full pages at a rate in bytes per second, and note how many packets left and how long that took."""
        data = os.urandom(self._geometry.page_bytes)
        before = self._pinger.packets_sent
        started = time.monotonic()
        for page in range(pages):
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
            or not is_address(facts.address)
            or family_of(facts.address) != family_of(self._rendezvous.group)
        ):
            return
        number = self._rendezvous.behind[target] if self._rendezvous.behind else 0
        outlet = self._pinger.paths[number or 0].socket
        interface = self._rendezvous.interfaces[number or 0]
        for way, port in ((Way.DATA_PORT, self._rendezvous.port), (Way.OWN_PORT, facts.reply_port)):
            if 0 < port < 65536:
                yield way, Path(outlet, interface.at(facts.address, port), PathKind.UNICAST)

    # incoming events

    def _wait(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Serve sockets, launcher and observer for some seconds or until is_over() is true, at least once."""
        deadline = time.monotonic() + seconds
        while True:
            self._loop.wait(min(0.1, max(0.0, deadline - time.monotonic())))
            if self._pinger.is_blocked:
                self._pinger.flush()
            now = time.monotonic()
            self._on_launcher()
            if self._observer.due_at is not None and now >= self._observer.due_at:
                self._observer.on_snapshot(self._snapshot(now))
            if now >= deadline or self._stop.reason or is_over():
                return

    def _on_launcher(self) -> None:
        for event in self._launcher.take_events():
            exam = self._exams[event.target]
            if isinstance(event, CatcherExited):
                exam.reason = exam.reason or event.reason
                continue
            try:
                facts = decode_facts(event.line)
            except ProtocolDataError as error:
                exam.reason = str(error)
                continue
            if facts is None:
                self._observer.on_notice(Notice(1, event.text, self._settings.targets[event.target]))
            for fact in facts or ():
                if isinstance(fact, Heard) and fact.number >= FIRST_NUMBER and fact.way == Way.OWN_PORT:
                    self._meetings.on_received(fact.number)
                elif isinstance(fact, Heard):
                    self._trials.on_received(event.target, fact)
                else:
                    exam.add_fact(fact)

    def _on_echoes(self, opened: socket.socket) -> None:
        for heard in self._pinger.receive(opened):
            if heard.echo.target < len(self._exams):
                self._on_echo(heard)

    def _on_echo(self, heard: EchoReceived) -> None:
        echo, exam = heard.echo, self._exams[heard.echo.target]
        self._trials.on_echo(echo.target, echo)
        sent_at = self._pinged_at.get(echo.number)
        if echo.kind is not Kind.PING or echo.way is not Way.GROUP or sent_at is None:
            return
        exam.add_echo(heard.at - sent_at - echo.hold_us / 1e6, echo.clock_us, time.monotonic() - heard.at)

    def _has_everyone_answered(self) -> bool:
        return all(exam.facts is not None or exam.reason is not None for exam in self._exams)

    def _there(self) -> dict[int, TargetExam]:
        """Return the targets whose probe is running."""
        return {
            number: exam for number, exam in enumerate(self._exams) if exam.facts is not None and exam.reason is None
        }

    def _deaf(self) -> list[int]:
        return [target for target in self._there() if not self._trials.share(target, GROUP).heard]

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._observer.on_notice(Notice(1, phase))

    def _snapshot(self, now: float) -> Snapshot:
        there = self._there()
        targets = tuple(
            TargetProgress(host, "done" if number in there else "expected")
            for number, host in enumerate(self._settings.targets)
        )
        return Snapshot(self._phase, now - self._started_at, targets=targets)

    # the result

    def _outcome(self) -> DoctorOutcome:
        evidence = [self._evidence(target) for target in range(len(self._exams))]
        hearing = [seen for seen in evidence if seen.facts is not None and not seen.is_deaf]
        setting = Setting(
            group=self._rendezvous.group,
            port=self._rendezvous.port,
            ttl=self._rendezvous.ttl,
            interfaces=",".join(interface.name for interface in self._rendezvous.interfaces),
            is_everyone_mute=bool(hearing) and all(seen.is_mute for seen in hearing),
            rate_bytes_s=self._settings.rate_bytes_s,
        )
        return DoctorOutcome(
            setting,
            tuple(Examined(seen, tuple(diagnose(seen, setting))) for seen in evidence),
            round(time.monotonic() - self._started_at, 3),
            bool(self._stop.reason),
        )

    def _evidence(self, target: int) -> Evidence:
        trials = self._trials
        return (
            self._exams[target]
            .evidence(self._settings.targets[target], self._flows)
            ._replace(
                group=trials.share(target, GROUP),
                port=trials.share(target, Trial(Way.DATA_PORT, target=target)),
                own=trials.share(target, Trial(Way.OWN_PORT, target=target)),
                is_unasked_heard=trials.is_unasked_heard(target),
                elsewhere=trials.elsewhere(target),
                ttl_needed=trials.ttl_needed(target),
                heard_from=trials.heard_from(target),
                routers=trials.routers(target, unicast_ttl(self._pinger.sockets[0])),
                unreached=tuple(self._settings.targets[other] for other in self._meetings.unreached(target)),
                mtu_sent=self._size_max,
                mtu_passed=trials.largest(target),
            )
        )


def _overhead(rendezvous: Rendezvous) -> int:
    """Return the size of the IP and UDP headers of a packet, in bytes."""
    return 48 if rendezvous.is_ipv6 else 28
