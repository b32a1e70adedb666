"""Statistics of a session, for progress and reports."""

from __future__ import annotations

from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.roster import Roster
from mrsync.protocol.targets.rounds import AGAIN, FIRST, Rounds
from mrsync.tuples import NamedTuple
from mrsync.wire.messages import Phase, SealKind


class CasterStatistics(NamedTuple):
    """The state of a session in numbers. Pages are those of the contents."""

    phase: Phase
    seal: SealKind
    tx: int
    pages: int
    pages_sent: int  # at least once
    pages_left: int  # to be sent for the first time
    pages_held: int  # by the live target with the fewest
    monitor: str | None
    rtt_us: dict[int, int]  # round trip in us, two significant digits -> count

    @classmethod
    def of(
        cls, phase: Phase, outbox: Outbox, schedule: Schedule, clock: AckClock, rounds: Rounds, roster: Roster
    ) -> CasterStatistics:
        """Return the current numbers of the parts of a caster."""
        transfers = rounds.transfers
        pages = [(object, outbox.page_count(object)) for object in (FIRST.contents, AGAIN.contents)]
        return cls(
            phase=phase,
            seal=outbox.seal,
            tx=schedule.tx,
            pages=sum(count for _, count in pages),
            pages_sent=sum(transfer.pages_sent for transfer in transfers),
            pages_left=sum(transfer.pages_left for transfer in transfers) if transfers else pages[0][1],
            pages_held=sum(min(count, roster.lowest_frontier(object)) for object, count in pages),
            monitor=next((roster.name_of(flow.id) for flow in clock.monitors), None),
            rtt_us=clock.rtt_us,
        )
