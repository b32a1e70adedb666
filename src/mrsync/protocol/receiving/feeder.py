"""Feeder: forward pages to one child. The child's claims clock it, and request repairs.

It uses the caster's own schedule, clock, window and repairs for an audience of one. It only decides when to send what;
phases and commits remain the caster's.
"""

from __future__ import annotations

from collections import deque
from typing import Callable

from mrsync.protocol.core.sends import CatcherSend, SendToPeer
from mrsync.protocol.core.timers import Timer, TimerTable
from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.receiving.passage import Passage
from mrsync.protocol.sending.clock import Clock
from mrsync.protocol.sending.flow import Audience, Flow
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.window import Window
from mrsync.wire.geometry import Geometry
from mrsync.wire.hops import FEED_BYTES
from mrsync.wire.messages import Claim, Feed, NetworkShare, ObjectKind, Peer, Report

FEED_S = 0.1
SEEK_S = 0.02  # until the child has answered
QUIET_S = 0.5  # do not wait for a child that claims nothing for this long
WAITING_MAX = 256  # pages; with more, this relay takes no more than its child does
TERMS_MAX = 2  # combining losses of one child gains nothing


class Feeder:
    """One child: its link, its claims, and the pages that are sent to it.

    horizon_of: returns how many pages of an object are known to have been sent.
    """

    def __init__(
        self,
        me: int,
        peer: Peer,
        probe_bytes: int,
        now: float,
        *,
        retained_pages: int,
        horizon_of: Callable[[int], int],
        next_counter: Callable[[], int],
    ) -> None:
        self.peer = peer
        self._forwarded_before = 0  # pages of earlier objects
        self._me = me
        self._probe_bytes = probe_bytes
        self._retained_pages = retained_pages
        self._waiting_max = min(WAITING_MAX, retained_pages // 2)  # they must still be at hand
        self._horizon_of = horizon_of
        self._next_counter = next_counter
        self._claim: Claim | None = None
        self._heard_at = now
        self._is_quiet = False
        self._timers = TimerTable()
        self._timers.set(Timer.FEED, now)
        self._flow = Flow(peer.target)
        self._report: Report | None = None  # the last claim, as a report
        self._clock: Clock | None = None  # until the geometry is known
        self._schedule: Schedule | None = None
        self._passage: Passage | None = None
        self._is_feed_due = self._is_poll_due = False
        self._asked: deque[tuple[int, int]] = deque()

    @property
    def is_heard(self) -> bool:
        """Whether the child has answered on this link, and packets of full size reach it."""
        return self._claim is not None and self._claim.heard_bytes >= self._probe_bytes

    @property
    def _is_open(self) -> bool:
        """Whether pages may be sent to the child, which then knows by a short feed that its claims arrive."""
        return self.is_heard and not self._is_quiet

    @property
    def is_full(self) -> bool:
        """Whether the child is so far behind that our own sender must be slowed down."""
        return self._passage is not None and self._passage.waiting > self._waiting_max

    @property
    def pages_forwarded(self) -> int:
        return self._forwarded_before + (self._passage.pages_sent if self._passage is not None else 0)

    @property
    def packets_repaired(self) -> int:
        return self._schedule.packets_repaired if self._schedule is not None else 0

    @property
    def pages_waiting(self) -> int:
        return self._passage.waiting if self._passage is not None else 0

    @property
    def window_pages(self) -> int:
        return int(self._clock.window.size) if self._clock is not None else 0

    @property
    def gap_s(self) -> float:
        """Seconds between two packets of a page. 0: bursts are sent whole."""
        return self._clock.gap_s if self._clock is not None else 0.0

    @property
    def late_s(self) -> float:
        """Seconds for which packets may follow at once when a timer was late."""
        return self._clock.late_s if self._clock is not None else 0.0

    def on_left(self, tx: int, now: float) -> None:
        """Note that the last packet of a page was sent."""
        if self._clock is not None:
            self._clock.on_left(tx, now)

    def open(self, geometry: Geometry, share: NetworkShare, now: float) -> None:
        """Set the geometry of pages, and how the hop shares the network."""
        audience = Audience()
        audience.flows = [self._flow]
        self._flow.answered_at = now
        self._geometry = geometry
        self._clock = Clock(audience, Window(rate_bytes_s=None, geometry=geometry), Courtesy(share))
        self._clock.fit(geometry)
        self._schedule = Schedule(audience, self._clock, self._timers)
        self._clock.elect(now)

    def begin(self, kind: ObjectKind, size_bytes: int) -> None:
        """Forward this object from now on. All targets hold the earlier ones."""
        if self._schedule is not None and (self._passage is None or kind > self._passage.kind):
            self._forwarded_before = self.pages_forwarded
            self._passage = Passage(kind, size_bytes, self._geometry)
            self._schedule.start(self._passage, terms_max=TERMS_MAX, retained_pages=self._retained_pages)

    def wants(self, kind: int, page: int) -> bool:
        """Return whether a page has not been forwarded yet, and can be now."""
        passage = self._passage
        if not self._is_open or self._schedule is None:
            return False
        return passage is None or kind > passage.kind or (kind == passage.kind and not passage.knows(page))

    def offer(self, kind: ObjectKind, page: int, size_bytes: int) -> None:
        """Offer an authentic page of an object of this size."""
        if self.wants(kind, page):
            self.begin(kind, size_bytes)
            assert self._passage is not None  # it has begun
            self._passage.offer(page)

    def forget_page(self, kind: int, page: int) -> None:
        """Note that a page is no longer in memory."""
        if self._passage is not None and self._passage.kind == kind:
            self._passage.forget_page(page)

    def next_asked(self) -> tuple[int, int] | None:
        """Return a page (object, page) that the child needs, and that must be offered or fetched first."""
        return self._asked.popleft() if self._asked else None

    def receive_claim(self, claim: Claim, now: float) -> None:
        """Take a claim of the child. Never raise."""
        if claim.link != self.peer.link or (self._claim is not None and claim.counter <= self._claim.counter):
            return
        was_open = self._is_open
        self._claim = claim
        self._heard_at = now
        self._is_quiet = False
        self._is_feed_due |= self._is_open != was_open
        schedule, passage = self._schedule, self._passage
        if schedule is None or self._clock is None:
            return
        if claim.buffer_bytes:
            self._clock.window.on_buffer(claim.buffer_bytes)
        old, said = self._report, _report_of(claim)
        self._report = report = schedule.believable(said)
        self._flow.receive(report, now, is_believed=report is said)
        if old is None or (report.active, report.frontier) != (old.active, old.frontier):
            schedule.on_progress()
        schedule.receive_flow(self._flow, old, report, now)
        schedule.on_reports(now)
        if passage is not None and claim.active == passage.kind:
            self._asked = deque((passage.kind, page) for page in passage.asked(claim.needs))

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Calling it early or twice changes nothing."""
        if self._schedule is not None:
            self._is_poll_due |= self._schedule.handle_timeout(now)
        if self._timers.take_expired(Timer.FEED, now):
            self._is_feed_due = True
            if now - self._heard_at > QUIET_S and not self._is_quiet:
                self._is_quiet = True
                if self._passage is not None:
                    self._passage.forget_waiting()

    def _feed(self, now: float) -> CatcherSend:
        passage = self._passage
        kind = passage.kind if passage is not None else ObjectKind.MANIFEST
        size_bytes = FEED_BYTES if self._is_open else max(FEED_BYTES, self._probe_bytes)
        feed = Feed(
            parent=self._me,
            counter=self._next_counter(),
            tx=self._schedule.stamp(now) if self._schedule is not None else 0,
            child=self.peer.target,
            link=self.peer.link,
            object=kind,
            pages_sent=self._pages_sent(passage),
            report_pages=self._clock.report_pages if self._clock is not None else 1,
            is_poll=self._is_poll_due,
            size_bytes=size_bytes,
        )
        self._is_feed_due = self._is_poll_due = False
        self._timers.set(Timer.FEED, now + (FEED_S if self.is_heard else SEEK_S))
        return SendToPeer(feed, self.peer)

    def _pages_sent(self, passage: Passage | None) -> int:
        """If nothing waits, pages that were not forwarded are missing here, or not needed here."""
        if passage is None:
            return 0
        return passage.next_page if passage.waiting else max(passage.next_page, self._horizon_of(passage.kind))

    def sends(self, now: float) -> list[CatcherSend]:
        """Return what to send to the child now, in this order."""
        messages: list[CatcherSend] = [self._feed(now)] if self._is_feed_due or self._is_poll_due else []
        if self._schedule is not None and self._is_open:
            messages += self._schedule.sends(now)
        return messages

    def next_timeout(self) -> float | None:
        return self._timers.next_timeout()


def _report_of(claim: Claim) -> Report:
    """Return a claim as a report, for the parts of a caster."""
    return Report(
        target=claim.child,
        instance=claim.instance,
        counter=claim.counter,
        active=claim.active,
        tx_seen=claim.tx_seen,
        tx_done=claim.tx_done,
        hold_us=claim.hold_us,
        frontier=claim.frontier,
        ready=0,
        committed=0,
        unverified=0,
        activity=0,
        buffer_bytes=claim.buffer_bytes,
        kernel_drops=claim.kernel_drops,
        queue_pages=0,
        packets_seen=0,
        packets_lost=0,
        pages_rejected=0,
        packets_rejected=0,
        coded_useless=0,
        log_end=0,
        log_offset=0,
        log_bytes=b"",
        needs_first=claim.needs_first,
        needs_end=claim.needs_end,
        needs=claim.needs,
        ended_tx=claim.ended_tx,
        ended_hold_us=claim.ended_hold_us,
        packets_marked=claim.packets_marked,
    )
