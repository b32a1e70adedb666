"""Feeder: forward pages to one child, or to an island of them. Their claims clock it, and request repairs.

It uses the caster's own schedule, clock, window and repairs, mostly for an audience of one. It only decides when to
send what; phases and commits remain the caster's.

An island is a group that only its targets listen to. Its relay is not told who its `Children` are: each target that
claims is one. The relay waits no longer for a child that stops claiming than it would for an only child.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Callable

from mrsync.protocol.core.lateness import Lateness
from mrsync.protocol.core.sends import CatcherSend, SendToPeer
from mrsync.protocol.core.timers import Timer, TimerTable
from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.receiving.children import Children
from mrsync.protocol.receiving.passage import Passage
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.window import Window
from mrsync.wire.formats.hops import FEED_BYTES
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import ISLAND_ID, PAGES_MAX
from mrsync.wire.messages import Claim, Feed, NetworkShare, ObjectKind, Peer

FEED_S = 0.1
QUIET_FEEDS = 5  # do not wait for a child that claims nothing for this long
SEEK_S = 0.02  # until the child has answered
WAITING_MAX = 256  # pages; with more, this relay takes no more than its child does
TERMS_MAX = 1  # losses are not combined: those of one child cannot be


class Feeder:
    """What the children of one link get: feeds, pages, and repairs.

    me: number of this relay.
    peer: the only child, or the island, which is the relay's own.
    probe_bytes: size of the packets that must reach a child.
    retained_pages: how many whole pages are in memory.
    horizon_of: returns how many pages of an object are known to have been sent.
    next_held: returns the first of an object's pages [first, end) that was received, or -1.
    next_counter: returns a new number for a message.
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
        next_held: Callable[[int, int, int], int],
        next_counter: Callable[[], int],
    ) -> None:
        self.peer = peer
        self._forwarded_before = 0  # pages of earlier objects
        self._me = me
        self._retained_pages = retained_pages
        self._horizon_of = horizon_of
        self._next_held = next_held
        self._next_counter = next_counter
        self._children = Children(peer, probe_bytes, now, is_island=peer.target == me)
        self._lateness = Lateness()
        self._is_padded = False  # the last feed of an island
        self._timers = TimerTable()
        self._timers.set(Timer.FEED, now)
        self._clock: AckClock | None = None  # until the geometry is known
        self._schedule: Schedule | None = None
        self._passage: Passage | None = None
        self._is_feed_due = self._is_poll_due = False
        self._has_news = False  # a claim has come since the last sends: it may change when to poll
        self._asked: deque[tuple[int, int]] = deque()
        self._held = (0, 0)  # object, and pages of it, that all behind hold; nothing is known of islands

    @property
    def is_heard(self) -> bool:
        """Whether a child has answered on this link, and packets of full size reach it."""
        return self._children.is_heard

    @property
    def listeners(self) -> int:
        """Number of children that receive pages."""
        return self._children.listeners

    @property
    def is_full(self) -> bool:
        """Whether the child is so far behind that our own sender must be slowed down."""
        waiting_max = min(WAITING_MAX, self._retained_pages // 2)  # they must still be at hand
        return self._passage is not None and self._passage.waiting > waiting_max

    @property
    def is_idle(self) -> bool:
        """Whether no page is to be sent until one comes, or a claim, or a timer is due."""
        return self._schedule is None or (self._schedule.is_idle and not self._has_news)

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
    def window_bursts(self) -> int:
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
        """Begin to feed: set the geometry of pages, and how the hop shares the network with others."""
        audience = self._children.audience
        for flow in audience.flows:
            flow.answered_at = now
        self._geometry = geometry
        self._clock = AckClock(audience, Window(rate_bytes_s=None, geometry=geometry), Courtesy(share))
        self._clock.fit(geometry)
        self._schedule = Schedule(audience, self._clock, self._timers)
        self._clock.elect(now)

    def begin(self, object: ObjectKind, size_bytes: int) -> None:
        """Forward this object from now on. All targets hold the earlier ones."""
        if self._schedule is not None and (self._passage is None or object > self._passage.object):
            self._forwarded_before = self.pages_forwarded
            self._passage = Passage(object, size_bytes, self._geometry)
            self._schedule.start(self._passage, terms_max=TERMS_MAX, retained_pages=self._retained_pages)

    def held_behind(self, object: int) -> int:
        """Return the number of pages that the child, and all behind it, hold from the beginning of an object."""
        active, frontier = self._held
        return frontier if active == object else PAGES_MAX if active > object else 0

    def wants(self, object: int, page: int) -> bool:
        """Return whether a page can be forwarded, has not been yet, and may be missing in the chain behind."""
        passage = self._passage
        if not self._children.is_open or self._schedule is None or (object, page) < self._held:
            return False
        return passage is None or object > passage.object or (object == passage.object and not passage.knows(page))

    def offer(self, object: ObjectKind, page: int, size_bytes: int) -> None:
        """Offer an authentic page of an object. size_bytes: of the whole object."""
        if self.wants(object, page):
            self.begin(object, size_bytes)
            assert self._passage is not None  # it has begun
            self._passage.offer(page)

    def forget_page(self, object: int, page: int) -> None:
        """Note that a page is no longer in memory."""
        if self._passage is not None and self._passage.object == object:
            self._passage.forget_page(page)

    def next_asked(self) -> tuple[int, int] | None:
        """Return a page (object, page) that the child needs, and that must be offered or fetched first."""
        return self._asked.popleft() if self._asked else None

    def needed_by(self, claim: Claim) -> ObjectKind:
        """Return the first object that a child does not hold: the one of this claim, or that of another one's last."""
        return self._children.needed_by(claim)

    def receive_claim(self, claim: Claim, now: float) -> None:
        """Take a claim of a child. Never raise."""
        if claim.link != self.peer.link:
            return
        was_open = self._children.is_open
        child = self._children.receive(claim, now)
        if child is None:
            return
        self._has_news = True
        self._lateness.receive(claim.child, claim.tx_seen, now)
        self._is_feed_due |= self._children.is_open != was_open
        if self._children.is_island:
            self._gather(now)
        else:
            self._held = int(claim.active), claim.frontier
        schedule, passage = self._schedule, self._passage
        if schedule is None or self._clock is None:
            return
        self._clock.window.on_buffers(self._children.buffers)
        said = claim._replace(needs_first=min(claim.needs_first, claim.frontier))  # a claim continues no other one
        old, child.believed = child.believed, schedule.believable(said)
        new = child.believed
        child.flow.receive(new, now, is_believed=new is said)
        if old is None or (new.active, new.frontier) != (old.active, old.frontier):
            schedule.on_progress()
        if child.flow in self._children.audience.flows:
            schedule.receive_flow(child.flow, old, new, now)
        schedule.on_reports(now)
        if passage is not None and claim.active == passage.object:
            next_held = partial(self._next_held, passage.object)
            self._asked = deque((passage.object, page) for page in passage.asked(claim.needs, next_held))

    def has_taken(self, message: Claim | Feed) -> bool:
        """Return whether this is the newest claim of a child."""
        return isinstance(message, Claim) and self._children.has_taken(message)

    def _gather(self, now: float) -> None:
        """Plan nothing more for children of an island that no longer take their pages from it."""
        left = self._children.gather(now)
        if self._schedule is not None:
            for flow in left:
                self._schedule.forget(flow.id)

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Calling it early or twice changes nothing."""
        if self._schedule is not None:
            self._is_poll_due |= self._schedule.handle_timeout(now)
        if self._timers.take_expired(Timer.FEED, now):
            self._is_feed_due = True
            self._look_for_quiet(now)

    def _look_for_quiet(self, now: float) -> None:
        self._children.note_quiet(QUIET_FEEDS * self._feed_s, now)
        if self._children.is_island:
            self._gather(now)
            if self._clock is not None:
                self._clock.elect(now)
        if not self._children.is_open and self._passage is not None:
            self._passage.forget_waiting()

    def _feed(self, now: float) -> CatcherSend:
        passage = self._passage
        object = passage.object if passage is not None else ObjectKind.MANIFEST
        self._is_padded = self._must_pad()
        size_bytes = max(FEED_BYTES, self._children.probe_bytes) if self._is_padded else FEED_BYTES
        feed = Feed(
            parent=self._me,
            counter=self._next_counter(),
            tx=self._schedule.stamp(now) if self._schedule is not None else 0,
            child=ISLAND_ID if self._children.is_island else self.peer.target,
            link=self.peer.link,
            object=object,
            pages_sent=self._pages_sent(passage),
            report_pages=self._report_pages,
            is_poll=self._is_poll_due,
            size_bytes=size_bytes,
        )
        self._is_feed_due = self._is_poll_due = False
        self._lateness.note_status(feed.tx, self._children.ids, now)
        self._timers.set(Timer.FEED, now + (SEEK_S if self._children.is_seeking else self._feed_s))
        return SendToPeer(feed, self.peer)

    @property
    def _feed_s(self) -> float:
        """Seconds between two feeds."""
        return max(FEED_S, self._lateness.apart_s)

    def _must_pad(self) -> bool:
        """Return whether to send a feed of full size. In an island, those that heard one need a short one besides."""
        if not self._children.is_open:
            return True
        return self._children.is_island and self._children.is_seeking and not self._is_padded

    @property
    def _report_pages(self) -> int:
        """Number of pages after which children claim.

        The more children there are, the less often each of them claims.
        """
        if self._clock is None:
            return 1
        return max(self._clock.report_pages, min(self.listeners, self.window_bursts // 2))

    def _pages_sent(self, passage: Passage | None) -> int:
        """Return how many pages the child may expect. If nothing waits, the others are missing or not needed here."""
        if passage is None:
            return 0
        return passage.next_page if passage.waiting else max(passage.next_page, self._horizon_of(passage.object))

    def sends(self, now: float) -> list[CatcherSend]:
        """Return what to send to the child now, in this order."""
        messages: list[CatcherSend] = [self._feed(now)] if self._is_feed_due or self._is_poll_due else []
        if self._schedule is not None and not self.is_idle and self._children.is_open:
            messages += self._schedule.sends(now)
        self._has_news = False
        return messages

    def next_timeout(self) -> float | None:
        return self._timers.next_timeout()
