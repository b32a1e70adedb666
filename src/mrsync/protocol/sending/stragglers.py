"""Stragglers: leave behind a target that alone holds back all others, and serve it when they have everything.

Only its flow is ignored: it does not clock the caster, its losses do not slow the caster down, and its repairs wait. It
still receives all that the others receive, and commits still wait for it if the commit rule requires that. A flow is
shed at most once. What would break it: blaming one target for a problem of several. So it must be the only culprit for
HELD_S. A relay that waits for a target behind it is not the culprit, but that target.
"""

from __future__ import annotations

from typing import Callable

from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.flow import Audience, Flow

HELD_S = 5.0
LOOK_S_MAX = 0.2  # longest time that counts between two checks
FREE_SHARE = 0.5  # of the window, that all others must have left


class Stragglers:
    """Watch which target holds the others back.

    is_shedding: whether to leave it behind. blame: returns whom a listener waits for, or itself.
    """

    def __init__(
        self,
        audience: Audience,
        clock: AckClock,
        *,
        is_shedding: bool,
        blame: Callable[[Flow], Flow] = lambda flow: flow,
    ) -> None:
        self._audience = audience
        self._clock = clock
        self._is_shedding = is_shedding
        self._blame = blame
        self._held_s: dict[int, float] = {}
        self._looked_at = 0.0

    def look(self, tx: int, now: float) -> Flow | None:
        """Return the target that is left behind from now on, if there is one."""
        passed_s, self._looked_at = min(LOOK_S_MAX, now - self._looked_at), now
        if not self._is_shedding:
            return None
        culprit = self._culprit(tx, now)
        for flow in list(self._held_s):
            if culprit is None or flow != culprit.id:
                self._held_s[flow] = max(0.0, self._held_s[flow] - passed_s)
        if culprit is None or culprit.was_shed:
            return None
        held_s = self._held_s[culprit.id] = self._held_s.get(culprit.id, 0.0) + passed_s
        if held_s < HELD_S:
            return None
        culprit.is_shed = culprit.was_shed = True
        self._clock.pacing.stop()
        return culprit

    def _culprit(self, tx: int, now: float) -> Flow | None:
        """Return the target that alone keeps the others from getting more, if there is one."""
        flows = self._audience.answering(now)
        if len(flows) < 2 and all(self._blame(flow) is flow for flow in flows):
            return None
        if self._clock.pacing.is_on:
            blamed = [flow for flow in flows if now - flow.slowed_at < HELD_S]
            return self._blame(blamed[0]) if len(blamed) == 1 else None
        window, monitors = self._clock.window, self._clock.monitors
        slow = [flow for flow in monitors if not window.room(tx, flow.tx_done)]
        free = [flow for flow in monitors if window.room(tx, flow.tx_done) > FREE_SHARE * window.size]
        return self._blame(slow[0]) if len(slow) == 1 and len(free) == len(monitors) - 1 else None
