"""Outbox: compose the control messages of the caster, for the group and for single catchers."""

from __future__ import annotations

from mrsync.protocol.core.sends import Address, Send, SendMessage
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.targets.commit_decisions import CommitDecisions
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import CONTROL_BYTES_MAX, REFUSAL_BYTES_MAX
from mrsync.wire.messages import (
    Ack,
    Assign,
    Ending,
    Farewell,
    Hello,
    Knock,
    Message,
    ObjectKind,
    ObjectState,
    Phase,
    Probe,
    SealKind,
    Status,
    Welcome,
)

STATUS_S = 0.1
URGENT_STATUS_S = 0.02  # while catchers join, and while all commit at the same time
COPY_S = 0.0002  # for each copy of a status by unicast
REPORT_INTERVAL_MIN_S, REPORT_INTERVAL_MAX_S = 0.02, 0.2
REPORTS_PER_ROUND_TRIP = 4  # more would report little that is new, and each costs a busy host a wake-up
REPORT_SHARE = 0.01  # of what is sent, for the reports of all: links to homes send a twentieth of what they receive
REPORT_PACKETS = 0.25  # the size of a report
THIN_INTERVAL_MAX_S = 0.1  # longer ones would delay repairs


class Outbox:
    """Compose and number the messages of a session.

    It owns the seal and the sizes of objects, and looks up the rest of a status. ack_wait_s: told in it.
    """

    def __init__(
        self,
        roster: Roster,
        clock: AckClock,
        schedule: Schedule,
        *,
        session: int,
        geometry: Geometry,
        ack_wait_s: float,
    ) -> None:
        self.seal = SealKind.NONE
        self.sizes = [0] * len(ObjectKind)  # bytes
        self.generation = 0  # the highest of all pages
        self.geometry = geometry
        self._session = session
        self._ack_wait_s = ack_wait_s
        self._roster = roster
        self._clock = clock
        self._schedule = schedule
        self._counter = 0
        self._last_status: Status | None = None
        self._waiting: list[Send] = []
        self.apart_s = 0.0  # between two statuses, and two reports of a target, at least

    @property
    def is_waiting(self) -> bool:
        """Whether there are messages to send."""
        return bool(self._waiting)

    def take_all(self) -> list[Send]:
        """Return the messages composed since the last call, in order."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def welcome(self, target: Target, hello: Hello, source: Address, token: int) -> None:
        """Accept a catcher, and confirm its hello.

        source: the address that hello came from. token: for its next hello, which shows that it receives there.
        """
        counter = self._next_counter()
        self._say(Welcome(hello.instance, counter, target.id, target.turn, hello.counter, token), source)

    def refuse(self, hello: Hello, source: Address, reason: str) -> None:
        """Refuse a catcher. The answer is not longer than a HELLO, because the sender's address may be forged."""
        reason = reason.encode(errors="replace")[:REFUSAL_BYTES_MAX].decode(errors="ignore")
        self._say(Farewell(hello.instance, self._next_counter(), hello.target, Ending.REFUSED, reason), source)

    def farewell(self, target: Target, ending: Ending, reason: str) -> None:
        """Dismiss a target, if it was ever heard of. ending: for its exit status. reason: a sentence for its log."""
        if target.path.source is not None and target.hello is not None:
            counter = self._next_counter()
            self._say(Farewell(target.hello.instance, counter, target.id, ending, reason), target.path.source)

    def repeat_farewells(self) -> None:
        """Send farewells again to finished targets that do not receive the group, at their verified addresses."""
        for target in self._roster:
            if target.state is RosterState.DONE and target.path.is_unicast and target.hello is not None:
                letter = Farewell(target.hello.instance, self._next_counter(), target.id, Ending.DONE, "")
                self._say(letter, target.path.verified)

    def ack(self, target: Target) -> None:
        """Acknowledge a target's log up to where it has arrived."""
        assert target.hello is not None  # its log came with reports of that instance
        self._say(Ack(target.hello.instance, self._next_counter(), target.id, target.log.offset), target.path.source)

    def status(self, phase: Phase, commits: CommitDecisions, *, is_poll: bool, now: float) -> None:
        """Send the current state to the group. It uses a tx.

        phase, commits: of the session. is_poll: every target is to report at once.
        """
        self._say_status(phase, commits, self._schedule.stamp(now), is_poll=is_poll)

    def announce(self, generation: int, phase: Phase, commits: CommitDecisions, *, tx: int) -> None:
        """Announce in a status of this phase that pages of this generation are sent from this tx on.

        Bursts with later tx numbers are already planned and leave after this status. So it must not count them as sent,
        nor have a later tx than they have: targets would claim them while they are under way.
        """
        self.generation = generation
        self._say_status(phase, commits, tx - 1, is_poll=False)

    def _say_status(self, phase: Phase, commits: CommitDecisions, tx: int, *, is_poll: bool) -> None:
        transfer = self._schedule.transfer
        status = Status(
            session=self._session,
            counter=self._next_counter(),
            tx=tx,
            phase=phase,
            seal=self.seal,
            slice_bytes=self.geometry.slice_bytes,
            packets=self.geometry.packets,
            objects=tuple(self._object_state(object, tx) for object in ObjectKind),
            active=transfer.object if transfer is not None else ObjectKind.MANIFEST,
            target_count=len(self._roster),
            plan_files=commits.file_count,
            monitors=tuple(target.id for target in self._clock.monitors),
            report_pages=self._clock.report_pages,
            report_interval_us=int(self._report_interval_s * 1e6),
            is_poll=is_poll,
            commit=commits.span,
            ack_wait_s=max(1, int(self._ack_wait_s)),
            generation=self.generation,
            share=self._clock.share,
        )
        self._last_status = status
        self._say(status, None)

    def answer_knock(self, knock: Knock, source: Address) -> None:
        """Answer with the last status, unless it is longer than the knock, whose address may be forged."""
        if knock.size_bytes >= CONTROL_BYTES_MAX:
            self.copy_status(source)

    def status_interval_s(self, *, is_urgent: bool) -> float:
        """Return the seconds between two statuses, which grow with the number of unicast copies."""
        return max(URGENT_STATUS_S if is_urgent else STATUS_S, self._roster.status_copies * COPY_S, self.apart_s)

    @property
    def _report_interval_s(self) -> float:
        """Seconds between two reports of a target that is no monitor."""
        audience, clock = self._roster.audience, self._clock
        of_round_trip_s = min(REPORT_INTERVAL_MAX_S, clock.round_trip_s / REPORTS_PER_ROUND_TRIP)
        of_share_s = 0.0
        if clock.packets_s:
            of_share_s = len(audience.flows) * REPORT_PACKETS / (REPORT_SHARE * clock.packets_s)
        thin_s = min(THIN_INTERVAL_MAX_S, of_share_s)
        return max(REPORT_INTERVAL_MIN_S, audience.cycle_s, of_round_trip_s, thin_s, self.apart_s)

    def copy_status(self, destination: Address) -> None:
        """Send the last status to one address."""
        if self._last_status is not None:
            self._say(self._last_status, destination)

    def assign(self, assign: Assign, destination: Address) -> None:
        """Tell a target its parent and child."""
        self._say(assign._replace(counter=self._next_counter()), destination)

    def probe(self, size_bytes: int) -> None:
        """Send a probe of this size to the group."""
        self._say(Probe(self._next_counter(), size_bytes), None)

    def page_count(self, object: ObjectKind) -> int:
        return self.geometry.page_count(self.sizes[object])

    def _object_state(self, object: ObjectKind, tx: int) -> ObjectState:
        """Size of an object, and how many of its pages were sent up to this tx."""
        transfer = self._schedule.transfer
        if transfer is None or object > transfer.object:
            return ObjectState(self.sizes[object], 0)
        if object < transfer.object:
            return ObjectState(self.sizes[object], self.page_count(object))
        return ObjectState(self.sizes[object], transfer.sent_up_to(tx))

    def _say(self, message: Message, destination: Address) -> None:
        self._waiting.append(SendMessage(message, destination))

    def _next_counter(self) -> int:
        self._counter += 1
        return self._counter
