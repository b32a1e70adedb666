"""Outbox: what the caster says: the state of the session to the group, and letters to single catchers."""

from __future__ import annotations

from mrsync.protocol.core.sends import Address, Send, SendMessage
from mrsync.protocol.core.states import RosterState
from mrsync.protocol.sending.clock import Clock
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.targets.commits import Commits
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
URGENT_STATUS_S = 0.02  # while catchers come in, and while all are to commit at the same time
COPY_S = 0.0002  # for each status by unicast
REPORT_INTERVAL_MIN_S = 0.02


class Outbox:
    """Composes messages and counts them; knows what a status says of seal and objects, and looks up the rest."""

    def __init__(
        self, session: int, geometry: Geometry, ack_wait_s: float, roster: Roster, clock: Clock, schedule: Schedule
    ) -> None:
        self.seal = SealKind.NONE
        self.sizes = [0] * len(ObjectKind)  # bytes
        self.generation = 0  # the highest of any page
        self.geometry = geometry
        self._session = session
        self._ack_wait_s = ack_wait_s
        self._roster = roster
        self._clock = clock
        self._schedule = schedule
        self._counter = 0
        self._last_status: Status | None = None
        self._waiting: list[Send] = []

    @property
    def is_waiting(self) -> bool:
        """Whether something was said that was not taken yet."""
        return bool(self._waiting)

    def take_all(self) -> list[Send]:
        """What was said since the last call, in order."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def welcome(self, target: Target, hello: Hello, source: Address, token: int) -> None:
        """You are on the roster, and what you hear is known."""
        counter = self._next_counter()
        self._say(Welcome(hello.instance, counter, target.id, target.slot, hello.counter, token), source)

    def refuse(self, hello: Hello, source: Address, reason: str) -> None:
        """You are not. Cut to what a HELLO has room for: somebody else may have sent it from there."""
        reason = reason.encode(errors="replace")[:REFUSAL_BYTES_MAX].decode(errors="ignore")
        self._say(Farewell(hello.instance, self._next_counter(), hello.target, Ending.REFUSED, reason), source)

    def farewell(self, target: Target, ending: Ending, reason: str) -> None:
        """Your part is over; said to whoever was heard of."""
        if target.path.source is not None and target.hello is not None:
            counter = self._next_counter()
            self._say(Farewell(target.hello.instance, counter, target.id, ending, reason), target.path.source)

    def repeat_farewells(self) -> None:
        """Say it again to those who are done and do not hear the group, where they are known to be."""
        for target in self._roster:
            if target.state is RosterState.DONE and target.path.is_unicast and target.hello is not None:
                letter = Farewell(target.hello.instance, self._next_counter(), target.id, Ending.DONE, "")
                self._say(letter, target.path.verified)

    def ack(self, target: Target) -> None:
        """Your log came this far."""
        assert target.hello is not None  # its log came with reports of that instance
        self._say(Ack(target.hello.instance, self._next_counter(), target.id, target.log.offset), target.path.source)

    def status(self, phase: Phase, commits: Commits, *, is_poll: bool, now: float) -> None:
        """The state of now, to the group; uses up a tx."""
        self._tell(phase, commits, self._schedule.stamp(now), is_poll=is_poll)

    def announce(self, generation: int, phase: Phase, commits: Commits, *, tx: int) -> None:
        """Tell the group that pages of this generation come from this tx on, and what left before it.

        Bursts with later tx are planned already and leave behind this. It must neither count them as sent nor be later
        than they are: who hears it would claim them while they are under way.
        """
        self.generation = generation
        self._tell(phase, commits, tx - 1, is_poll=False)

    def _tell(self, phase: Phase, commits: Commits, tx: int, *, is_poll: bool) -> None:
        transfer = self._schedule.transfer
        status = Status(
            session=self._session,
            counter=self._next_counter(),
            tx=tx,
            phase=phase,
            seal=self.seal,
            slice_bytes=self.geometry.slice_bytes,
            packets=self.geometry.packets,
            objects=tuple(self._object_state(kind, tx) for kind in ObjectKind),
            active=transfer.kind if transfer is not None else ObjectKind.MANIFEST,
            target_count=len(self._roster),
            plan_files=commits.file_count,
            monitors=tuple(target.id for target in self._clock.monitors),
            report_pages=self._clock.report_pages,
            report_interval_us=int(max(REPORT_INTERVAL_MIN_S, self._roster.audience.round_s) * 1e6),
            is_poll=is_poll,
            commit=commits.span,
            ack_wait_s=max(1, int(self._ack_wait_s)),
            generation=self.generation,
        )
        self._last_status = status
        self._say(status, None)

    def answer_knock(self, knock: Knock, source: Address) -> None:
        """What the group was told last; no more bytes than came, for somebody else may have sent it from there."""
        if knock.size_bytes >= CONTROL_BYTES_MAX:
            self.copy_status(source)

    def status_interval_s(self, *, is_urgent: bool) -> float:
        """Time between two statuses, for as many copies as there are."""
        return max(URGENT_STATUS_S if is_urgent else STATUS_S, self._roster.status_copies * COPY_S)

    def copy_status(self, destination: Address) -> None:
        """What the group was told last, to one address."""
        if self._last_status is not None:
            self._say(self._last_status, destination)

    def assign(self, assign: Assign, destination: Address) -> None:
        """Parent and child of one target."""
        self._say(assign._replace(counter=self._next_counter()), destination)

    def probe(self, size_bytes: int) -> None:
        """A datagram of this size to the group."""
        self._say(Probe(self._next_counter(), size_bytes), None)

    def page_count(self, kind: ObjectKind) -> int:
        return self.geometry.page_count(self.sizes[kind])

    def _object_state(self, kind: ObjectKind, tx: int) -> ObjectState:
        """Size of an object, and how many of its pages were sent up to this tx."""
        transfer = self._schedule.transfer
        if transfer is None or kind > transfer.kind:
            return ObjectState(self.sizes[kind], 0)
        if kind < transfer.kind:
            return ObjectState(self.sizes[kind], self.page_count(kind))
        return ObjectState(self.sizes[kind], transfer.sent_up_to(tx))

    def _say(self, message: Message, destination: Address) -> None:
        self._waiting.append(SendMessage(message, destination))

    def _next_counter(self) -> int:
        self._counter += 1
        return self._counter
