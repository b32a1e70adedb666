"""Send pages one after another to all targets at once, and measure how long the echo of each target takes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from mrsync.errors import ExitStatus, UsageError
from mrsync.protocol.core.histogram import Histogram
from mrsync.protocol.exchange import Exchange
from mrsync.remote.launcher import Launcher
from mrsync.run.arrivals import Arrivals
from mrsync.run.cast.outcome import TargetState
from mrsync.run.conntrack import paths_to
from mrsync.run.launch import Program, start_everywhere
from mrsync.run.observer import Notice, Observer, Snapshot, TargetProgress
from mrsync.run.rendezvous import Rendezvous, open_rendezvous
from mrsync.run.settings import RTT_GROUPS, Invitation, RttSettings
from mrsync.run.stop import Stop
from mrsync.transport.loop import Loop
from mrsync.transport.network.paths import Path
from mrsync.transport.pinging import Pinger
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import PACKETS_PER_PAGE_MAX, TAG_BYTES
from mrsync.wire.messages import Kind, Way
from mrsync.wire.seals.keys import SessionKeys

RTTCATCHER = Program("rttcatcher", "mrsync.run.measure.rttcatch")
STOP_WAIT_S = 2.0
PING_INTERVAL_S = 0.05
GATHER_S = 2.0  # after the last catcher was ready, or from the start if they were started by hand
LATE_S = 30.0  # beyond the connect timeout, in which no catcher was ready or gone: the others hang
NOT_READY = "its rttcatcher was started, but did not become ready"
NO_ECHO = (
    "its rttcatcher runs, but no echo of a ping came back; do firewalls let in UDP port {} there and {} here?"
    " (mrsync doctor -P {} finds out)"
)
NOBODY = "no rttcatcher with this id and key echoed a ping"


class TargetRtt(NamedTuple):
    """The result of one target."""

    host: str
    state: TargetState
    reason: str | None
    missing: int
    histogram: Histogram
    is_interrupted: bool = False  # the measurement was interrupted before this target had echoed a page


class RttOutcome(NamedTuple):
    """The result of a measurement."""

    pages: int  # number of pages sent
    page_bytes: int
    packets: int  # number of packets in a page
    interface: str
    seconds: float
    targets: tuple[TargetRtt, ...]
    is_interrupted: bool = False

    @property
    def exit_status(self) -> ExitStatus:
        """OK if every target echoed at least one page. Lost pages are a result, not an error."""
        states = {target.state for target in self.targets}
        if self.is_interrupted:
            return ExitStatus.INTERRUPTED
        if states == {TargetState.UNREACHABLE}:
            return ExitStatus.START
        if TargetState.DONE not in states:
            return ExitStatus.LOST
        return ExitStatus.OK if states == {TargetState.DONE} else ExitStatus.PARTIAL


def measure(settings: RttSettings, observer: Observer, stop: Stop) -> RttOutcome:
    """Run the measurement. Raise MrsyncError if it cannot start."""
    rendezvous, paths = open_rendezvous(settings, RTT_GROUPS)
    geometry = Geometry.from_mtu(rendezvous.mtu, is_ipv6=rendezvous.is_ipv6, target_count=1)
    keys = SessionKeys.derive(settings.secret, int.from_bytes(os.urandom(8), "big"))
    pinger = Pinger(paths, geometry, keys)
    try:
        packets = -(-(settings.page_bytes + TAG_BYTES) // geometry.slice_bytes)
        if packets > PACKETS_PER_PAGE_MAX:
            fitting = PACKETS_PER_PAGE_MAX * geometry.slice_bytes - TAG_BYTES
            raise UsageError(f"with an MTU of {rendezvous.mtu} a page has at most {fitting} bytes (-s)")
        launcher = _launch(settings, rendezvous)
        try:
            return _Rtt(settings, observer, stop, rendezvous, pinger, launcher, packets).run()
        finally:
            if launcher is not None:
                launcher.stop(STOP_WAIT_S)
    finally:
        pinger.close()


def _launch(settings: RttSettings, rendezvous: Rendezvous) -> Launcher | None:
    if settings.remote_shell is None:
        return None
    invitation = Invitation(settings.targets, b"", settings.secret, settings.network, verbosity=settings.verbosity)
    return start_everywhere(RTTCATCHER, settings.remote_shell, settings.remote, invitation, rendezvous)


class _Rtt:
    """A running measurement."""

    def __init__(
        self,
        settings: RttSettings,
        observer: Observer,
        stop: Stop,
        rendezvous: Rendezvous,
        pinger: Pinger,
        launcher: Launcher | None,
        packets: int,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._rendezvous = rendezvous
        self._pinger = pinger
        self._launcher = launcher
        self._packets = packets
        self._page = os.urandom(settings.page_bytes)
        self._started_at = time.monotonic()
        self._present: set[int] = set()  # targets that echoed a ping to the group
        self._gone: dict[int, tuple[TargetState, str]] = {}
        self._exchange = Exchange(len(settings.targets), settings.pages)
        self._stop = stop
        self._arrivals: Arrivals | None = None
        self._loop = Loop()

    def run(self) -> RttOutcome:
        for warning in self._rendezvous.warnings:
            self._observer.on_notice(Notice(0, warning))
        interfaces = self._rendezvous.interfaces
        try:
            for opened in self._pinger.sockets:
                self._loop.watch(opened, partial(self._on_echoes, opened))
            if self._launcher is not None:
                self._arrivals = Arrivals(
                    self._launcher,
                    self._settings.targets,
                    self._give_up,
                    self._observer.on_notice,
                    on_ready=lambda target, ready: _ask_for_echoes(paths_to(self._pinger.sockets, interfaces, ready)),
                )
                self._loop.watch(self._launcher, self._arrivals.listen)
            self._stop.listen(lambda: self._loop.post(lambda: None))  # wakes the loop
            self._gather()
            started_at = time.monotonic()
            if self._present:
                self._send()
            return self._outcome(time.monotonic() - started_at)
        finally:
            self._stop.listen(None)
            self._loop.close()

    def _gather(self) -> None:
        """Ping until every target has echoed or is gone, or GATHER_S is over."""
        ping_at = time.monotonic()
        while not self._stop.reason and not self._is_gathered():
            now = time.monotonic()
            if now >= ping_at:
                self._pinger.ping()
                ping_at = now + PING_INTERVAL_S
            self._wait(ping_at)

    def _is_gathered(self) -> bool:
        if len(self._present) + len(self._gone) >= len(self._settings.targets):
            return True
        now, arrivals = time.monotonic(), self._arrivals
        if arrivals is None:
            return now >= self._started_at + GATHER_S
        if arrivals.over_at is not None:
            return now >= arrivals.over_at + GATHER_S
        is_late = now >= arrivals.came_at + self._settings.remote.connect_timeout_s + LATE_S
        for target in arrivals.expected if is_late else ():
            self._give_up(target, NOT_READY)
        return is_late

    def _send(self) -> None:
        self._observer.on_notice(Notice(0, "Sending data..."))
        exchange = self._exchange
        while not exchange.is_finished:
            page = exchange.next_page()
            if page is not None:
                if self._stop.reason:
                    return
                exchange.on_sent(self._pinger.send_page(self._page, page=page))
            self._wait(exchange.next_timeout())
            exchange.handle_timeout(time.monotonic())

    def _wait(self, until: float | None) -> None:
        if self._pinger.is_blocked:
            self._pinger.flush()
            until = time.monotonic() + 0.001
        self._loop.wait(None if until is None else max(0.0, until - time.monotonic()))
        now = time.monotonic()
        if self._arrivals is not None:
            self._arrivals.keep_time()
        if self._observer.due_at is not None and now >= self._observer.due_at:
            self._observer.on_snapshot(self._snapshot(now))

    def _on_echoes(self, opened: socket.socket) -> None:
        for echo, _, at in self._pinger.receive(opened):
            if echo.target >= len(self._settings.targets) or echo.way is not Way.GROUP:
                continue
            if echo.target not in self._present:
                self._present.add(echo.target)
                self._observer.on_notice(Notice(1, "echoes", self._settings.targets[echo.target]))
            if echo.kind is Kind.PAGE:
                self._exchange.receive_echo(echo.target, echo.number, at, echo.hold_us / 1e6, time.monotonic())

    def _give_up(self, target: int, reason: str) -> None:
        state = TargetState.LOST if target in self._present else TargetState.UNREACHABLE
        self._gone.setdefault(target, (state, reason))

    def _snapshot(self, now: float) -> Snapshot:
        size = self._settings.page_bytes
        targets = tuple(
            TargetProgress(
                host, "present" if number in self._present else "expected", packets_lost=self._exchange.missing(number)
            )
            for number, host in enumerate(self._settings.targets)
        )
        return Snapshot(
            "sending" if self._exchange.pages_sent else "gathering",
            now - self._started_at,
            bytes_planned=self._settings.pages * size if self._exchange.pages_sent else 0,
            bytes_sent=self._exchange.pages_sent * size,
            targets=targets,
        )

    def _outcome(self, seconds: float) -> RttOutcome:
        return RttOutcome(
            pages=self._exchange.pages_sent,
            page_bytes=self._settings.page_bytes,
            packets=self._packets,
            interface=",".join(interface.name for interface in self._rendezvous.interfaces),
            seconds=round(seconds, 3),
            targets=tuple(self._target(number) for number in range(len(self._settings.targets))),
            is_interrupted=bool(self._stop.reason),
        )

    def _target(self, number: int) -> TargetRtt:
        histogram = self._exchange.partners[number].histogram
        state, reason = self._gone.get(number, (TargetState.DONE, None))
        is_interrupted = False
        if number not in self._gone and not histogram.total:
            port = self._settings.network.port
            reason = NOBODY if self._launcher is None else NO_ECHO.format(port, port - 1, port)
            state = TargetState.LOST
            is_interrupted = bool(self._stop.reason)
            if is_interrupted:
                reason = "interrupted before it echoed a page"
        host, missing = self._settings.targets[number], self._exchange.missing(number)
        return TargetRtt(host, state, reason, missing, histogram, is_interrupted)


def _ask_for_echoes(paths: Iterable[Path]) -> None:
    """Send an empty datagram on each path, so that firewalls take the echoes for replies."""
    for path in paths:
        with suppress(OSError):  # without a route or permission, the missing echoes themselves show the problem
            path.socket.sendto(b"", path.address)
