"""multicaster: one whole run on the master, from the scan to the last target's result."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from types import FrameType

from mrsync.errors import Interrupted, ProtocolDataError
from mrsync.protocol.caster import Caster, CasterConfig
from mrsync.protocol.events import (
    CasterEvent,
    ComparisonFinished,
    FileSatOut,
    PhaseEntered,
    TargetEnded,
    TargetJoined,
)
from mrsync.protocol.states import TargetState
from mrsync.remote.launcher import CatcherExited, Launcher, LineWritten
from mrsync.remote.local import LocalLauncher
from mrsync.run.account import round_trips, target_outcome
from mrsync.run.catch import catch_from_stdin
from mrsync.run.objects import Objects
from mrsync.run.observer import Notice, Observer, Snapshot, TargetProgress
from mrsync.run.outcome import Outcome, Seconds
from mrsync.run.settings import CastSettings, CatchSettings
from mrsync.transport.casting import CasterDriver
from mrsync.transport.interface import (
    Interface,
    interface_named,
    interface_towards,
    is_this_host,
    loopback_interface,
)
from mrsync.transport.loop import Loop
from mrsync.transport.multicast import check_group, open_caster_socket
from mrsync.tree.scan import Scan, scan
from mrsync.wire.geometry import Geometry
from mrsync.wire.keys import SessionKeys
from mrsync.wire.messages import ObjectKind, Phase, SealKind
from mrsync.wire.sealing import seals_here

LOCAL = "local"
STOP_WAIT_S = 10.0  # for catchers to clean up
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def cast(settings: CastSettings, observer: Observer) -> Outcome:
    """Make all targets equal to the source, as far as they can be, and tell how it went.

    Raises MrsyncError when it could not even begin, Interrupted when a signal ended it.
    """
    gc.disable()  # columns and numbers make no cycles; looking for some costs a tenth of a large scan
    check_group(settings.network.group)
    interface = _interface(settings)
    launcher = _launch(settings, interface)
    try:
        return _Cast(settings, observer, interface, launcher).run()
    finally:
        if launcher is not None:
            launcher.stop(STOP_WAIT_S)


def _interface(settings: CastSettings) -> Interface:
    if settings.network.interface is not None:
        return interface_named(settings.network.interface)
    if settings.remote_shell == LOCAL:
        return loopback_interface()
    return interface_towards(settings.targets)


def _launch(settings: CastSettings, interface: Interface) -> Launcher | None:
    """Start the catchers, if that is our business; they wait for the first status while we scan."""
    if settings.remote_shell is None:
        return None
    parameters = [
        CatchSettings(
            target=number,
            host=host,
            dest=settings.dest_for(host),
            secret=settings.secret,
            network=settings.network._replace(interface=interface.name),
            verbosity=settings.verbosity,
            is_dry_run=settings.is_dry_run,
        ).encode()
        for number, host in enumerate(settings.targets)
    ]
    launcher = LocalLauncher(catch_from_stdin)
    launcher.start(parameters)
    return launcher


class _Cast:
    """The parts of one run, joined: the core's events, the launcher's events, the observer, the outcome."""

    def __init__(
        self, settings: CastSettings, observer: Observer, interface: Interface, launcher: Launcher | None
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._interface = interface
        self._launcher = launcher
        self._started_at = time.monotonic()
        self._entered_at: dict[Phase, float] = {}
        self._warnings: list[str] = []
        self._changed_count = 0
        self._sat_out: dict[int, str] = {}
        self._interruption = ""
        self._session = int.from_bytes(os.urandom(8), "big")
        self._geometry = Geometry.from_mtu(interface.mtu, is_ipv6=False, target_count=len(settings.targets))

    def run(self) -> Outcome:
        opened = self._open_socket()
        loop = self._loop = Loop()
        try:
            found = self._scan()
            self._objects = Objects(found, self._geometry, self._on_file_changed)
            self._gathering_at = loop.now()
            self._caster = Caster(self._config(), self._gathering_at)
            self._driver = CasterDriver(
                self._caster,
                opened,
                (self._settings.network.group, self._settings.network.port),
                keys=SessionKeys.derive(self._settings.secret, self._session),
                geometry=self._geometry,
                read=self._objects.read,
                on_event=self._on_event,
                on_round=self._on_round,
                loop=loop,
            )
            self._drive()
            return self._outcome(found)
        finally:
            loop.close()
            opened.close()

    def _config(self) -> CasterConfig:
        settings = self._settings
        wanted = seals_here()
        if settings.is_encrypted is False:
            wanted &= 1 << SealKind.HMAC_SHA256
        if settings.is_encrypted and not wanted >> SealKind.AES_256_GCM & 1:
            raise ProtocolDataError("--encrypt needs the Python package cryptography on the master")
        return CasterConfig(
            session=self._session,
            geometry=self._geometry,
            names=dict(enumerate(settings.targets)),
            seals=wanted,
            must_encrypt=bool(settings.is_encrypted),
            ack_wait_s=settings.ack_wait_s,
            quit_on_bad=settings.quits_on_bad,
            rate_bytes_s=settings.rate_bytes_s,
        )

    def _open_socket(self) -> socket.socket:
        network = self._settings.network
        is_looped = network.has_loop or any(map(is_this_host, self._settings.targets))
        return open_caster_socket(self._interface, network.group, network.port, ttl=network.ttl, is_looped=is_looped)

    def _scan(self) -> Scan:
        entries = 0

        def on_activity(more: int) -> None:
            nonlocal entries
            entries += more
            self._look("scanning", files=entries)

        found = scan(self._settings.source, deletes=self._settings.deletes, on_activity=on_activity)
        for failure in found.errors:
            self._warn(failure.sentence)
        if found.errors and self._settings.deletes:
            self._warn("nothing is deleted on the targets, because some of the source could not be read")
        for entry in found.skipped:
            self._warn(
                f"skipped, for it is neither file, directory nor link: {os.fsdecode(found.manifest.path(entry))}"
            )
        return found

    def _drive(self) -> None:
        """Run the session; a signal ends it in order."""
        if self._launcher is not None:
            self._loop.watch(self._launcher, self._on_launcher)
        before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        try:
            self._caster.offer_manifest(len(self._objects.manifest))
            self._driver.run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if self._launcher is not None:
                self._loop.unwatch(self._launcher)
            self._objects.close()
        if self._interruption:
            raise Interrupted(self._interruption)

    # what happens meanwhile

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._interruption = f"interrupted by {signal.Signals(number).name}"
        self._loop.post(lambda: self._caster.abort(self._interruption, self._loop.now()))

    def _on_launcher(self) -> None:
        assert self._launcher is not None  # it is watched only if there is one
        for event in self._launcher.take_events():
            host = self._settings.targets[event.target]
            if isinstance(event, CatcherExited):
                if event.status:
                    self._caster.give_up(event.target, event.reason, self._loop.now())
            elif isinstance(event, LineWritten) and not event.line.startswith(b"{"):
                self._notice(1, event.line.decode(errors="replace"), host)

    def _on_event(self, event: CasterEvent) -> None:
        if isinstance(event, PhaseEntered):
            self._entered_at[event.phase] = self._loop.now()
            self._notice(2, f"phase {event.phase.name.lower()}")
        elif isinstance(event, ComparisonFinished):
            self._plan(event)
        elif isinstance(event, FileSatOut):
            self._on_file_sat_out(event)
        elif isinstance(event, TargetJoined):
            self._notice(1, "joined", self._settings.targets[event.target])
        elif isinstance(event, TargetEnded):
            target = self._caster.roster.find(event.target)
            if target is not None and target.state is not TargetState.DONE:
                self._notice(0, f"{target.state.name.lower()}: {target.reason}", target.name)

    def _plan(self, event: ComparisonFinished) -> None:
        if self._settings.is_dry_run:
            self._caster.offer_plan(0, 0, 0, self._loop.now())
        else:
            self._caster.offer_plan(*self._objects.make_plan(event.needs), self._loop.now())

    def _on_file_sat_out(self, event: FileSatOut) -> None:
        host = self._settings.targets[event.target]
        path = os.fsdecode(self._objects.path(event.index))
        self._sat_out.setdefault(event.index, f"{host} could not take it: {os.strerror(event.errno)}")
        self._notice(1, f"sits out {path}: {os.strerror(event.errno)}", host)

    def _on_file_changed(self, file: int, reason: str) -> None:
        self._caster.void_file(file)
        self._changed_count += 1
        self._warn(f"skipped on all targets, {reason} while it was read: {os.fsdecode(self._objects.path(file))}")

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self._notice(0, text)

    def _notice(self, level: int, text: str, host: str | None = None) -> None:
        self._observer.on_notice(Notice(level, text, host))

    # progress

    def _on_round(self, now: float) -> None:
        self._look(self._caster.phase.name.lower())

    def _look(self, phase: str, files: int | None = None) -> None:
        due_at = self._observer.due_at
        if due_at is not None and time.monotonic() >= due_at:
            seconds = time.monotonic() - self._started_at
            self._observer.on_snapshot(
                Snapshot(phase, seconds, files_planned=files) if files is not None else self._snapshot(phase, seconds)
            )

    def _snapshot(self, phase: str, seconds: float) -> Snapshot:
        plan = self._objects.plan
        numbers = self._caster.statistics()
        size = self._geometry.page_bytes
        planned = plan.contents_bytes if plan is not None else 0
        targets = tuple(
            TargetProgress(
                host=target.name,
                state=target.state.name.lower(),
                bytes_done=min(target.frontier(ObjectKind.CONTENTS) * size, planned),
                packets_lost=target.packets_missed,
                kernel_drops=target.report.kernel_drops if target.report else 0,
                is_monitor=target.name == numbers.monitor,
            )
            for target in self._caster.roster
        )
        return Snapshot(
            phase,
            seconds,
            bytes_planned=planned,
            bytes_sent=min(numbers.pages_sent * size, planned),
            bytes_repaired=numbers.packets_repaired * self._geometry.slice_bytes,
            files_planned=plan.file_count if plan is not None else 0,
            targets=targets,
        )

    # the outcome

    def _outcome(self, found: Scan) -> Outcome:
        numbers = self._caster.statistics()
        sent = self._driver.statistics
        plan = self._objects.plan
        excepted = [(file, plan.entries[file], why) for file, why in sorted(self._sat_out.items())] if plan else []
        return Outcome(
            session=self._session,
            source=self._settings.source,
            dest=self._settings.dest,
            targets=tuple(
                target_outcome(target, excepted=excepted, path_of=self._objects.path, started_at=self._started_at)
                for target in self._caster.roster
            ),
            seconds=self._seconds(),
            is_dry_run=self._settings.is_dry_run,
            entries=len(found.manifest),
            files_planned=plan.file_count if plan is not None else 0,
            bytes_planned=plan.contents_bytes if plan is not None else 0,
            pages=numbers.pages,
            pages_sent=numbers.pages_sent,
            bytes_sent=sent.bytes,
            bytes_repaired=numbers.packets_repaired * self._geometry.slice_bytes,
            packets_sent=sent.packets,
            packets_repaired=numbers.packets_repaired,
            packets_coded=numbers.packets_coded,
            round_trips=round_trips(numbers.rtt_us),
            warnings=tuple(self._warnings),
            source_errors=len(found.errors),
            source_changes=self._changed_count,
        )

    def _seconds(self) -> Seconds:
        """Wall time by phase; a phase that was never entered took none."""
        now = self._loop.now()
        at = self._entered_at
        order = (Phase.COMPARING, Phase.PLANNING, Phase.CASTING, Phase.FINISHING, Phase.DONE)
        ends = {
            phase: min([at[later] for later in order[rank + 1 :] if later in at], default=now)
            for rank, phase in enumerate(order)
        }
        took = {phase: round(ends[phase] - at[phase], 3) if phase in at else 0.0 for phase in order}
        return Seconds(
            total=round(now - self._started_at, 3),
            gather=round(at.get(Phase.COMPARING, now) - self._gathering_at, 3),
            manifest=round(self._gathering_at - self._started_at, 3),
            compare=took[Phase.COMPARING],
            cast=took[Phase.PLANNING] + took[Phase.CASTING],
            commit=took[Phase.FINISHING],
        )
