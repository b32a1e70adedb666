"""multicaster: a whole run on the master, from the scan to the last target's result."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial

from mrsync.errors import ExitStatus, MrsyncError, UsageError
from mrsync.protocol.caster import Caster
from mrsync.protocol.caster_config import CasterConfig
from mrsync.protocol.core.events import (
    CasterEvent,
    ChangesReported,
    ComparisonFinished,
    FileSatOut,
    FilesChanged,
    PhaseEntered,
    TargetEnded,
    TargetJoined,
    TargetRerouted,
    TargetShed,
)
from mrsync.protocol.core.states import RosterState, TargetTrigger
from mrsync.protocol.targets.chains.chains import RelayRules
from mrsync.protocol.targets.commit_decisions import CommitRule
from mrsync.protocol.targets.roster import Target
from mrsync.protocol.traced import Trace, TracedCaster
from mrsync.remote.launcher import Launcher
from mrsync.run.arrivals import Arrivals
from mrsync.run.bootstrap import Readiness
from mrsync.run.cast.account import Account, RunEnd
from mrsync.run.cast.clean_up import CleanUp
from mrsync.run.cast.notices import Notices, can_encrypt
from mrsync.run.cast.outcome import Outcome
from mrsync.run.cast.progress_view import ProgressView
from mrsync.run.cast.reach_notices import ReachNotices
from mrsync.run.cast.supply import Supply
from mrsync.run.cast.unheard import Unheard
from mrsync.run.conntrack import paths_to
from mrsync.run.launch import launch, signer_of
from mrsync.run.observer import Notice, Observer
from mrsync.run.rendezvous import Rendezvous, open_rendezvous
from mrsync.run.settings import CastSettings, draw_session
from mrsync.run.stop import Stop
from mrsync.transport.caster_driver import CasterDriver, CasterSecrets
from mrsync.transport.loop import Loop
from mrsync.transport.network.paths import Path, PathKind
from mrsync.transport.network.socket_options import describe_missing
from mrsync.transport.network.traffic_class import set_traffic_class
from mrsync.transport.pages.compression import compressions_here
from mrsync.transport.pages.forwarding import endpoint
from mrsync.transport.pages.zstd import has_zstd
from mrsync.tree.fs.descriptors import raise_descriptor_limit
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import ladder
from mrsync.wire.messages import Compression, NetworkShare, Phase, SealKind
from mrsync.wire.records import FailureCause
from mrsync.wire.seals.sealing import seals_here

_COMPRESSIONS = {  # by the name in the settings, a bit set of those to choose from
    "auto": 1 << Compression.DEFLATE | 1 << Compression.ZSTD,
    "zstd": 1 << Compression.ZSTD,
    "zlib": 1 << Compression.DEFLATE,
    "none": 0,
}


SOURCE_WAIT_S = 5.0

OutcomeNow = Callable[[str, ExitStatus], Outcome]


def cast(
    settings: CastSettings,
    observer: Observer,
    stop: Stop,
    trace: Trace | None = None,
    on_begun: Callable[[OutcomeNow], None] = lambda outcome_now: None,
) -> Outcome:
    """Make all targets equal to the source as far as possible, and return the outcome.

    trace: called for every phase, message and burst, for a debug log.
    on_begun: called in the loop when all targets are gathered, and when `stop` ends the run, with a function that
    returns the outcome as of now, for a failure (a sentence) and its exit status: whatever then ends the run, that can
    be told.

    A run that was ended by `stop`, or that an MrsyncError ended after it had begun, also has an outcome. Raise
    MrsyncError if the run cannot begin.
    """
    began = time.monotonic()
    raise_descriptor_limit()
    with ExitStack() as opened:
        rendezvous, paths = open_rendezvous(settings, has_unicast=True)
        for path in paths:
            opened.callback(path.socket.close)
        launcher = launch(settings, rendezvous)
        clean_up = None if launcher is None else CleanUp(launcher, settings.targets, observer)
        if clean_up is not None:
            opened.callback(clean_up.wait)
        loop = Loop()
        opened.callback(_close, loop, observer)
        run = _Run(settings, observer, stop, _Place(loop, rendezvous, paths, launcher), trace, on_begun, began)
        if clean_up is not None:
            clean_up.silent = run.silent
        outcome = run.run()
    took_s = round(time.monotonic() - began, 3)  # catchers have cleaned up, too
    return outcome._replace(seconds=outcome.seconds._replace(total=took_s))


def _close(loop: Loop, observer: Observer) -> None:
    """Wait for the jobs that go on, but not for a file system that does not answer: they only read."""
    if not loop.close(SOURCE_WAIT_S):
        observer.on_notice(Notice(0, f"reading SOURCE did not end within {SOURCE_WAIT_S:g} s and is not awaited"))


class _Place(NamedTuple):
    """Where a run takes place: what `cast` opens and closes. launcher: None if catchers are started by hand."""

    loop: Loop
    rendezvous: Rendezvous
    paths: Sequence[Path]
    launcher: Launcher | None


class _Run:
    """Connect the parts of a run: events of the state machine and launcher, source, observer, and account."""

    def __init__(
        self,
        settings: CastSettings,
        observer: Observer,
        stop: Stop,
        place: _Place,
        trace: Trace | None,
        on_begun: Callable[[OutcomeNow], None],
        started_at: float,
    ) -> None:
        self.silent: set[int] = set()  # targets that were given up, and have said nothing since
        session = settings.session or draw_session()
        loop, rendezvous, paths, launcher = place
        group_paths = [path for path in paths if path.kind is PathKind.MULTICAST]
        self._settings = settings
        self._observer = observer
        self._stop = stop
        self._loop = loop
        self._launcher = launcher
        self._started_at = started_at
        self._on_begun = on_begun
        self._refusal = ""  # why the run refuses to delete most entries of a target
        self._error = ""  # what ended the session that was not over
        self._account = Account(settings, session, self._started_at)
        self._notices = Notices(settings, rendezvous, observer)
        self._notices.greet(describe_missing(paths[0].socket) if paths else "")
        config = _caster_config(settings, rendezvous, session, is_unicast=not group_paths)
        self._caster = TracedCaster(config, loop.now(), trace) if trace else Caster(config, loop.now())
        self._source = Supply(settings, session, loop, self._caster, self._notices, observer)
        self._view = ProgressView(self._caster, self._source, lambda: self._driver.statistics)
        caster = self._caster
        self._reach_notices = ReachNotices(caster.reach, caster.relays, caster.roster, rendezvous.group)
        sockets = [path.socket for path in paths]
        for opened in sockets:
            set_traffic_class(opened, share_of(settings))
        self._paths_to = partial(paths_to, sockets, rendezvous.interfaces)
        self._unheard = Unheard(settings.targets, rendezvous.port - 1, loop.now(), self._invite, self._notices.warn)
        self._arrivals = self._listen(launcher) if launcher is not None else None
        self._foreign_sessions = rendezvous.watch_foreign_sessions(session, loop, self._notices.warn)
        self._driver = self._make_driver(sockets, group_paths, session)

    def _make_driver(self, sockets: Sequence[socket.socket], group_paths: Sequence[Path], session: int) -> CasterDriver:
        settings = self._settings
        return CasterDriver(
            self._caster,
            sockets,
            group_paths,
            secrets=CasterSecrets(session, settings.secret, settings.own_secrets, signer_of(settings)),
            compress_level=settings.compress_level,
            read=lambda object, page: self._source.scanned.read(object, page),
            on_event=self._on_event,
            on_pass=self._on_pass,
            on_other_version=self._on_other_version,
            loop=self._loop,
        )

    def _listen(self, launcher: Launcher) -> Arrivals:
        rsync_compare = self._source.rsync_compare
        arrivals = Arrivals(
            launcher,
            self._settings.targets,
            lambda target, reason: self._caster.give_up(target, reason, self._loop.now()),
            self._observer.on_notice,
            rsync_compare.target_answered if rsync_compare is not None else lambda target, is_there: None,
            on_ready=self._on_ready,
            on_word=self.silent.discard,  # it says that it was dismissed, before it cleans up
        )
        self._loop.watch(launcher, arrivals.listen)
        return arrivals

    def run(self) -> Outcome:
        """Gather targets while the source is scanned, then run the session to its end."""
        failure, status = "", ExitStatus.DELETIONS
        self._source.start()
        self._stop.listen(self._on_stop)
        try:
            self._driver.run()
        except Exception as error:
            has_begun = self._caster.phase is not Phase.GATHERING
            self._break_off(error)
            if not has_begun or not isinstance(error, MrsyncError):
                raise
            if self._error:
                failure, status = self._error, error.exit_status
        finally:
            self._stop.listen(None)
            self._foreign_sessions.close()
            if self._launcher is not None:
                self._loop.unwatch(self._launcher)
            self._source.stop()
        if self._stop.reason:
            return self._outcome_now(self._stop.reason, self._stop.status)
        return self._outcome_now(failure or self._refusal, status)

    def _break_off(self, error: Exception) -> None:
        """Tell the catchers that an error ended the session: those started by hand would wait forever."""
        if self._caster.phase in (Phase.DONE, Phase.ABORTED):
            self._notices.warn(f"targets may not know that the session is over: {error}")
        else:
            self._error = str(error) or type(error).__name__
        self._notices.is_interrupted = True
        with suppress(Exception):  # the same error, most likely: it is the first one that counts
            self._caster.abort(self._error, self._loop.now())
            self._driver.run()

    def _outcome_now(self, failure: str, status: ExitStatus) -> Outcome:
        """Return the outcome as of now, also while the session goes on. failure: why it ends early; empty: it does not.

        status: for `failure`.
        """
        end = RunEnd(
            now=time.monotonic(),
            launched_at=self._launched_at(),
            warnings=self._notices.warnings,
            ends_shown=self._notices.ends_shown,
            failure=failure,
            failure_status=status,
            interruption=self._stop.reason or self._error,
            refusal=self._refusal,
        )
        return self._account.build_outcome(self._caster, self._driver, self._source, end)

    def _launched_at(self) -> float | None:
        """Return when the last catcher was ready or had failed to start; None if they were started by hand."""
        return None if self._arrivals is None else self._arrivals.over_at or time.monotonic()

    # events

    def _on_stop(self) -> None:
        """Called in a signal handler or in any thread: only post to the loop."""
        self._notices.is_interrupted = True
        self._loop.post(self._abort)

    def _abort(self) -> None:
        self._on_begun(self._outcome_now)
        states = [target.state for target in self._caster.roster]
        self._notices.notice(0, f"stopping; {states.count(RosterState.DONE)} of {len(states)} complete")
        self._caster.abort(self._stop.reason, self._loop.now())

    def _on_ready(self, target: int, ready: Readiness) -> None:
        self._unheard.begin(target, ready, self._loop.now())
        if (known := self._caster.roster.find(target)) is not None:
            known.hint = self._unheard.hint

    def _invite(self, ready: Readiness) -> None:
        for path in self._paths_to(ready):
            self._caster.invite(path)

    def _on_pass(self) -> None:
        if self._arrivals is not None:
            self._arrivals.keep_time()
        self._unheard.keep_time(self._loop.now())
        now, due_at = time.monotonic(), self._observer.due_at
        seconds = now - self._started_at
        if is_time_up(self._settings, seconds, time.time()):
            self._stop.request("stopped by --stop-after or --stop-at", ExitStatus.TIMEOUT)
        if due_at is not None and now >= due_at:
            self._observer.on_snapshot(self._view.take(seconds, self._loop.now()))

    def _on_event(self, event: CasterEvent) -> None:
        if isinstance(event, PhaseEntered):
            self._on_phase(event.phase)
        elif isinstance(event, ComparisonFinished):
            self._source.plan(event)
        elif isinstance(event, FilesChanged):
            self._source.plan_again(event)
        elif isinstance(event, FileSatOut):
            self._account.sit_out(event)
            host, reason = self._settings.targets[event.target], os.strerror(event.errno)
            self._notices.notice(1, f"skips {self._source.path(event.file)}: {reason}", host)
        elif isinstance(event, ChangesReported):
            self._account.ledger.take(event.target, event.record)
        elif isinstance(event, TargetJoined):
            self._unheard.hear(event.target, self._loop.now())
            self._notices.on_target_joined(self._settings.targets[event.target])
        elif isinstance(event, (TargetRerouted, TargetEnded)):
            self._on_target_changed(event)
        elif isinstance(event, TargetShed):
            name = self._settings.targets[event.target]
            self._notices.warn(f"{name} alone holds back all others, so it is finished after them (--slow-target shed)")

    def _on_phase(self, phase: Phase) -> None:
        self._account.enter(phase, time.monotonic())
        self._view.enter_phase()
        self._notices.notice(2, f"phase {phase.name.lower()}")
        self._notices.tell_roll()
        if phase is Phase.COMPARING:
            self._on_begun(self._outcome_now)
            self._foreign_sessions.close()
            self._notices.tell_seal(self._caster.statistics().seal, self._caster.roster.live)
            self._notices.tell_compression(self._caster.compressions.chosen, self._caster.roster.live)
            self._notices.tell_trust()
            for sentence in self._reach_notices.when_gathered():
                self._notices.warn(sentence)
            for sentence in self._reach_notices.chains():
                self._notices.notice(1, sentence)
            self._notices.tell_routed({target.name for target in self._caster.roster.live if target.path.is_copied})
        elif phase is Phase.CASTING:
            self._source.begin_contents()

    def _on_other_version(self, address: str) -> None:
        if self._caster.phase is Phase.GATHERING:  # else no target is waited for that may be meant
            self._notices.warn_of_version(address)

    def _on_target_changed(self, event: TargetRerouted | TargetEnded) -> None:
        target = self._caster.roster.find(event.target)
        if target is None:
            return
        if isinstance(event, TargetEnded) and target.state is not RosterState.DONE:
            if target.ended_by is not TargetTrigger.ABORT:
                self.silent.add(event.target)
                self._notices.tell_unsent(self._driver.statistics)
            if target.failure is not None and target.failure.cause is FailureCause.DELETIONS:
                self._refuse(target)
            self._notices.on_target_lost(target)
            self._unheard.end(event.target)
        elif isinstance(event, TargetRerouted) and (sentence := self._reach_notices.when_rerouted(target)):
            self._notices.warn(sentence)

    def _refuse(self, target: Target) -> None:
        """End the run, because a target refuses to delete most of its entries. Its complaint says so, once."""
        if not self._refusal:
            self._refusal = f"nothing was changed on any target: {target.name} {target.reason}"
            self._notices.ends_shown.add(target.name)
        self._notices.is_interrupted = True
        self._caster.abort(self._refusal, self._loop.now())


def is_time_up(settings: CastSettings, seconds: float, now: float) -> bool:
    """Return whether the user wants a run to stop. seconds: since its start, whatever the clock shows meanwhile.

    now: in seconds since 1970.
    """
    is_late = settings.stop_at is not None and now >= settings.stop_at
    return is_late or (settings.stop_after is not None and seconds >= 60 * settings.stop_after)


def share_of(settings: CastSettings) -> NetworkShare:
    """Return the share of the network that a session takes."""
    return NetworkShare[settings.share.upper()]


def _relay_rules(settings: CastSettings, rendezvous: Rendezvous) -> RelayRules | None:
    """Return the rules for targets that forward pages, or None if none may."""
    if settings.relay == "no" or settings.network.is_unicast:
        return None
    near = frozenset(range(len(settings.targets))).difference(rendezvous.routed)
    return RelayRules(lambda path: endpoint(path.address), settings.relay_chains, rendezvous.island, near)


def _caster_config(settings: CastSettings, rendezvous: Rendezvous, session: int, *, is_unicast: bool) -> CasterConfig:
    """Return the configuration of the caster. Raise UsageError if encryption is required but not available."""
    seals = seals_here()
    if settings.is_encrypted is False:
        seals &= 1 << SealKind.HMAC_SHA256
    if settings.is_encrypted and not can_encrypt(seals):
        raise UsageError("--encrypt needs the Python package cryptography on the master")
    if settings.compression == "zstd" and not has_zstd():
        raise UsageError("--compress-choice zstd needs Python 3.14, or the Python package zstandard, on the master")
    return CasterConfig(
        session=session,
        steps=ladder(rendezvous.mtu, is_ipv6=rendezvous.is_ipv6, target_count=len(settings.targets)),
        names=dict(enumerate(settings.targets)),
        seals=seals,
        must_encrypt=bool(settings.is_encrypted),
        compressions=_COMPRESSIONS[settings.compression] & compressions_here(),
        ack_wait_s=settings.ack_wait_s,
        quit_on_bad=settings.quits_on_bad,
        is_shedding=settings.slow_target == "shed",
        commit_rule=CommitRule(settings.policy.commit),
        itemizes=settings.policy.itemizes,
        guards_deletions=settings.policy.guards_deletions,
        rate_bytes_s=settings.rate_bytes_s,
        share=share_of(settings),
        has_monitor=settings.has_monitor,
        is_unicast=is_unicast,
        relaying=_relay_rules(settings, rendezvous),
    )
