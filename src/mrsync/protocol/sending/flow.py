"""Flow: the progress and the losses of each listener. It knows neither the roster nor names."""

from __future__ import annotations

import math

from mrsync.protocol.core.timers import TURN_S
from mrsync.protocol.pace.delay import Delay
from mrsync.protocol.sending.loss_trials import LossTrials
from mrsync.wire.limits import PAGES_MAX
from mrsync.wire.messages import FlowReport, ObjectKind

ANSWER_S = 0.3  # a listener answers if it reported something new within this time


class Flow:
    """One listener. Numbers are those of its last report; times are seconds of the caller's clock."""

    answered_at: float = 0.0  # when it last reported that it received something new
    tx_seen: int = 0
    tx_done: int = 0
    active: ObjectKind = ObjectKind.MANIFEST
    frontier: int = 0  # pages of the active object that it holds from the beginning
    needs_end: int = 0
    lag: float = 0.0  # how far it is behind the caster, in tx, smoothed; the monitor has the largest
    monitor_s: float = 0.0
    slowed_at: float = -math.inf  # when its losses last slowed the caster down
    is_shed: bool = False  # it is left behind, and served after the others
    was_shed: bool = False
    looked_page: int = 0  # losses of pages below, of the current object, are counted

    def __init__(self, id: int) -> None:
        self.id = id
        self.losses = LossTrials()
        self.delay = Delay()

    def receive(self, report: FlowReport, now: float, *, is_believed: bool) -> None:
        """Take a report that is newer than the last one.

        is_believed: False if it contains tx numbers that were never sent; then it is not an answer.
        """
        if is_believed and report.tx_seen > self.tx_seen:
            self.answered_at = now
        self.tx_seen, self.tx_done = report.tx_seen, report.tx_done
        self.needs_end = self._spoken_for_by(report)
        self.active, self.frontier = report.active, report.frontier

    def _spoken_for_by(self, report: FlowReport) -> int:
        """Return the new needs_end. A report that begins behind the frontier continues where another one ended."""
        if report.needs_first <= report.frontier:
            return report.needs_end
        known = self.needs_end if report.active is self.active else 0
        return max(known, report.needs_end) if report.needs_first <= known else known

    def pages_held(self, object: ObjectKind) -> int:
        """Return the number of pages that the listener holds from the beginning of an object."""
        return self._of_object(object, self.frontier)

    def spoken_for(self, object: ObjectKind) -> int:
        """Return the number of pages, from the beginning of an object, whose needs it has reported."""
        return self._of_object(object, self.needs_end)

    def _of_object(self, object: ObjectKind, pages: int) -> int:
        """Return a number of pages of the active object; the objects before it are complete."""
        if self.active == object:
            return pages
        return PAGES_MAX if self.active > object else 0


class Audience:
    """The flows of all live listeners, and the number of copies of each page."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self.copies = 1  # to the group, and to each listener that is served by unicast

    @property
    def cycle_s(self) -> float:
        """Seconds in which every listener can report once."""
        return len(self.flows) * TURN_S

    def is_answering(self, flow: Flow, now: float) -> bool:
        """Return whether a listener receives something and its reports arrive, as far as can be known."""
        return now - flow.answered_at < ANSWER_S + 2 * self.cycle_s

    def answering(self, now: float) -> list[Flow]:
        """Return the listeners that answer and are not left behind, else all that are not left behind, else all."""
        kept = [flow for flow in self.flows if not flow.is_shed] or self.flows
        return [flow for flow in kept if self.is_answering(flow, now)] or kept

    @property
    def shed(self) -> set[int]:
        """The ids of listeners that are left behind."""
        return {flow.id for flow in self.flows if flow.is_shed}

    def take_back(self) -> None:
        """Leave no listener behind any longer."""
        for flow in self.flows:
            flow.is_shed = False
