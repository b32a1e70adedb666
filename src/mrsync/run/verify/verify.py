"""Verify all targets at once: start a verifier on each, and collect what they find."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from mrsync.errors import ExitStatus, ProtocolDataError
from mrsync.remote.launcher import CatcherExited, Launcher, LineWritten
from mrsync.run.launch import Program, start_alone
from mrsync.run.observer import Notice, Observer, Snapshot, TargetProgress
from mrsync.run.settings import Invitation, Remote
from mrsync.run.stop import Stop
from mrsync.run.verify.findings import Pulse, TreeVerdict, decode_finding
from mrsync.transport.loop import Loop
from mrsync.tree.record.verification import FOUND_MAX, Difference
from mrsync.tuples import NamedTuple
from mrsync.wire.limits import SECRET_BYTES

VERIFIER = Program("verifier", "mrsync.run.verify.verifier")
STOP_WAIT_S = 2.0
TURN_S = 0.25
SILENCE_S, SILENCE_SHARE = 600.0, 4  # for a disk that stalls, and later this part of the time so far


class VerifySettings(NamedTuple):
    """One verification of `dest` on all targets."""

    targets: tuple[str, ...]
    dest: bytes  # may contain {host}
    remote_shell: str
    verbosity: int = 0
    remote: Remote = Remote()


class VerifiedTarget(NamedTuple):
    """The result of one target. reason: why there is none."""

    host: str
    verdict: TreeVerdict | None
    reason: str
    differences: tuple[Difference, ...]

    @property
    def is_equal(self) -> bool:
        """Whether the tree is what its record says."""
        return self.verdict is not None and not self.verdict.problem and not self.verdict.differences


class VerifyOutcome(NamedTuple):
    """The result of a verification. manifest, tree: digests of the manifest and the entries that most records hold."""

    targets: tuple[VerifiedTarget, ...]
    manifest: str
    seconds: float
    is_interrupted: bool
    tree: str = ""

    @property
    def stale(self) -> list[str]:
        """The hosts whose records come from another sync than those of most hosts."""
        return [
            target.host
            for target in self.targets
            if target.verdict is not None and target.verdict.manifest not in ("", self.manifest)
        ]

    @property
    def others(self) -> list[str]:
        """The hosts whose proven tree differs from that of most hosts."""
        proven = [(target.host, target.verdict.tree) for target in self.targets if target.verdict is not None]
        return [host for host, tree in proven if tree not in ("", self.tree)]

    @property
    def exit_status(self) -> ExitStatus:
        """OK only if every target is equal to its record, and all records are of one tree."""
        if self.is_interrupted:
            return ExitStatus.INTERRUPTED
        if all(target.verdict is None for target in self.targets):
            return ExitStatus.START
        is_good = all(target.is_equal for target in self.targets) and not self.others
        return ExitStatus.OK if is_good else ExitStatus.PARTIAL


def verify_targets(settings: VerifySettings, observer: Observer, stop: Stop) -> VerifyOutcome:
    """Verify all targets. Raise MrsyncError if nothing can be started."""
    invitation = Invitation(settings.targets, settings.dest, os.urandom(SECRET_BYTES), verbosity=settings.verbosity)
    launcher = start_alone(VERIFIER, settings.remote_shell, settings.remote, invitation)
    try:
        return _Verification(settings.targets, launcher, observer, stop).run()
    finally:
        launcher.stop(STOP_WAIT_S)


class _Verification:
    """A running verification."""

    def __init__(self, hosts: Sequence[str], launcher: Launcher, observer: Observer, stop: Stop) -> None:
        self._hosts = hosts
        self._launcher = launcher
        self._observer = observer
        self._stop = stop
        self._verdicts: list[TreeVerdict | None] = [None] * len(hosts)
        self._reasons = [""] * len(hosts)
        self._differences: list[list[Difference]] = [[] for _ in hosts]
        self._began = time.monotonic()
        self._heard_at = dict.fromkeys(range(len(hosts)), self._began)  # of those that run
        self._answering: set[int] = set()
        self._looked_at = [0] * len(hosts)  # entries and portions of files

    def run(self) -> VerifyOutcome:
        """Wait until all verifiers have ended, or the user stops it."""
        loop = Loop()
        try:
            loop.watch(self._launcher, self._take_events)
            self._stop.listen(lambda: loop.post(lambda: None))  # wakes the loop
            while self._heard_at and not self._stop.reason:
                loop.wait(TURN_S)
                self._take_events()
                self._leave_silent(now := time.monotonic())
                if self._observer.due_at is not None and now >= self._observer.due_at:
                    self._observer.on_snapshot(self._snapshot(now))
        finally:
            self._stop.listen(None)
            loop.close()
        return self._outcome(round(time.monotonic() - self._began, 3))

    def _take_events(self) -> None:
        for event in self._launcher.take_events():
            if isinstance(event, CatcherExited):
                self._heard_at.pop(event.target, None)
                self._reasons[event.target] = self._reasons[event.target] or event.reason
            elif event.target in self._heard_at:
                self._receive_line(event)

    def _leave_silent(self, now: float) -> None:
        """Give up targets that have made no progress for too long."""
        patience_s = max(SILENCE_S, (now - self._began) / SILENCE_SHARE)
        for target in [target for target, at in self._heard_at.items() if now - at > patience_s]:
            del self._heard_at[target]
            self._reasons[target] = f"it made no progress for {patience_s:.0f} s"

    def _receive_line(self, event: LineWritten) -> None:
        try:
            finding = decode_finding(event.line)
        except ProtocolDataError as error:
            self._reasons[event.target] = str(error)
            return
        if finding is None:
            self._observer.on_notice(Notice(1, event.text, self._hosts[event.target]))
            return
        self._heard_at[event.target] = time.monotonic()
        self._answering.add(event.target)
        if isinstance(finding, Pulse):
            self._looked_at[event.target] = finding.looked_at
        elif isinstance(finding, TreeVerdict):
            self._verdicts[event.target] = finding
        elif isinstance(finding, Difference) and len(self._differences[event.target]) < FOUND_MAX:
            self._differences[event.target].append(finding)

    def _snapshot(self, now: float) -> Snapshot:
        looked_at = min(map(self._looked_at.__getitem__, self._heard_at), default=0)
        targets = tuple(TargetProgress(host, self._state(number)) for number, host in enumerate(self._hosts))
        return Snapshot("verifying", now - self._began, targets=targets, entries_done=looked_at)

    def _state(self, target: int) -> str:
        if self._verdicts[target] is not None:
            return "done"
        if target in self._heard_at:
            return "present" if target in self._answering else "expected"
        return "lost" if target in self._answering else "unreachable"

    def _outcome(self, seconds: float) -> VerifyOutcome:
        verdicts = [verdict for verdict in self._verdicts if verdict is not None]
        manifest = _most_common(verdict.manifest for verdict in verdicts)
        tree = _most_common(verdict.tree for verdict in verdicts)
        left = "interrupted before it was verified" if self._stop.reason else ""
        reasons = [reason or left for reason in self._reasons]
        rows = zip(self._hosts, self._verdicts, reasons, self._differences, strict=True)
        targets = tuple(VerifiedTarget(host, verdict, reason, tuple(found)) for host, verdict, reason, found in rows)
        return VerifyOutcome(targets, manifest, seconds, bool(self._stop.reason), tree)


def _most_common(digests: Iterable[str]) -> str:
    """Return the digest that most targets have; "" if none has any."""
    counts = Counter(filter(None, digests)).most_common(1)
    return counts[0][0] if counts else ""
