"""ParentLink: the link to the target that this one gets its pages from, where the group is not heard.

Each end has to send something before it hears the other, because most firewalls let in only answers. So a child claims
before it hears its parent, and then whenever it has written what the parent's last FEED asks for, or misses something.

Pages count as fed from the first FEED that shows that packets of full size arrive. If nothing comes from the parent for
a while, the link is starved: the caster hears that in a HOP, serves the child meanwhile, and finds another parent.
"""

from __future__ import annotations

from typing import Callable

from mrsync.protocol.core.sends import CatcherSend, SendToPeer
from mrsync.protocol.core.timers import TURN_S, Timer, TimerTable
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.protocol.receiving.reception import Receipt, Reception
from mrsync.wire.limits import ISLAND_ID, TX_AHEAD_MAX
from mrsync.wire.messages import Claim, Feed, Feeding, Peer

STARVED_S = 0.5
STARVED_FEEDS = 5  # where feeds come more rarely than planned, as from a busy host
FEEDS_SMOOTHING = 0.25
STARVED_MAX_S = 4.0  # for a parent that was silent before and came back: its host is busy
CLAIM_S = 0.02
CLAIM_DONE_S = 0.04  # if nothing is missing: eight pages at 100 Mbit/s
CLAIM_FIRST_S = 0.1  # while the parent was not heard
CLAIM_GROWTH, CLAIM_MAX_S = 1.5, 1.0  # of the time between claims that nothing was heard after
CLAIMS_APART_TURNS = 4  # in an island: a relay gets a thousand claims per second, however many children it has
COUNTERS_AHEAD_MAX = 4096  # per second since the last feed; a counter further ahead is forged


class ParentLink:
    """The child's end of a link: it receives the parent's messages, and sends it claims.

    next_counter: returns a new number for a message.
    peer: the parent, or None.
    feeding: the state of the link.
    feed: the parent's last FEED.
    target_count: how many targets there are at most.
    frontier: returns the number of pages that this target, and all behind it, hold from the beginning of an object.
    on_feeding: called after each change of `feeding`, with whether it was fed before.
    """

    def __init__(
        self,
        config: CatcherConfig,
        reception: Reception,
        next_counter: Callable[[], int],
        *,
        frontier: Callable[[int], int],
        on_feeding: Callable[[bool, float], None],
    ) -> None:
        self.peer: Peer | None = None
        self.feeding = Feeding.UNFED
        self.feed: Feed | None = None
        self.target_count = 0
        self._config = config
        self._reception = reception
        self._next_counter = next_counter
        self._frontier = frontier
        self._on_feeding = on_feeding
        self._heard_bytes = 0
        self._probe_bytes = 0
        self._feed_at = 0.0  # when the last feed came
        self._heard_at = 0.0  # when its last feed of use came, or a page was written
        self._patience_s = STARVED_S
        self._feeds_apart_s = 0.0  # smoothed
        self._claim_s = CLAIM_S  # until the next claim, if nothing is heard
        self._done_claimed = 0  # tx_done
        self._is_islander = False  # the parent has other children
        self._timers = TimerTable()
        self._claims: list[CatcherSend] = []  # to be sent

    @property
    def is_fed(self) -> bool:
        """Whether pages come from the parent."""
        return self.feeding is Feeding.FED

    def assign(self, parent: Peer | None, probe_bytes: int, *, is_islander: bool, now: float) -> None:
        """Take the parent that the caster assigns; None: the caster itself.

        probe_bytes: size of the packets that must arrive from it. is_islander: its pages are cast to an
        island, to other children as well.
        """
        self._probe_bytes, self._is_islander = probe_bytes, is_islander
        if parent != self.peer:
            self._follow(parent, now)

    def _follow(self, parent: Peer | None, now: float) -> None:
        self.peer, self.feed, self._heard_bytes = parent, None, 0
        self._claim_s = CLAIM_S
        self._patience_s = STARVED_S
        self._timers.stop(Timer.STARVE)
        if parent is not None:
            self._timers.set(Timer.CLAIM, now)
        else:
            self._timers.stop(Timer.CLAIM)
        self._set_feeding(Feeding.UNFED, now)

    def stop(self) -> None:
        """Note the end of the session."""
        self.peer = None
        self._timers.stop_all()

    def _set_feeding(self, feeding: Feeding, now: float) -> None:
        was_fed = self.is_fed
        self.feeding = feeding
        self._on_feeding(was_fed, now)

    def receive_feed(self, feed: Feed, now: float) -> bool:
        """Take a feed of the parent. Return whether pages come from it from now on."""
        parent = self.peer
        if (
            parent is None
            or feed.child not in (self._config.target, ISLAND_ID)
            or (feed.parent, feed.link) != (parent.target, parent.link)
        ):
            return False
        if not self._is_next(feed, now):
            return False
        if self.feed is not None:
            self._feeds_apart_s += FEEDS_SMOOTHING * (now - self._feed_at - self._feeds_apart_s)
        self.feed, self._feed_at = feed, now
        self._claim_s = CLAIM_S
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
            self._timers.set(Timer.STARVE, now + self._silence_s)
        self._timers.advance(Timer.CLAIM, now if feed.is_poll or not was_fed else now + max(CLAIM_S, self._turn_s))
        return self.is_fed and not was_fed

    def _is_next(self, feed: Feed, now: float) -> bool:
        """Return whether a feed is newer than the last one, and no more so than the time between them allows.

        In an island, any child can forge one. It must not make all true ones look old from then on.
        """
        last = self.feed
        if last is None:
            return True
        spared = 1 + now - self._feed_at
        return (
            last.counter < feed.counter <= last.counter + COUNTERS_AHEAD_MAX * spared
            and feed.tx <= last.tx + TX_AHEAD_MAX * spared
        )

    @property
    def _silence_s(self) -> float:
        """For how many seconds the parent may be silent."""
        return min(STARVED_MAX_S, max(self._patience_s, STARVED_FEEDS * self._feeds_apart_s))

    @property
    def _turn_s(self) -> float:
        """The shortest time in seconds between two claims, unless the parent asks for one."""
        return CLAIMS_APART_TURNS * TURN_S * self.target_count if self._is_islander else 0.0

    def note_done(self, now: float, *, is_written: bool) -> None:
        """Note that pages were written, or passed by because they are not needed here, which anybody can have sent."""
        if not self.is_fed:
            return
        if is_written:
            self._heard_at = now
        self._claim_s = CLAIM_S
        done = self._reception.tx_done - self._done_claimed
        is_due = self.feed is not None and done >= self.feed.report_pages
        self._timers.advance(Timer.CLAIM, now if is_due else now + max(CLAIM_DONE_S, self._turn_s))

    def handle_timeout(self, now: float, *, is_drained: bool) -> None:
        """Do what is due. is_drained: all received datagrams were read; otherwise the parent may not be silent."""
        if is_drained and self._timers.take_expired(Timer.STARVE, now):
            self._look_after_parent(now)
        if self._timers.take_expired(Timer.CLAIM, now):
            self._say_claim(now)

    def next_timeout(self) -> float | None:
        return self._timers.next_timeout()

    def take_claims(self) -> list[CatcherSend]:
        """Return the claims to send now."""
        claims, self._claims = self._claims, []
        return claims

    def _look_after_parent(self, now: float) -> None:
        """React to a silent parent, unless pages arrived from it meanwhile."""
        starved_at = self._heard_at + self._silence_s
        if now < starved_at:
            self._timers.set(Timer.STARVE, starved_at)
        elif self.is_fed:
            self._set_feeding(Feeding.STARVED, now)

    def _say_claim(self, now: float) -> None:
        parent, reception = self.peer, self._reception
        if parent is None:
            return
        assembly = reception.assembly
        first, end, needs = assembly.needs() if assembly is not None and self.is_fed else (0, 0, [])
        receipt = reception.receipt(now) if self.is_fed else Receipt()
        claim = Claim(
            child=self._config.target,
            instance=self._config.instance,
            counter=self._next_counter(),
            parent=parent.target,
            link=parent.link,
            heard_bytes=self._heard_bytes,
            active=reception.active,
            frontier=self._frontier(reception.active),
            buffer_bytes=self._config.buffer_bytes,
            kernel_drops=reception.counters.kernel_drops,
            needs_first=first,
            needs_end=end,
            needs=tuple(needs),
            **receipt._asdict(),
            packets_marked=reception.counters.packets_marked,
        )
        self._claims.append(SendToPeer(claim, parent))
        self._done_claimed = claim.tx_done
        if self.feed is None:
            self._timers.set(Timer.CLAIM, now + max(CLAIM_FIRST_S, self._turn_s))
        elif needs:
            self._timers.set(Timer.CLAIM, now + max(self._claim_s, self._turn_s))
        self._claim_s = min(CLAIM_MAX_S, CLAIM_GROWTH * self._claim_s)
