"""Test all targets at once, within a minute, for problems that would keep a sync from running well.

The examination is a sequence of steps (`_examine`). Each step sends something (`experiments`) and then waits in the
loop, which serves sockets, launcher and observer. Targets report what they have received in two ways: in echoes over
the network, and in lines of JSON over the remote shell. The difference shows which direction is broken: a target that
reports a ping whose echo did not arrive can receive, but cannot send to us.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from mrsync.errors import ExitStatus, ProtocolDataError, SocketError
from mrsync.remote.launcher import CatcherExited, Launcher
from mrsync.run.launch import Program, start_everywhere
from mrsync.run.measure.diagnosis import diagnose
from mrsync.run.measure.evidence import Evidence, Setting
from mrsync.run.measure.experiments import Experiments, overhead
from mrsync.run.measure.facts import FAST, SLOW, decode_facts
from mrsync.run.measure.finding import Finding
from mrsync.run.measure.target_exam import TargetExam
from mrsync.run.observer import Notice, Observer, Snapshot, TargetProgress
from mrsync.run.rendezvous import Rendezvous, open_rendezvous
from mrsync.run.settings import DoctorSettings, Invitation
from mrsync.run.stop import Stop
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import family_of, multicast_interfaces
from mrsync.transport.network.multicast import open_caster_socket
from mrsync.transport.network.paths import Path
from mrsync.transport.pinging import Pinger
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import BURST_BYTES_MAX, HEADER_BYTES, MTU_MAX, PACKETS_PER_PAGE_MAX
from mrsync.wire.seals.keys import SessionKeys

PROBE = Program("probe", "mrsync.run.measure.probe")
STOP_WAIT_S = 2.0
ANSWER_EXTRA_S = 10.0  # after the connect timeout, for the probe to be sent and to start
TELLING_S = 0.5  # for the probes to report what they received
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
    payload = min(rendezvous.mtu, MTU_MAX) - overhead(rendezvous)  # full packets: no room is needed for coded packets
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
            return _Doctor(settings, observer, stop, rendezvous, geometry, pinger, list(spare), launcher).run()
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
        spare: Sequence[str],
        launcher: Launcher,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._rendezvous = rendezvous
        self._geometry = geometry
        self._pinger = pinger
        self._launcher = launcher
        self._loop = Loop()
        self._started_at = time.monotonic()
        self._phase = "starting"
        self._exams = [TargetExam() for _ in settings.targets]
        self._stop = stop
        self._experiments = Experiments(
            rendezvous, geometry, pinger, spare, self._exams, self._wait, lambda: bool(stop.reason)
        )

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
        experiments = self._experiments
        self._enter("starting probes")
        self._wait(self._settings.remote.connect_timeout_s + ANSWER_EXTRA_S, self._has_everyone_answered)
        if not experiments.there():
            return
        self._enter("pinging")
        experiments.ping()
        self._wait(TELLING_S)
        if experiments.deaf():
            self._enter("looking for targets that hear nothing")
            experiments.try_otherwise()
            self._wait(TELLING_S)
        if experiments.deaf() and len(experiments.there()) > 1:
            self._enter("asking targets to ping each other")
            experiments.meet()
            self._wait(TELLING_S)
        self._enter("trying sizes")
        experiments.try_sizes()
        self._enter("waiting for disks")
        self._wait(DISK_WAIT_S, lambda: all(exam.disk for exam in experiments.there().values()))
        self._enter("casting pages")
        rate = self._settings.rate_bytes_s
        experiments.cast(SLOW, SLOW_PAGES, SLOW_SHARE * rate)
        experiments.cast(FAST, max(SLOW_PAGES, round(rate * FLOW_S / self._geometry.page_bytes)), rate)
        self._wait(TELLING_S)

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
                self._experiments.add_fact(event.target, fact)

    def _on_echoes(self, opened: socket.socket) -> None:
        for heard in self._pinger.receive(opened):
            if heard.echo.target < len(self._exams):
                self._experiments.add_echo(heard)

    def _has_everyone_answered(self) -> bool:
        return all(exam.facts is not None or exam.reason is not None for exam in self._exams)

    def _enter(self, phase: str) -> None:
        self._phase = phase
        self._observer.on_notice(Notice(1, phase))

    def _snapshot(self, now: float) -> Snapshot:
        there = self._experiments.there()
        targets = tuple(
            TargetProgress(host, "done" if number in there else "expected")
            for number, host in enumerate(self._settings.targets)
        )
        return Snapshot(self._phase, now - self._started_at, targets=targets)

    # the result

    def _outcome(self) -> DoctorOutcome:
        hosts = self._settings.targets
        evidence = [self._experiments.evidence(target, hosts) for target in range(len(hosts))]
        reached = [seen for seen in evidence if seen.facts is not None]
        hearing = [seen for seen in reached if not seen.is_deaf]
        setting = Setting(
            group=self._rendezvous.group,
            port=self._rendezvous.port,
            ttl=self._rendezvous.ttl,
            interfaces=",".join(interface.name for interface in self._rendezvous.interfaces),
            is_everyone_mute=bool(hearing) and all(seen.is_mute for seen in hearing),
            is_everyone_deaf=bool(reached) and not hearing,
            rate_bytes_s=self._settings.rate_bytes_s,
        )
        return DoctorOutcome(
            setting,
            tuple(Examined(seen, tuple(diagnose(seen, setting))) for seen in evidence),
            round(time.monotonic() - self._started_at, 3),
            bool(self._stop.reason),
        )
