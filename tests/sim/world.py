"""World: what all hosts of a run share: clock, network, plan, the wire's keys, the trace."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mrsync.wire.formats.session import ControlCodec, Rejection
from mrsync.wire.limits import NO_SESSION
from mrsync.wire.messages import Message, ObjectKind, Peer
from mrsync.wire.seals.keys import SessionKeys
from tests.sim.clock import Events
from tests.sim.network import Burst, Cast, Network
from tests.sim.plan import Plan
from tests.sim.processors import Processors
from tests.sim.scenario import Scenario
from tests.sim.trace import Record, untraced

SECRET = bytes(range(32))
SESSION = 0x0123456789ABCDEF
LIMIT_S = 600.0
STEPS_MAX = 3_000_000

Address = tuple[int, int]  # target index, incarnation


ISLAND = (bytes([255, 2]) + bytes(14), 8888)
HOST_BITS = 64


def locate(scenario: Scenario, address: Address) -> tuple[bytes, int]:
    """Where other targets reach the one at this address, as an assignment says it."""
    index, incarnation = address
    return (scenario.targets[index].network << HOST_BITS | index).to_bytes(16, "big"), incarnation


def address_of(peer: Peer) -> Address:
    """The address of the process that an assignment means."""
    return int.from_bytes(peer.address, "big") & (1 << HOST_BITS) - 1, peer.port


class World:
    """One run's surroundings."""

    def __init__(self, scenario: Scenario, limit_s: float = LIMIT_S, record: Record = untraced) -> None:
        self.scenario = scenario
        self.events = Events(limit_s=limit_s, steps_max=STEPS_MAX)
        self.network = Network(scenario, self.events)
        self.processors: Processors | None = None
        if scenario.processors:
            others = scenario.other_programs
            self.processors = Processors(
                self.events, scenario.processors, others, fit_s=scenario.fit_s, seed=scenario.seed
            )
        self.plan = Plan(scenario.file_bytes)
        self.geometry = scenario.geometry  # final when the comparison begins
        self.keys = SessionKeys.derive(SECRET, SESSION)
        self.codec = ControlCodec(self.keys)
        self.knocks = ControlCodec(SessionKeys.derive(SECRET, NO_SESSION))
        self.changed: set[int] = set()  # plan files that were found to be no longer what was scanned
        self.void: set[int] = set()  # those of them that some target was still to get
        self.spoilt: dict[tuple[int, int, int], set[int]] = {}  # (object, page, generation) -> files with zeros there
        self.hear_answer: Callable[[Address, bytes], None] = lambda address, datagram: None
        self._record = record
        self._last: tuple[bytes, Message | Rejection] | None = None

    def record(self, *facts: object) -> None:
        """Put something that happens now into the trace."""
        self._record(self.events.now, *facts)

    def cost_s(self, cast: Cast) -> float:
        """Return the processor time to read or send a message, or some packets of a page."""
        if isinstance(cast, bytes):
            return self.scenario.message_cpu_s
        packets = cast.mask.bit_count() if isinstance(cast, Burst) else len(cast.combinations)
        return self.scenario.page_cpu_s * packets / self.geometry.packets

    def decoded(self, datagram: bytes, codec: ControlCodec) -> Message | Rejection:
        """What codec.decode says; asked once for what many hosts hear alike."""
        if self._last is None or self._last[0] is not datagram:
            self._last = (datagram, codec.decode(datagram))
        return self._last[1]

    def answer(self, index: int, address: Address, datagram: bytes) -> None:
        """A catcher's datagram sets out for the caster."""
        self.network.answer(index, datagram, partial(self.hear_answer, address), self.events.now)

    def object_bytes(self, object: int) -> int:
        scenario = self.scenario
        if object == ObjectKind.PLAN_AGAIN and not self.plan.is_again:
            return 0
        if object in (ObjectKind.PLAN, ObjectKind.PLAN_AGAIN):
            return scenario.plan_bytes
        return (
            scenario.manifest_bytes if object == ObjectKind.MANIFEST else self.plan.contents_bytes[ObjectKind(object)]
        )

    def packet_count(self, object: int, page: int) -> int:
        """Packets of a page of an object; of a full page where there is no such page."""
        geometry, size = self.geometry, self.object_bytes(object)
        count = geometry.packet_count(size, page) if page < geometry.page_count(size) else geometry.packets
        return self.scenario.compressed_count(object, page, count)

    def page_count(self, object: ObjectKind) -> int:
        return self.geometry.page_count(self.object_bytes(object))
