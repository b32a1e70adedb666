"""Flow: how far those who are cast to have come, and what gets lost on their way; knows no roster and no names."""

from __future__ import annotations

import math

from mrsync.protocol.core.timers import SLOT_S
from mrsync.protocol.sending.delay import Delay
from mrsync.protocol.sending.losses import Losses
from mrsync.wire.limits import PAGES_MAX
from mrsync.wire.messages import ObjectKind, Report

ANSWER_S = 0.3  # a listener answers if not longer ago it was heard to hear something new


class Flow:
    """One listener; numbers are those of its latest report, times in seconds of the caller's clock."""

    answered_at: float = 0.0  # when it was last heard to have heard something new
    tx_seen: int = 0
    tx_done: int = 0
    active: ObjectKind = ObjectKind.MANIFEST
    frontier: int = 0  # pages of the active object held from its beginning
    needs_end: int = 0
    lag: float = 0.0  # tx behind the caster, smoothed; the largest is the monitor
    monitor_s: float = 0.0
    slowed_at: float = -math.inf  # when its losses slowed the caster down last
    is_shed: bool = False  # it is left behind, and served after the others
    was_shed: bool = False
    looked_page: int = 0  # of the object that is cast; what was lost of the pages below was counted

    def __init__(self, id: int) -> None:
        self.id = id
        self.losses = Losses()
        self.delay = Delay()

    def receive(self, report: Report, now: float, *, is_believed: bool) -> None:
        """Take a report that is newer than the one known.

        is_believed: False if its tx numbers were invented by somebody; then they show no answer.
        """
        if is_believed and report.tx_seen > self.tx_seen:
            self.answered_at = now
        self.tx_seen, self.tx_done = report.tx_seen, report.tx_done
        self.active, self.frontier, self.needs_end = report.active, report.frontier, report.needs_end

    def pages_held(self, kind: ObjectKind) -> int:
        """Pages of this object held from its beginning, as far as this listener has said."""
        return self._of_object(kind, self.frontier)

    def spoken_for(self, kind: ObjectKind) -> int:
        """Pages of this object, from its beginning, of which it has said whether it needs them."""
        return self._of_object(kind, self.needs_end)

    def _of_object(self, kind: ObjectKind, pages: int) -> int:
        """A number of pages that a report states of its active object; the objects before are all held."""
        if self.active == kind:
            return pages
        return PAGES_MAX if self.active > kind else 0


class Audience:
    """The flows of all live listeners, and how often every page leaves for them."""

    def __init__(self) -> None:
        self.flows: list[Flow] = []
        self.copies = 1  # to the group, and to each who is served by unicast

    @property
    def round_s(self) -> float:
        """Time in which every listener can report once."""
        return len(self.flows) * SLOT_S

    def is_answering(self, flow: Flow, now: float) -> bool:
        """Whether it hears and is heard, as far as could be known by now."""
        return now - flow.answered_at < ANSWER_S + 2 * self.round_s

    def answering(self, now: float) -> list[Flow]:
        """Return those who answer and are not left behind, or if none does, all who are not, or else all."""
        kept = [flow for flow in self.flows if not flow.is_shed] or self.flows
        return [flow for flow in kept if self.is_answering(flow, now)] or kept

    @property
    def shed(self) -> set[int]:
        """Those who are left behind."""
        return {flow.id for flow in self.flows if flow.is_shed}

    def take_back(self) -> None:
        """Serve all again."""
        for flow in self.flows:
            flow.is_shed = False
