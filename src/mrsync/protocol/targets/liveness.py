"""Liveness: a target is lost if it is silent, or answers without any progress, for the ack wait.

It is lost as well if it reports progress, and the session has waited for it in all for longer than its budget.
"""

from __future__ import annotations

from collections.abc import Callable, Set

from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.targets.chains.relays import Relays
from mrsync.protocol.targets.commit_decisions import CommitDecisions
from mrsync.protocol.targets.patience import Patience
from mrsync.protocol.targets.roster import Target
from mrsync.tuples import NamedTuple
from mrsync.wire.messages import ObjectKind, Phase

HARDLY_ANY = 10  # times as many packets are missing as have arrived


class Expectation(NamedTuple):
    """The state of the session from which follows what a target should have done by now."""

    phase: Phase
    contents: ObjectKind  # of this round
    object: ObjectKind  # that is cast, or was last
    pages_sent: int  # of this object
    is_sent: bool  # whether all of it was sent at least once
    owes: Callable[[int, int], bool]  # whether a target waits for a repair, and none was sent for it since a tx
    is_led: Callable[[Target, ObjectKind], bool]  # whether a relay feeds a target, and holds no more than it does
    commit_end: int  # plan files that may be committed
    file_count: int
    patience: Patience
    window_held_by: Set[int] = frozenset()  # targets without whose progress nothing more is sent

    @classmethod
    def of(
        cls,
        phase: Phase,
        contents: ObjectKind,
        transfer: Transfer | None,
        commits: CommitDecisions,
        relays: Relays,
        patience: Patience,
        window_held_by: Set[int],
    ) -> Expectation:
        """Return the expectation for the current phase and transfer.

        contents: the object that has the contents of this round.
        transfer: what is being cast, or None.
        commits: what may be committed.
        relays: who feeds whom.
        patience: how long to wait for one target.
        window_held_by: targets that keep the window closed while there is more to send.
        """
        return cls(
            phase,
            contents,
            transfer.object if transfer is not None else ObjectKind.MANIFEST,
            pages_sent=transfer.next_page if transfer is not None else 0,
            is_sent=transfer is not None and transfer.is_sent,
            owes=transfer.owes if transfer is not None else lambda target, tx: False,
            is_led=relays.is_led,
            commit_end=commits.span.end,
            file_count=commits.file_count,
            patience=patience,
            window_held_by=window_held_by,
        )


def overdue_reason(target: Target, expected: Expectation, *, ack_wait_s: float, now: float) -> str:
    """Return why to drop this live target, or "". Restart the clock of a target that waits for others.

    expected: what it can be expected to have done by now. ack_wait_s: for how long it may be silent, or get nothing
    done.
    """
    if target.result is not None:
        return ""
    silence_s = now - target.progress.heard_at
    if silence_s > ack_wait_s:
        why = "" if target.report is not None else " since it joined: does a firewall drop what it is sent by unicast?"
        return f"silent for {ack_wait_s:g} s{why}"
    is_behind = _is_behind(target, expected)
    is_awaited = is_behind or target.id in expected.window_held_by  # which may hold all that was sent
    if is_awaited and not is_behind:
        target.progress.note_done(target.flow.tx_done, now)
    if not is_awaited or _is_starved(target, expected) or (not is_behind and _is_passing_on(target)):
        target.progress.done_at = now
    if now - target.progress.done_at > ack_wait_s:
        if silence_s > ack_wait_s / 2:
            return f"no progress for {ack_wait_s:g} s, then silent"
        return f"answered, but made no progress for {ack_wait_s:g} s ({_waited_for(target, expected.phase)})"
    waiting = target.waiting
    is_left_behind = target.flow.is_shed and not expected.is_sent  # it gets the rest when the others have everything
    waiting.look(expected.patience, is_awaited=is_awaited and not is_left_behind, now=now)
    held = min(target.frontier(expected.object), expected.pages_sent)
    waiting.take_off(expected.patience, expected.object, held, target.log.offset)
    if waiting.is_over(expected.patience):
        held_up = f"held the others up for {waiting.waited_s:.0f} s with too little progress"
        return f"{held_up} ({_waited_for(target, expected.phase)}); if it is only slow, raise --ack-wait"
    return ""


def _is_behind(target: Target, expected: Expectation) -> bool:
    """Return whether the session waits for this target, and not the reverse."""
    is_left_waiting = not expected.is_sent and target.frontier(expected.object) >= expected.pages_sent
    if expected.phase is Phase.COMPARING:
        return target.compared is None and not is_left_waiting
    if expected.phase is Phase.PLANNING:
        return not target.awaits(expected.contents) and not is_left_waiting
    if expected.phase is Phase.CASTING:
        return (
            target.frontier(expected.contents) < expected.pages_sent
            or target.committed < expected.commit_end
            or (expected.is_sent and target.ready < expected.file_count)
        )
    return expected.phase in (Phase.FINISHING, Phase.WITHDRAWING)


def _is_passing_on(target: Target) -> bool:
    """Return whether it says that it waits for its child, which is judged by itself."""
    return target.hop is not None and target.hop.pages_waiting > 0


def _is_starved(target: Target, expected: Expectation) -> bool:
    """Return whether it cannot go on before it gets a repair that is due, or before its relay gets more itself."""
    report = target.report
    is_idle = report is not None and not report.queue_pages
    if not target.path.is_direct:
        lacks_pages = target.frontier(expected.object) < expected.pages_sent
        if target.flow.is_shed:
            return is_idle  # it is served last
        return is_idle and lacks_pages and expected.is_led(target, expected.object)
    return is_idle and expected.owes(target.id, target.progress.done_tx)


def _waited_for(target: Target, phase: Phase) -> str:
    report = target.report
    if report is None or not report.packets_seen:
        return "it has not received any page: does it hear the multicast group?"
    arrived, missing = report.packets_seen - target.progress.packets_then, report.packets_lost
    if phase is Phase.CASTING and missing > HARDLY_ANY * max(1, arrived):
        return f"{missing} packets missing, hardly any arrive: has an MTU on the path shrunk? The next run measures it"
    return {
        Phase.COMPARING: "comparing",
        Phase.PLANNING: "receiving the plan",
        Phase.CASTING: f"{report.packets_lost} packets missing, {report.queue_pages} pages not yet written",
        Phase.FINISHING: "finishing",
        Phase.WITHDRAWING: "giving up what was staged",
    }.get(phase, "gathering")
