"""Network: carries bursts and control datagrams, and does to them what networks do."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from mrsync.transport.pages.bursts import PART_S
from mrsync.wire.messages import Kind
from mrsync.wire.terms import Term
from tests.sim.clock import Events
from tests.sim.impairments import BadSpells, LossProcess, Policer
from tests.sim.scenario import PACKET_ROOM_BYTES, Scenario, TargetScenario
from tests.sim.shared_queue import SharedQueue

PACKET_OVERHEAD_BYTES = 66
BACK_QUEUE_BYTES = 64_000  # of what targets send: with 1 Mbit/s half a second
KIND_AT = 2  # of a header
MASTER = -1
STOLEN_SHARE = 0.2  # of answers that a stranger sends from elsewhere before they arrive


class Burst(NamedTuple):
    """Packets of one page; mask: which of them were sent."""

    object: int
    page: int
    generation: int
    packets: int
    mask: int
    tx: int
    sender: int = MASTER  # the target that passes it on


class CodedBurst(NamedTuple):
    """Coded packets."""

    object: int
    generation: int
    combinations: tuple[tuple[Term, ...], ...]
    tx: int


Cast = Burst | CodedBurst | bytes


class Receiver(Protocol):
    """A host on the network; lost and bad are bit sets of positions among the packets of what was cast."""

    index: int  # of its target
    hears_group: bool
    hears_unicast: bool

    def expect(self, cast: Cast, lost: int) -> None:
        """Something is under way, which is heard soon."""

    def hear(self, cast: Cast, lost: int, bad: int, is_cast: bool) -> None:
        """is_cast: it came to the group."""

    def mark(self, packets: int) -> None:
        """So many packets carry the mark of a long queue (ECN)."""


class Path:
    """The way to one target and back."""

    def __init__(self, seed: str, scenario: TargetScenario, uplink_bytes_s: float) -> None:
        self.rng = random.Random(seed)
        self.scenario = scenario
        self.losses = LossProcess(self.rng, scenario.loss, scenario.loss_run)
        self.corruption = LossProcess(self.rng, scenario.corruption)
        self.report_losses = LossProcess(self.rng, scenario.report_loss)
        self.spells = BadSpells(random.Random(f"spells {seed}"), scenario.good_s, scenario.bad_s)
        self.policer = Policer(scenario.policer_bytes_s, scenario.bucket_bytes)
        self.way_back = SharedQueue(scenario.back_bytes_s, BACK_QUEUE_BYTES, 0.0)
        self.is_cut = False
        self.way_in = SharedQueue(scenario.port_bytes_s, scenario.port_queue_bytes, 0.0)
        self.way_out = SharedQueue(uplink_bytes_s, scenario.hop_queue_bytes, 0.0)  # for what it passes on

    def arrivals(self, now: float) -> list[float]:
        """When copies of something sent now arrive."""
        scenario, rng = self.scenario, self.rng
        delay_s = scenario.delay_s + (scenario.detour_s if now >= scenario.fate_at_s else 0.0)
        times = [now + delay_s]
        if scenario.duplication and rng.random() < scenario.duplication:
            times.append(now + delay_s + rng.random() * 0.01)
        if scenario.jitter_share and rng.random() < scenario.jitter_share:
            times[0] += rng.random() * scenario.jitter_s
        return times


class Network:
    """One group, the caster in front of it, and a path to each target."""

    def __init__(self, scenario: Scenario, events: Events) -> None:
        self.packets_lost = 0
        self.slice_bytes = scenario.geometry.slice_bytes
        self.gap_s = 0.0  # between the packets of a page, where the caster spreads them
        self.answers: list[tuple[Callable[[bytes], None], bytes]] = []
        self.hear_stolen: Callable[[bytes], None] = lambda datagram: None
        self.controls: list[bytes] = []  # the last ones heard by a stranger
        self._events = events
        self._scenario = scenario
        self._rng = random.Random(f"network {scenario.seed}")
        self._shared = LossProcess(self._rng, scenario.shared_loss)
        self.paths = [
            Path(f"path {scenario.seed} {at}", target, scenario.uplink_bytes_s)
            for at, target in enumerate(scenario.targets)
        ]
        self.receivers: list[Receiver] = []
        self._asked: set[tuple[int, int]] = set()  # (sender, receiver) among the targets
        rival = scenario.rival_rtt_s, scenario.rival_ends_s
        self.way_back = SharedQueue(scenario.back_bytes_s, BACK_QUEUE_BYTES, 0.0)
        self.switch = SharedQueue(scenario.switch_bytes_s, scenario.switch_queue_bytes, *rival)

    def join(self, receiver: Receiver) -> None:
        self.receivers.append(receiver)

    def leave(self, receiver: Receiver) -> None:
        self.receivers.remove(receiver)

    def cast(self, cast: Cast, packets: int, size_bytes: int, when: float) -> None:
        """To the group; packets of about size_bytes each leave the caster at `when`."""
        lost = self._shared.draw(packets, when)
        if isinstance(cast, bytes):
            self.controls = [*self.controls[-50:], cast]
        when, full = self._pass_switch(packets, size_bytes + PACKET_OVERHEAD_BYTES, when)
        for receiver in self.receivers:
            self._deliver(receiver, cast, packets, lost | full, when, is_cast=True, gap_s=self.gap_s)

    def send(self, receiver: Receiver, cast: Cast, packets: int, size_bytes: int, when: float) -> None:
        """To one host; packets of about size_bytes each leave the caster at `when`."""
        when, full = self._pass_switch(packets, size_bytes + PACKET_OVERHEAD_BYTES, when)
        self._deliver(receiver, cast, packets, full, when, is_cast=False, gap_s=self.gap_s)

    def hop(
        self,
        sender: int,
        receivers: Sequence[Receiver],
        cast: Cast,
        packets: int,
        when: float,
        gap_s: float = 0.0,
        *,
        is_cast: bool = False,
    ) -> None:
        """From one target to others; the last of the packets leaves it at `when`, gap_s after the one before it.

        is_cast: to a group, so that nobody could ask for an answer.
        """
        path = self.paths[sender]
        if path.is_cut or not receivers:
            return
        full = 0
        if path.scenario.hop_queue_bytes:
            size_bytes = len(cast) if isinstance(cast, bytes) else self.slice_bytes
            when, full = _pass_queue(path.way_out, packets, size_bytes + PACKET_OVERHEAD_BYTES, when, gap_s)
        for receiver in receivers:
            self._asked.add((sender, receiver.index))
            scenario = self.paths[receiver.index].scenario
            is_answer = (receiver.index, sender) in self._asked and not is_cast
            if sender not in scenario.blocks and (is_answer or not scenario.is_guarded):
                self._deliver(receiver, cast, packets, full, when, is_cast=False, gap_s=gap_s)

    def _pass_switch(self, packets: int, size_bytes: int, when: float) -> tuple[float, int]:
        """When a burst leaves the bottleneck, and which of its packets found the queue full."""
        if not self._scenario.switch_bytes_s:
            return when, 0
        return _pass_queue(self.switch, packets, size_bytes, when, self.gap_s)

    def _deliver(
        self, receiver: Receiver, cast: Cast, packets: int, lost: int, when: float, *, is_cast: bool, gap_s: float
    ) -> None:
        """To one host, by its port of the switch, where what comes first leaves first."""
        if self.paths[receiver.index].scenario.port_bytes_s:
            self._events.plan(when, self._pass_port, receiver, cast, packets, lost, when, is_cast, gap_s)
        else:
            self._pass_path(receiver, cast, packets, lost, when, is_cast)

    def _pass_port(
        self, receiver: Receiver, cast: Cast, packets: int, lost: int, when: float, is_cast: bool, gap_s: float
    ) -> None:
        path = self.paths[receiver.index]
        if not path.is_cut:
            size_bytes = len(cast) if isinstance(cast, bytes) else self.slice_bytes
            when, full = _pass_queue(path.way_in, packets, size_bytes + PACKET_OVERHEAD_BYTES, when, gap_s)
            lost |= full
            if path.way_in.is_above(path.scenario.marked_share * path.scenario.port_queue_bytes):
                self._events.plan(when + path.scenario.delay_s, receiver.mark, packets)
        self._pass_path(receiver, cast, packets, lost, when, is_cast)

    def _pass_path(self, receiver: Receiver, cast: Cast, packets: int, lost: int, when: float, is_cast: bool) -> None:
        path = self.paths[receiver.index]
        everything = (1 << packets) - 1
        is_heard = receiver.hears_group if is_cast else receiver.hears_unicast
        if path.is_cut or not is_heard or not self.is_passable(receiver, cast):
            lost = everything
        else:
            lost |= path.losses.draw(packets, when) | path.spells.draw(packets, when)
            if path.scenario.policer_bytes_s:
                size_bytes = len(cast) if isinstance(cast, bytes) else self.slice_bytes
                lost |= path.policer.drop(packets, size_bytes + PACKET_OVERHEAD_BYTES, when)
        self.packets_lost += lost.bit_count()
        if lost == everything:
            return
        bad = path.corruption.draw(packets, when)
        times = path.arrivals(when)
        if path.scenario.jitter_share and packets > 1 and path.rng.random() < path.scenario.jitter_share:
            torn = path.rng.getrandbits(packets)
            self._plan(receiver, cast, lost | torn, bad, everything, times[0], is_cast)
            self._plan(
                receiver, cast, lost | everything ^ torn, bad, everything, times[0] + path.scenario.jitter_s, is_cast
            )
        else:
            for time in times:
                self._plan_in_order(receiver, cast, lost, bad, packets, time, is_cast)

    def _plan_in_order(
        self, receiver: Receiver, cast: Cast, lost: int, bad: int, packets: int, when: float, is_cast: bool
    ) -> None:
        """The first half of a burst arrives while the second is still being sent."""
        everything = (1 << packets) - 1
        if self._scenario.has_halves and packets > 1:
            first = (1 << packets // 2) - 1
            seconds = packets / 2 * self.slice_bytes / self._scenario.uplink_bytes_s
            self._plan(receiver, cast, lost | everything ^ first, bad, everything, when - seconds, is_cast)
            lost |= first
        self._plan(receiver, cast, lost, bad, everything, when, is_cast)

    def _plan(
        self, receiver: Receiver, cast: Cast, lost: int, bad: int, everything: int, when: float, is_cast: bool
    ) -> None:
        if lost != everything:
            receiver.expect(cast, lost | bad)
            self._events.plan(when, receiver.hear, cast, lost, bad, is_cast)

    def is_passable(self, receiver: Receiver, cast: Cast) -> bool:
        """Whether the path carries datagrams of this size; only probes and feeds are as large as packets."""
        size_bytes = self.slice_bytes + PACKET_ROOM_BYTES
        if isinstance(cast, bytes):
            size_bytes = len(cast) if cast[KIND_AT] in (Kind.PROBE, Kind.FEED) else 0
        return size_bytes <= self.paths[receiver.index].scenario.path_bytes

    def answer(self, index: int, datagram: bytes, hear: Callable[[bytes], None], now: float) -> None:
        """What one target says, on its way to the caster."""
        path = self.paths[index]
        if path.is_cut or path.report_losses.draw(1, now):
            return
        if path.corruption.draw(1, now):
            datagram = flipped(datagram, path.rng)
        for queue, rate in ((path.way_back, path.scenario.back_bytes_s), (self.way_back, self._scenario.back_bytes_s)):
            if rate:
                now, full = _pass_queue(queue, 1, len(datagram) + PACKET_OVERHEAD_BYTES, now, 0.0)
                if full:
                    return
        times = path.arrivals(now)
        if self._scenario.forgeries_s and self._rng.random() < STOLEN_SHARE:
            self._events.plan(times[0], self.hear_stolen, datagram)  # no way is shorter, but it is the first one
        for time in times:
            self._events.plan(time, hear, datagram)
        if len(self.answers) < 500:
            self._events.plan(times[0], self.answers.append, (hear, datagram))


def _pass_queue(queue: SharedQueue, packets: int, size_bytes: int, when: float, gap_s: float) -> tuple[float, int]:
    """When packets that come so far apart, the last one at `when`, leave the queue; which of them found it full."""
    part = max(1, int(PART_S / gap_s)) if gap_s else packets
    full = 0
    for first in range(0, packets, part):
        count = min(part, packets - first)
        fit = queue.put(count, size_bytes, when - (packets - first - count) * gap_s)
        full |= (1 << first + count) - (1 << first + fit)
    return max(when, queue.leaves_at()), full


def flipped(datagram: bytes, rng: random.Random) -> bytes:
    """The datagram with one bit turned."""
    at = rng.randrange(8 * len(datagram))
    data = bytearray(datagram)
    data[at >> 3] ^= 1 << (at & 7)
    return bytes(data)
