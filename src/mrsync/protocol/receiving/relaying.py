"""Relaying: the peers of a catcher: the parent that its pages come from, and the child or island it forwards them to.

The caster decides who these are. `ParentLink` deals with the parent, and `Feeder` with the child. A relay
slows its sender down if its child falls behind.

Pages are forwarded as the caster sealed them, and checked like those that come from the caster, so a child need not
trust its parent for what it writes. FEED and CLAIM are sealed with a key of the link (`SessionKeys.hop_key`), which the
parent derives from its own secret, and the caster sends to the child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from mrsync.protocol.core.events import CatcherEvent, PageAsked, PeersChanged, SourceChanged
from mrsync.protocol.core.sends import CatcherSend, SendMessage
from mrsync.protocol.core.timers import Timer, TimerTable
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.protocol.receiving.parent_link import ParentLink
from mrsync.protocol.receiving.reception import Reception
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import Assign, Claim, Feed, Feeding, Hop, Message, NetworkShare, ObjectKind, Peer

if TYPE_CHECKING:
    from mrsync.protocol.receiving.feeder import Feeder

FED_REPORT_S = 0.1
HOP_S = 1.0
HOP_URGENT_S = 0.1  # while the caster has to act
HOP_APART_S = 0.3  # at least, between those that go with reports


class Relaying:
    """The link to the parent, the feeder of the child, and the HOP that reports both.

    next_counter: returns a new number for a message. tell: takes events.
    """

    def __init__(
        self,
        config: CatcherConfig,
        reception: Reception,
        next_counter: Callable[[], int],
        tell: Callable[[CatcherEvent], None],
    ) -> None:
        self.number = 0  # of the assignment
        self._config = config
        self._reception = reception
        self._next_counter = next_counter
        self._tell = tell
        self._parent = ParentLink(config, reception, next_counter, frontier=self._frontier, on_feeding=self._on_feeding)
        self._probe_bytes = 0
        self._feeder: Feeder | None = None
        self._geometry: Geometry | None = None
        self._share = NetworkShare.FAIR
        self._forwarded_before = self._repaired_before = 0  # to earlier children
        self._timers = TimerTable()
        self._hop: Hop | None = None  # to be sent
        self._hop_at = 0.0
        reception.forwards = self._forwards
        reception.holds_back = self._holds_back

    @property
    def is_fed(self) -> bool:
        """Whether pages come from the parent."""
        return self._parent.is_fed

    @property
    def feeding(self) -> Feeding:
        """The state of the link to the parent."""
        return self._parent.feeding

    @property
    def report_s(self) -> float:
        """Seconds between reports to the caster while a parent gets the claims."""
        return FED_REPORT_S

    def note_report(self, now: float) -> None:
        """Send a HOP with a report, but not too often."""
        if self.number and now - self._hop_at > HOP_APART_S:
            self._timers.advance(Timer.HOP, now)

    def stop(self) -> None:
        """Note the end of the session."""
        self._feeder = None
        self._parent.stop()
        self._timers.stop_all()

    def receive(self, message: Message, now: float) -> bool:
        """Take a message about relaying from caster, parent or child. Return whether to send a report at once."""
        if isinstance(message, Assign) and message.instance == self._config.instance:
            self._receive_assign(message, now)
            return True
        if isinstance(message, Claim):
            self._receive_claim(message, now)
        return isinstance(message, Feed) and self._parent.receive_feed(message, now)

    def has_taken(self, message: Claim | Feed) -> bool:
        """Return whether this is the newest message of its sender that counts."""
        return message is self._parent.feed or (self._feeder is not None and self._feeder.has_taken(message))

    # the assignment

    def _receive_assign(self, assign: Assign, now: float) -> None:
        """Take parent and child from the caster, and confirm them."""
        if assign.number > self.number:
            self.number = assign.number
            self._probe_bytes = assign.probe_bytes
            is_ours = assign.island is not None and assign.island.target == self._config.target
            is_islander = assign.island is not None and not is_ours
            self._parent.assign(assign.parent, assign.probe_bytes, is_islander=is_islander, now=now)
            audience = assign.island if is_ours else assign.child
            if audience != (self._feeder.peer if self._feeder is not None else None):
                self._feed_to(audience, now)
            self._tell(PeersChanged(assign.parent, assign.child, assign.island))
        self._timers.set(Timer.HOP, now)

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
                next_held=self._reception.next_held,
                next_counter=self._next_counter,
            )
            if self._geometry is not None:
                self._feeder.open(self._geometry, self._share, now)

    def open(self, geometry: Geometry, share: NetworkShare, target_count: int, now: float) -> None:
        """Set the geometry of pages, how forwarding shares the network, and how many targets there are at most."""
        self._geometry, self._share, self._parent.target_count = geometry, share, target_count
        if self._feeder is not None:
            self._feeder.open(geometry, share, now)

    # the parent

    def note_done(self, now: float, *, is_written: bool) -> None:
        """Note that pages were written, or passed by because they are not needed here."""
        self._parent.note_done(now, is_written=is_written)

    def _on_feeding(self, was_fed: bool, now: float) -> None:
        """Note that the state of the link to the parent changed, and report it."""
        parent = self._parent
        if parent.is_fed != was_fed:
            self._reception.forget_source()
            self._tell(SourceChanged(parent.peer.target if parent.is_fed and parent.peer is not None else None))
        self._timers.set(Timer.HOP, now)

    def _frontier(self, object: int) -> int:
        """Return the number of pages that this target, and all behind it, hold from the beginning of an object."""
        assembly = self._reception.assembly
        own = assembly.frontier if assembly is not None else 0
        return own if self._feeder is None else min(own, self._feeder.held_behind(object))

    # the child

    def _receive_claim(self, claim: Claim, now: float) -> None:
        """Take a claim of the child, and look for needed pages that were not forwarded."""
        feeder = self._feeder
        if feeder is None or claim.parent != self._config.target:
            return
        object = feeder.needed_by(claim)
        if object in self._reception and feeder.is_heard:
            feeder.begin(object, self._reception.size_of(object))
        feeder.receive_claim(claim, now)
        while (asked := feeder.next_asked()) is not None:
            self._tell(PageAsked(*asked))

    def _forwards(self, object: int, page: int) -> bool:
        return self._feeder is not None and self._feeder.wants(object, page)

    def _holds_back(self) -> bool:
        return self._feeder is not None and self._feeder.is_full

    def offer(self, object: int, page: int) -> None:
        """Forward an opened page."""
        if self._feeder is not None:
            self._feeder.offer(ObjectKind(object), page, self._reception.size_of(object))

    def page_gone(self, object: int, page: int) -> None:
        """Request a page that the child needs, and that is no longer in memory, from our own sender."""
        if self._feeder is not None:
            self._feeder.forget_page(object, page)
            self._reception.let_pass(object, page)

    def page_found(self, object: int, page: int) -> None:
        """Forward a sealed page that the child needs."""
        self.offer(object, page)

    # time and what goes out

    def handle_timeout(self, now: float, *, is_drained: bool = True) -> None:
        """Do what is due. is_drained: all received datagrams were read; otherwise the parent may not be silent."""
        self._parent.handle_timeout(now, is_drained=is_drained)
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
            window_bursts=feeder.window_bursts if feeder is not None else 0,
        )
        is_urgent = self.feeding is Feeding.STARVED
        self._timers.set(Timer.HOP, now + (HOP_URGENT_S if is_urgent else HOP_S))

    def sends(self, session: int) -> list[CatcherSend]:
        """Return what to send now to the parent and the caster."""
        messages = self._parent.take_claims()
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
        deadlines = [self._timers.next_timeout(), self._parent.next_timeout()]
        if self._feeder is not None:
            deadlines.append(self._feeder.next_timeout())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)
