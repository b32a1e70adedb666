"""Endings: end a target's part before the session ends. It is dismissed, and nothing more is planned for it."""

from __future__ import annotations

from collections import deque
from typing import Callable

from mrsync.protocol.core.events import CasterEvent, TargetEnded
from mrsync.protocol.core.states import TargetTrigger
from mrsync.protocol.targets.liveness import Expectation, overdue_reason
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.messages import Ending

_ENDINGS = {TargetTrigger.REFUSAL: Ending.REFUSED}  # of live targets, by the cause; of all other causes: DROPPED


class Endings:
    """End targets, each only once.

    forget: called with a target and the time, when nothing more is to be planned for it or for its former process.
    on_ended: called after each end with a sentence (name and reason), whether the target was live, and the time.
    """

    def __init__(
        self,
        roster: Roster,
        outbox: Outbox,
        events: deque[CasterEvent],
        *,
        ack_wait_s: float,
        forget: Callable[[Target, float], None],
        on_ended: Callable[[str, bool, float], None],
    ) -> None:
        self.forget = forget
        self._roster = roster
        self._outbox = outbox
        self._events = events
        self._ack_wait_s = ack_wait_s
        self._on_ended = on_ended

    def end(self, target: Target, trigger: TargetTrigger, reason: str, now: float) -> None:
        """End a target, send it a farewell, and stop waiting for it.

        trigger: decides its final state. reason: a sentence for the user and the target. Raise RuntimeError if it has
        already ended.
        """
        was_live = target.is_live
        self._roster.end(target, trigger, reason, now)
        self._events.append(TargetEnded(target.id))
        if was_live:
            self.forget(target, now)
            self._outbox.farewell(target, _ENDINGS.get(trigger, Ending.DROPPED), reason)
        self._on_ended(f"{target.name}: {reason}", was_live, now)

    def end_overdue(self, expected: Expectation, now: float) -> None:
        """End every live target that is silent or stuck. expected: what targets can be expected to have done by now."""
        for target in self._roster.live:
            reason = overdue_reason(target, expected, ack_wait_s=self._ack_wait_s, now=now)
            if reason and target.is_live:  # the end of another one may have aborted the session
                self.end(target, TargetTrigger.SILENCE, reason, now)

    def refuse_narrow(self, target: Target, mtu: int, now: float) -> None:
        """Refuse a target whose path does not carry the smallest packets, or those of this session."""
        if target.is_live:  # the end of another one may have aborted the session
            self.end(target, TargetTrigger.REFUSAL, f"packets of {mtu} bytes do not reach it", now)

    def end_absent(self, now: float, reason: str = "") -> None:
        """End all targets that have not joined yet. reason: why; "": nothing came from them in time."""
        reason = reason or f"nothing received within {self._ack_wait_s:g} s"
        for target in self._roster.expected:
            if not target.is_ended:  # the end of another one may have aborted the session
                self.end(target, TargetTrigger.ABSENCE, reason + target.hint, now)
