"""TargetHost: one catcher process: the real core and codec, a modelled driver, socket buffer and disk."""

from __future__ import annotations

import random
from collections import deque

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import CatcherEvent, GroupSilent, PageAsked, PeersChanged, SessionEnded, SourceChanged
from mrsync.protocol.core.sends import CatcherSend, SendCoded, SendKnock, SendPage, SendToPeer
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.transport.network.stamps import as_held
from mrsync.transport.page_receiver import PAGES_PER_JOB
from mrsync.wire.formats.session import ControlCodec, Rejection, open_status
from mrsync.wire.messages import Claim, Kind, ObjectKind, Peer, Report, SealKind
from tests.sim.clock import ProcessClock
from tests.sim.inbox import Inbox
from tests.sim.network import KIND_AT, MASTER, Burst, Cast, CodedBurst, flipped
from tests.sim.oracle import Oracle
from tests.sim.plan import CONTENTS
from tests.sim.reception import Reception, bits
from tests.sim.scenario import Fate
from tests.sim.storage import Storage
from tests.sim.world import SECRET, SESSION, World, address_of

TURN_S = 0.0001
HELD_BEFORE = -1  # the generation of pages that no reading of this run brought


class TargetHost:
    """A process; another one in its place is another TargetHost with the same index."""

    def __init__(self, index: int, incarnation: int, world: World, oracle: Oracle) -> None:
        self.index = index
        self.address = (index, incarnation)
        self.hears_group = not world.scenario.is_unicast and not world.scenario.targets[index].is_deaf
        self.hears_unicast = True
        self.is_heard = True
        self.is_hung = False
        self.is_dead = False
        self.clock = ProcessClock(world.events)
        self.ending: SessionEnded | None = None
        scenario = self.scenario = world.scenario.targets[index]
        self._rng = random.Random(f"target {world.scenario.seed} {index} {incarnation}")
        wakes = random.Random(f"wakes {world.scenario.seed} {index} {incarnation}")
        self._inbox = Inbox(world, index, self.clock, wakes, self._take, self._drop)
        self.instance = self._rng.getrandbits(64)
        self.catcher = Catcher(
            CatcherConfig(
                target=index,
                instance=self.instance,
                host=f"host{index}",
                version="1",
                seals=1 << SealKind.HMAC_SHA256,
                buffer_bytes=scenario.buffer_bytes,
                retained_pages=scenario.retained_pages,
                wait_s=60.0,
                has_group=not world.scenario.is_unicast,
                knows_master=scenario.knows_master,
            ),
            self.clock.now,
        )
        self.reception = Reception(self.catcher, scenario.retained_pages)
        self.storage = Storage(self.catcher, scenario, world.plan, self._rng, self.clock)
        self.storage.after = self.pump
        self.storage.on_held = self._hold
        self.judged: dict[int, int] = {}  # object -> pages that the oracle has seen to be here when it said so
        self.judged_ready = 0  # plan files that the oracle has seen to be staged
        self.written: set[tuple[int, int]] = set()  # pages that are where they belong
        self.wrote_at = 0.0  # the last of them
        self._world = world
        self._oracle = oracle
        self._codec: ControlCodec | None = None
        self._timer_at: float | None = None
        self._coming: dict[tuple[int, int], int] = {}
        self._spoken_at = 0.0  # when its last answer leaves
        self._is_writing = False
        self._source = MASTER  # whose pages count
        self._child: Peer | None = None  # or the island that it casts to
        self.listens_to: int | None = None  # the relay of its island
        self._hop_free_at = 0.0
        self._planned: deque[CatcherSend] = deque()  # for the child
        self._is_uplink_full = False
        world.network.join(self)
        self.pump()

    @property
    def is_running(self) -> bool:
        return self.ending is None and not self.is_dead

    def die(self) -> None:
        self.is_dead = True
        self._world.network.leave(self)

    def expect(self, cast: Cast, lost: int) -> None:
        """Packets of a page that are under way, and not lost, need no repair."""
        if isinstance(cast, Burst):
            key = (cast.object, cast.page)
            self._coming[key] = self._coming.get(key, 0) | self._sent_mask(cast, lost)

    def misses(self, key: tuple[int, int], index: int) -> bool:
        """Whether this packet has not come, and is not about to."""
        return self.reception.misses(key, index) and not self._coming.get(key, 0) >> index & 1

    def _sent_mask(self, burst: Burst, lost: int) -> int:
        """The packets of the page that were sent and not lost; `lost` counts positions among those sent."""
        if not lost:
            return burst.mask
        return sum(1 << index for at, index in enumerate(bits(burst.mask)) if not lost >> at & 1)

    def _hold(self, pages: set[int]) -> None:
        keys = {(int(ObjectKind.CONTENTS), page) for page in pages}
        self.written |= keys
        self.reception.true_pages.update(dict.fromkeys(keys, HELD_BEFORE))

    def hear(self, cast: Cast, lost: int, bad: int, is_cast: bool) -> None:
        """Something arrives at the socket."""
        self._inbox.hear(cast, lost, bad, is_cast)

    def mark(self, packets: int) -> None:
        """So many packets come with the mark of a long queue (ECN)."""
        self.catcher.counters.packets_marked += packets

    def _drop(self, cast: Cast, lost: int) -> None:
        packets = cast.mask.bit_count() if isinstance(cast, Burst) else 1
        self._arrive(cast, lost)
        self.catcher.counters.kernel_drops += packets
        self._world.network.packets_lost += packets

    def stop(self, seconds: float) -> None:
        """The process is stopped for so long; its socket keeps what comes meanwhile, and all from before."""
        self._inbox.on_stopped()
        self.clock.stop(seconds)
        self._world.events.plan(self.clock.stopped_until + TURN_S, self._wake)

    def _wake(self) -> None:
        """It runs again, and has read what came meanwhile."""
        if self.is_running and not self.clock.is_stopped:
            self._keep_time()

    def _take(self, cast: Cast, lost: int, bad: int, is_cast: bool, arrived_at: float) -> None:
        """Read what arrived at that time, by the kernel's stamp."""
        if not self.is_running:
            return
        self._arrive(cast, lost | bad)
        waited_s = self._world.events.now - arrived_at
        if isinstance(cast, bytes):
            self._take_control(cast, bad, is_cast, waited_s)
        else:
            self._take_pages(cast, lost, bad, self.clock.now - waited_s)
        self.pump()

    def _arrive(self, cast: Cast, lost: int) -> None:
        """What was under way has come, or was dropped."""
        if isinstance(cast, Burst):
            key = (cast.object, cast.page)
            self._coming[key] = self._coming.get(key, 0) & ~self._sent_mask(cast, lost)

    def _take_control(self, datagram: bytes, bad: int, is_cast: bool, waited_s: float) -> None:
        if bad:
            datagram = flipped(datagram, self._rng)
        if self._codec is None:
            found = open_status(SECRET, datagram)
            if isinstance(found, Rejection):
                return
            self._codec = ControlCodec(found[0])
        is_own = bad or datagram[KIND_AT] in (Kind.FEED, Kind.CLAIM)
        message = self._codec.decode(datagram) if is_own else self._world.decoded(datagram, self._codec)
        if not isinstance(message, Rejection):
            self._oracle.judge_flip(bad)
            if isinstance(message, Claim):
                message = as_held(message, waited_s)
            self.catcher.receive_message(message, SESSION, self.clock.now, is_cast=is_cast)

    def _take_pages(self, cast: Burst | CodedBurst, lost: int, bad: int, now: float) -> None:
        """Positions in lost and bad count the packets that were sent, not those of the page. now: when they came."""
        if (cast.sender if isinstance(cast, Burst) else MASTER) != self._source:
            cast = cast._replace(tx=0)
        if isinstance(cast, CodedBurst):
            for at, combination in enumerate(cast.combinations):
                if not lost >> at & 1:
                    self.catcher.counters.packets_seen += 1
                    self.reception.take_coded(cast, combination, self._world.packet_count, bad >> at & 1 == 1, now)
        else:
            arrived = self._sent_mask(cast, lost)
            spoilt = self._sent_mask(cast, ~bad) if bad else 0
            self.catcher.counters.packets_seen += arrived.bit_count()
            self.reception.take_burst(cast, arrived, spoilt, now)
        if self.reception.opened and not self._is_writing:
            self._write()

    def _misses(self, object: int, page: int, index: int) -> bool:
        return self.reception.misses((object, page), index)

    def _write(self) -> None:
        """Hand what is opened to the disk, which takes one batch after another."""
        opened = self.reception.opened
        batch, self.reception.opened = opened[:PAGES_PER_JOB], opened[PAGES_PER_JOB:]
        self.catcher.counters.queue_pages = len(opened)
        self._is_writing = True
        self.clock.plan(self.clock.now + len(batch) / self.scenario.disk_pages_s, self._written, batch)

    def _written(self, batch: list[tuple[tuple[int, int], int]]) -> None:
        if not self.is_running or self.is_hung:
            return
        self._is_writing = False
        now = self.clock.now
        self.catcher.counters.queue_pages = len(self.reception.opened)
        self.written.update(key for key, _ in batch)
        self.wrote_at = self._world.events.now
        for object in ObjectKind:
            pages = [page for (written, page), _ in batch if written == object]
            if pages:
                tx_done = max(tx for (written, _), tx in batch if written == object)
                if object in CONTENTS:
                    self.storage.write(object, pages)
                self.catcher.pages_written(object, pages, tx_done, now)
        if self.reception.opened:
            self._write()
        self.pump()
        if (
            self.is_running
            and self.scenario.fate is Fate.DEPARTED
            and self._written_share >= self.scenario.departs_share
        ):
            self.die()

    @property
    def _written_share(self) -> float:
        """What of the pages that it needs is written."""
        wanted = self.storage.wanted
        return len(wanted & self.written) / len(wanted) if wanted else 0.0

    def _on_timer(self, when: float) -> None:
        processors = self._world.processors
        if processors is not None and when == self._timer_at:
            processors.do(self.index, self._world.scenario.message_cpu_s, self._on_late_timer, when)
        elif self.scenario.wake_s and when == self._timer_at:
            self._world.events.plan(self._inbox.work_from(self._world.events.now), self._on_late_timer, when)
        else:
            self._on_late_timer(when)

    def _on_late_timer(self, when: float) -> None:
        if self.is_running and when == self._timer_at and self._world.events.now > self.clock.stopped_until:
            self._keep_time()

    def _keep_time(self) -> None:
        self._timer_at = None
        self.catcher.handle_timeout(self.clock.now)
        self.pump()

    def pump(self) -> None:
        """What a driver does after every call: sends, events, one timer."""
        if not self.is_running:
            return
        now = self.clock.now
        for send in self.catcher.sends(now):
            self._answer(send)
        self._forward()
        while (event := self.catcher.next_event()) is not None:
            self._world.record("target", self.address, event)
            self._oracle.judge_event(self, event)
            if isinstance(event, SessionEnded):
                self.ending = event
                self._world.network.leave(self)
                return
            self._take_event(event)
        when = self.clock.wait(self.catcher.next_timeout())
        if when is not None and when != self._timer_at:
            self._timer_at = when
            self._world.events.plan(when, self._on_timer, when)

    def _forward(self) -> None:
        """Send what is planned for the child while the socket takes it."""
        events = self._world.events
        if self._hop_free_at > events.now:
            return
        if not self._planned:
            self._planned.extend(self.catcher.relaying.forwards(self.clock.now))
        while self._planned and not self._must_wait_for_uplink():
            self._answer(self._planned.popleft())
        if self._hop_free_at > events.now:
            events.plan(self._inbox.starts_at(self._hop_free_at), self.pump)

    def _must_wait_for_uplink(self) -> bool:
        """Whether the socket is full of what its own uplink has not sent yet; then it goes on at half of that."""
        room, network, now = self.scenario.hop_room_bytes, self._world.network, self._world.events.now
        if not room:
            return False
        waits_s = network.paths[self.index].way_out.leaves_at() - now
        held = waits_s * self._world.scenario.uplink_bytes_s
        if held < (room / 2 if self._is_uplink_full else room):
            self._is_uplink_full = False
        elif not self._is_uplink_full:
            self._is_uplink_full = True
            half_s = waits_s - room / 2 / self._world.scenario.uplink_bytes_s
            self._world.events.plan(now + half_s + TURN_S, self.pump)
        return self._is_uplink_full

    def _take_event(self, event: CatcherEvent) -> None:
        if isinstance(event, GroupSilent) and self.scenario.fate is Fate.PRUNED:
            self.hears_group = True
        elif isinstance(event, SourceChanged):
            self._source = MASTER if event.target is None else event.target
        elif isinstance(event, PageAsked):
            is_here = self.reception.retained((event.object, event.page)) is not None
            relaying = self.catcher.relaying
            (relaying.page_found if is_here else relaying.page_gone)(event.object, event.page)
        elif isinstance(event, PeersChanged):
            self._set_peers(event)
        else:
            self.storage.take(event)

    def _set_peers(self, event: PeersChanged) -> None:
        assert self._codec is not None  # an assignment came
        is_relay = event.island is not None and event.island.target == self.index
        child, self._child = self._child, event.island if is_relay else event.child
        if self._child != child:
            self._planned.clear()
        self._oracle.peers_changed += 1
        self.listens_to = event.island.target if event.island is not None and not is_relay else None
        self.reception.passes_on |= self._child is not None
        self._codec.set_peers(*event)

    def _reached_at(self, peer: Peer) -> list[TargetHost]:
        """The processes that run there, or that listen to our island."""
        if peer.target != self.index:
            host = self._oracle.host_at(address_of(peer))
            return [host] if host is not None and host.is_running else []
        segment = self.scenario.segment
        return [
            host
            for host in self._oracle.hosts.values()
            if host.is_running and host.listens_to is not None and host.scenario.segment == segment is not None
        ]

    def _send_hop(self, send: SendToPeer | SendPage) -> None:
        """To the parent or the child: a message, or a page that is here."""
        peer = send.peer if isinstance(send, SendToPeer) else self._child
        assert self._codec is not None
        assert peer is not None
        hosts, network, now = self._reached_at(peer), self._world.network, self._world.events.now
        is_cast = peer.target == self.index  # to our island
        if isinstance(send, SendToPeer):
            datagram = self._codec.encode(send.message)
            self._work(datagram)
            is_behind = send.peer is self._child  # pages that go the same way
            if self.is_heard:
                when = max(now, self._hop_free_at) if is_behind else now
                network.hop(self.index, hosts, datagram, 1, when, is_cast=is_cast)
            return
        generation = self.reception.retained((send.object, send.page))
        if generation is None:
            self.catcher.relaying.page_gone(send.object, send.page)
            return
        count = self._world.packet_count(send.object, send.page)
        mask = send.mask or (1 << count) - 1
        gap_s = self.catcher.relaying.gap_s
        free_at = max(now - self.catcher.relaying.late_s, self._hop_free_at)
        self._hop_free_at = free_at + max(1 / self.scenario.hop_pages_s, mask.bit_count() * gap_s)
        self.catcher.relaying.on_left(send.tx, self.clock.now + self._hop_free_at - now)
        self._oracle.judge_hop(hosts, send, mask)
        if hosts and self._rng.random() >= self.scenario.withholds_share:
            burst = Burst(send.object, send.page, generation, count, mask, send.tx, self.index)
            self._work(burst)
            leaves_at = self._hop_free_at + (self.scenario.hop_late_s if send.object in CONTENTS else 0.0)
            network.hop(self.index, hosts, burst, mask.bit_count(), leaves_at, gap_s, is_cast=is_cast)

    def _answer(self, send: CatcherSend) -> None:
        assert not isinstance(send, SendCoded)  # losses of one child are not combined
        if isinstance(send, (SendToPeer, SendPage)):
            self._world.record("hop", self.address, send)
            self._send_hop(send)
            return
        if isinstance(send.message, Report):
            self._oracle.judge_report(self, send.message)
        self._world.record("answer", self.address, send.message)
        codec = self._world.knocks if isinstance(send, SendKnock) else self._codec
        assert codec is not None  # nothing else is said before a status was heard
        datagram = codec.encode(send.message)
        self._work(datagram)
        if self.is_heard:
            self._speak(datagram)

    def _work(self, sent: Cast) -> None:
        """Take the time that it takes to send something."""
        if self._world.processors is not None:
            self._world.processors.charge(self.index, self._world.cost_s(sent))

    def _speak(self, datagram: bytes) -> None:
        """Answer, late if the processor is taken away; nothing overtakes what was said before."""
        now, scenario, world = self._world.events.now, self.scenario, self._world
        is_late = scenario.late_share > 0 and self._rng.random() < scenario.late_share
        self._spoken_at = max(self._spoken_at, now + self._rng.random() * scenario.late_s if is_late else now)
        if self._spoken_at > now:
            world.events.plan(self._spoken_at, world.answer, self.index, self.address, datagram)
        else:
            world.answer(self.index, self.address, datagram)
