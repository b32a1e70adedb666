"""Relaying: the peers of a catcher: the parent that its pages come from, and the child or island it forwards them to.

The caster decides who these are. A relay slows its sender down if its child falls behind. A child that receives nothing
from its parent reports that, and takes its pages from the caster until it gets another parent.

A child claims before it hears its parent: most firewalls let in only answers, so each end has to send something first.

Pages are forwarded as the caster sealed them, and checked like those that come from the caster, so a child need not
trust its parent for what it writes. FEED and CLAIM are sealed with a key of the link (`SessionKeys.hop_key`), which the
parent derives from its own secret, and the caster sends to the child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from mrsync.protocol.core.events import CatcherEvent, PageAsked, PeersChanged, SourceChanged
from mrsync.protocol.core.sends import CatcherSend, SendMessage, SendToPeer
from mrsync.protocol.core.timers import SLOT_S, Timer, TimerTable
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.protocol.receiving.reception import Reception
from mrsync.protocol.receiving.reporter import Counters
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import ISLAND_ID, TX_AHEAD_MAX
from mrsync.wire.messages import Assign, Claim, Feed, Feeding, Hop, Message, NetworkShare, ObjectKind, Peer

if TYPE_CHECKING:
    from mrsync.protocol.receiving.feeder import Feeder

STARVED_S = 0.5  # five feeds
STARVED_MAX_S = 4.0  # for a parent that was silent before and came back: its host is busy
CLAIM_S = 0.02
CLAIM_DONE_S = 0.04  # if nothing is missing: eight pages at 100 Mbit/s
CLAIM_FIRST_S = 0.1  # while the parent was not heard
CLAIMS_APART_SLOTS = 4  # in an island: a relay gets a thousand claims per second, however many children it has
FED_REPORT_S = 0.1
HOP_S = 1.0
HOP_URGENT_S = 0.1  # while the caster has to act
COUNTERS_AHEAD_MAX = 4096  # per second since the last feed; a counter further ahead is forged


class Relaying:
    """The parent, the state of its link, and the feeder of the child. tell: takes events for the driver."""

    def __init__(
        self,
        config: CatcherConfig,
        reception: Reception,
        counters: Counters,
        next_counter: Callable[[], int],
        tell: Callable[[CatcherEvent], None],
    ) -> None:
        self.feeding = Feeding.UNFED
        self.number = 0  # of the assignment
        self._config = config
        self._reception = reception
        self._counters = counters
        self._next_counter = next_counter
        self._tell = tell
        self._parent: Peer | None = None
        self._feed: Feed | None = None  # the parent's last one
        self._heard_bytes = 0
        self._probe_bytes = 0
        self._feed_at = 0.0  # when that came
        self._heard_at = 0.0  # when its last feed of use came, or a page was written
        self._patience_s = STARVED_S
        self._pages_done = 0  # since the last claim
        self._feeder: Feeder | None = None
        self._geometry: Geometry | None = None
        self._share = NetworkShare.FAIR
        self._target_count = 0
        self._is_islander = False  # the parent has other children
        self._forwarded_before = self._repaired_before = 0  # to earlier children
        self._timers = TimerTable()
        self._messages: list[CatcherSend] = []
        self._hop: Hop | None = None  # to be sent
        self._hop_at = 0.0
        reception.passes_on = self._passes_on
        reception.holds_back = self._holds_back

    @property
    def is_fed(self) -> bool:
        """Whether pages come from the parent."""
        return self.feeding is Feeding.FED

    @property
    def report_s(self) -> float:
        """Seconds between reports to the caster while a parent gets the claims."""
        return FED_REPORT_S

    def note_report(self, now: float) -> None:
        """Send a HOP with a report, but not too often."""
        if self.number and now - self._hop_at > HOP_URGENT_S:
            self._timers.advance(Timer.HOP, now)

    def stop(self) -> None:
        """Note the end of the session."""
        self._feeder = self._parent = None
        self._timers.stop_all()

    def receive(self, message: Message, now: float) -> bool:
        """Take a message about relaying from caster, parent or child. Return whether to send a report at once."""
        if isinstance(message, Assign) and message.instance == self._config.instance:
            self._receive_assign(message, now)
            return True
        if isinstance(message, Claim):
            self._receive_claim(message, now)
        return isinstance(message, Feed) and self._receive_feed(message, now)

    def has_taken(self, message: Claim | Feed) -> bool:
        """Return whether this is the newest message of its sender that counts."""
        return message is self._feed or (self._feeder is not None and self._feeder.has_taken(message))

    # the assignment

    def _receive_assign(self, assign: Assign, now: float) -> None:
        """Take parent and child from the caster, and confirm them."""
        if assign.number > self.number:
            self.number = assign.number
            self._probe_bytes = assign.probe_bytes
            if assign.parent != self._parent:
                self._follow(assign.parent, now)
            is_ours = assign.island is not None and assign.island.target == self._config.target
            self._is_islander = assign.island is not None and not is_ours
            audience = assign.island if is_ours else assign.child
            if audience != (self._feeder.peer if self._feeder is not None else None):
                self._feed_to(audience, now)
            self._tell(PeersChanged(assign.parent, assign.child, assign.island))
        self._timers.set(Timer.HOP, now)

    def _follow(self, parent: Peer | None, now: float) -> None:
        self._parent, self._feed, self._heard_bytes = parent, None, 0
        self._patience_s = STARVED_S
        self._timers.stop(Timer.STARVE)
        if parent is not None:
            self._timers.set(Timer.CLAIM, now)
        else:
            self._timers.stop(Timer.CLAIM)
        self._set_feeding(Feeding.UNFED, now)

    def _feed_to(self, child: Peer | None, now: float) -> None:
        """Forward to this child or island from now on."""
        if self._feeder is not None:
            self._forwarded_before += self._feeder.pages_forwarded
            self._repaired_before += self._feeder.packets_repaired
        self._feeder = None
        if child is not None:
            from mrsync.protocol.receiving.feeder import Feeder  # with all that sends, which other targets do not need

            self._feeder = Feeder(
                self._config.target,
                child,
                self._probe_bytes,
                now,
                retained_pages=self._config.retained_pages,
                horizon_of=self._reception.horizon,
                next_counter=self._next_counter,
            )
            if self._geometry is not None:
                self._feeder.open(self._geometry, self._share, now)

    def open(self, geometry: Geometry, share: NetworkShare, target_count: int, now: float) -> None:
        """Set the geometry of pages, how forwarding shares the network, and how many targets there are at most."""
        self._geometry, self._share, self._target_count = geometry, share, target_count
        if self._feeder is not None:
            self._feeder.open(geometry, share, now)

    def _set_feeding(self, feeding: Feeding, now: float) -> None:
        was_fed = self.is_fed
        self.feeding = feeding
        if self.is_fed != was_fed:
            self._reception.forget_source()
            self._tell(SourceChanged(self._parent.target if self.is_fed and self._parent is not None else None))
        self._timers.set(Timer.HOP, now)

    # the parent

    def _receive_feed(self, feed: Feed, now: float) -> bool:
        """Take a feed of the parent. Return whether pages come from it from now on."""
        parent = self._parent
        if (
            parent is None
            or feed.child not in (self._config.target, ISLAND_ID)
            or (feed.parent, feed.link) != (parent.target, parent.link)
        ):
            return False
        if not self._is_next(feed, now):
            return False
        self._feed, self._feed_at = feed, now
        self._heard_bytes = max(self._heard_bytes, feed.size_bytes)
        was_fed = self.is_fed
        is_heard = feed.size_bytes < self._probe_bytes <= self._heard_bytes  # there: it need not try larger ones
        if is_heard and not was_fed:
            if self.feeding is Feeding.STARVED:
                self._patience_s = min(STARVED_MAX_S, 2 * self._patience_s)
            self._set_feeding(Feeding.FED, now)
        if self.is_fed:
            self._reception.believe_tx(feed.tx, now)
            self._reception.extend_horizon(feed.object, feed.pages_sent)
        if is_heard:
            self._heard_at = now
            self._timers.set(Timer.STARVE, now + self._patience_s)
        self._timers.advance(Timer.CLAIM, now if feed.is_poll or not was_fed else now + max(CLAIM_S, self._turn_s))
        return self.is_fed and not was_fed

    def _is_next(self, feed: Feed, now: float) -> bool:
        """Return whether a feed is newer than the last one, and no more so than the time between them allows.

        In an island, any child can forge one. It must not make all true ones look old from then on.
        """
        last = self._feed
        if last is None:
            return True
        spared = 1 + now - self._feed_at
        return (
            last.counter < feed.counter <= last.counter + COUNTERS_AHEAD_MAX * spared
            and feed.tx <= last.tx + TX_AHEAD_MAX * spared
        )

    @property
    def _turn_s(self) -> float:
        """The shortest time in seconds between two claims, unless the parent asks for one."""
        return CLAIMS_APART_SLOTS * SLOT_S * self._target_count if self._is_islander else 0.0

    def note_done(self, pages: int, now: float) -> None:
        """Note that this many pages were written."""
        if not self.is_fed:
            return
        self._pages_done += pages
        self._heard_at = now
        is_due = self._feed is not None and self._pages_done >= self._feed.report_pages
        self._timers.advance(Timer.CLAIM, now if is_due else now + max(CLAIM_DONE_S, self._turn_s))

    def _look_after_parent(self, now: float) -> None:
        """React to a silent parent, unless pages arrived from it meanwhile."""
        starved_at = self._heard_at + self._patience_s
        if now < starved_at:
            self._timers.set(Timer.STARVE, starved_at)
        elif self.is_fed:
            self._set_feeding(Feeding.STARVED, now)

    def _say_claim(self, now: float) -> None:
        parent, reception = self._parent, self._reception
        if parent is None:
            return
        assembly = reception.assembly
        first, end, needs = assembly.needs() if assembly is not None and self.is_fed else (0, 0, [])
        claim = Claim(
            child=self._config.target,
            instance=self._config.instance,
            counter=self._next_counter(),
            parent=parent.target,
            link=parent.link,
            heard_bytes=self._heard_bytes,
            active=reception.active,
            tx_seen=reception.tx_seen if self.is_fed else 0,
            tx_done=reception.tx_done if self.is_fed else 0,
            hold_us=max(0, int((now - reception.done_at) * 1e6)),
            frontier=self._frontier(reception.active),
            buffer_bytes=self._config.buffer_bytes,
            kernel_drops=self._counters.kernel_drops,
            needs_first=first,
            needs_end=end,
            needs=tuple(needs),
            ended_tx=reception.ended_tx if self.is_fed else 0,
            ended_hold_us=reception.ended_hold_us(now),
            packets_marked=self._counters.packets_marked,
        )
        self._messages.append(SendToPeer(claim, parent))
        self._pages_done = 0
        if self._feed is None:
            self._timers.set(Timer.CLAIM, now + max(CLAIM_FIRST_S, self._turn_s))
        elif needs:
            self._timers.set(Timer.CLAIM, now + max(CLAIM_S, self._turn_s))

    def _frontier(self, kind: int) -> int:
        """Return the number of pages that this target, and all behind it, hold from the beginning of an object."""
        assembly = self._reception.assembly
        own = assembly.frontier if assembly is not None else 0
        return own if self._feeder is None else min(own, self._feeder.held_behind(kind))

    # the child

    def _receive_claim(self, claim: Claim, now: float) -> None:
        """Take a claim of the child, and look for needed pages that were not forwarded."""
        feeder = self._feeder
        if feeder is None or claim.parent != self._config.target:
            return
        kind = feeder.needed_by(claim)
        if kind in self._reception and feeder.is_heard:
            feeder.begin(kind, self._reception.size_of(kind))
        feeder.receive_claim(claim, now)
        while (asked := feeder.next_asked()) is not None:
            self._tell(PageAsked(*asked))

    def _passes_on(self, kind: int, page: int) -> bool:
        return self._feeder is not None and self._feeder.wants(kind, page)

    def _holds_back(self) -> bool:
        return self._feeder is not None and self._feeder.is_full

    def offer(self, kind: int, page: int) -> None:
        """Forward an opened page."""
        if self._feeder is not None:
            self._feeder.offer(ObjectKind(kind), page, self._reception.size_of(kind))

    def page_gone(self, kind: int, page: int) -> None:
        """Request a page that the child needs, and that is no longer in memory, from our own sender."""
        if self._feeder is not None:
            self._feeder.forget_page(kind, page)
            self._reception.let_pass(kind, page)

    def page_found(self, kind: int, page: int) -> None:
        """Forward a sealed page that the child needs."""
        self.offer(kind, page)

    # time and what goes out

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Calling it early or twice changes nothing."""
        if self._timers.take_expired(Timer.STARVE, now):
            self._look_after_parent(now)
        if self._timers.take_expired(Timer.CLAIM, now):
            self._say_claim(now)
        if self._timers.take_expired(Timer.HOP, now):
            self._say_hop(now)
        if self._feeder is not None:
            self._feeder.handle_timeout(now)

    def _say_hop(self, now: float) -> None:
        feeder = self._feeder
        self._hop_at = now
        self._hop = Hop(
            target=self._config.target,
            instance=self._config.instance,
            counter=self._next_counter(),
            number=self.number,
            feeding=self.feeding,
            pages_forwarded=self._forwarded_before + (feeder.pages_forwarded if feeder is not None else 0),
            packets_repaired=self._repaired_before + (feeder.packets_repaired if feeder is not None else 0),
            pages_waiting=feeder.pages_waiting if feeder is not None else 0,
            window_pages=feeder.window_pages if feeder is not None else 0,
        )
        is_urgent = self.feeding is Feeding.STARVED
        self._timers.set(Timer.HOP, now + (HOP_URGENT_S if is_urgent else HOP_S))

    def sends(self, session: int) -> list[CatcherSend]:
        """Return what to send now to the parent and the caster."""
        messages, self._messages = self._messages, []
        if self._hop is not None:
            messages.append(SendMessage(self._hop, session))
            self._hop = None
        return messages

    @property
    def gap_s(self) -> float:
        """Seconds between two packets of a page to the child. 0: bursts are sent whole."""
        return self._feeder.gap_s if self._feeder is not None else 0.0

    @property
    def late_s(self) -> float:
        """Seconds for which packets may follow at once when a timer was late."""
        return self._feeder.late_s if self._feeder is not None else 0.0

    def on_left(self, tx: int, now: float) -> None:
        """Note that the last packet of a page to the child was sent."""
        if self._feeder is not None:
            self._feeder.on_left(tx, now)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be forwarded until a page or a claim comes, or a timer is due."""
        return self._feeder is None or self._feeder.is_idle

    def forwards(self, now: float) -> list[CatcherSend]:
        """Return what to send to the child now, in this order."""
        return self._feeder.sends(now) if self._feeder is not None else []

    def next_timeout(self) -> float | None:
        own, child = self._timers.next_timeout(), self._feeder.next_timeout() if self._feeder is not None else None
        known = [when for when in (own, child) if when is not None]
        return min(known) if known else None
