"""MasterHost: the caster process: the real core and codec, a modelled driver, page cache and uplink."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from functools import partial

from mrsync.protocol.caster import Caster
from mrsync.protocol.caster_config import CasterConfig
from mrsync.protocol.core.events import (
    CasterEvent,
    CastFinished,
    ComparisonFinished,
    FilesChanged,
    TargetEnded,
    TargetJoined,
    TargetRerouted,
)
from mrsync.protocol.core.sends import Send, SendCoded, SendMessage, SendPage
from mrsync.protocol.targets.chains.chains import RelayRules
from mrsync.protocol.targets.commit_decisions import CommitRule
from mrsync.transport.caster_driver import REPORTS_PER_PASS
from mrsync.wire.formats.session import Rejection
from mrsync.wire.messages import Knock, Message, ObjectKind, Phase, Report, SealKind, Status
from tests.sim.clock import ProcessClock
from tests.sim.network import MASTER, Burst, Cast, CodedBurst
from tests.sim.oracle import Oracle
from tests.sim.plan import CONTENTS
from tests.sim.scenario import Scenario
from tests.sim.target import TargetHost
from tests.sim.world import ISLAND, SESSION, Address, World, locate

PLANNING_S = 0.01
BACKLOG_MAX = 1800  # datagrams in a socket buffer of 4 MB
TURN_S = 0.003


def _rules(scenario: Scenario) -> RelayRules:
    return RelayRules(partial(locate, scenario), scenario.chains_max, ISLAND if scenario.has_islands else None)


class MasterHost:
    """Casts until CastFinished."""

    def __init__(self, world: World, oracle: Oracle) -> None:
        scenario = world.scenario
        self.is_dead = False
        self.is_finished = False
        self.finished_at = 0.0
        self.caster = Caster(
            CasterConfig(
                session=SESSION,
                steps=scenario.steps,
                names={index: f"host{index}" for index in range(len(scenario.targets))},
                seals=1 << SealKind.HMAC_SHA256,
                ack_wait_s=scenario.ack_wait_s,
                quit_on_bad=scenario.quit_on_bad,
                commit_rule=scenario.commit_rule,
                rate_bytes_s=scenario.rate_bytes_s,
                share=scenario.share,
                is_unicast=scenario.is_unicast,
                has_monitor=scenario.has_monitor,
                is_shedding=scenario.is_shedding,
                relaying=_rules(scenario) if scenario.has_relays else None,
            ),
            0.0,
        )
        self.caster._schedule.tx = scenario.first_tx
        self._world = world
        self._oracle = oracle
        self._rng = random.Random(f"master {scenario.seed}")
        self.clock = ProcessClock(world.events)
        self._lapsed_s = 0.0  # that the core was told of
        self._backlog: deque[tuple[Address, bytes, Message | Rejection]] = deque()  # what its socket holds
        self._timer_at: float | None = None
        self._busy_until = 0.0  # the process
        self._free_at = 0.0  # the uplink
        self._is_waiting = False  # for the uplink
        self._is_awake = False  # a turn is to come
        self._generations: dict[tuple[int, int], int] = {}
        self._cached: dict[tuple[int, int], None] = {}  # sealed pages at hand, least recently used first
        self._generation = 0  # the highest that was announced
        self._casts = 0
        self.packets_sent = 0  # of pages, copies counted
        self._is_group_heard = True
        self._routes: dict[int, TargetHost] = {}  # of targets that are served by unicast
        self.reroutes: list[int] = []  # targets, in order
        self.late_reroutes = 0  # of them, since the first page was sent
        self._copied: set[int] = set()  # those of them that pages go to
        world.hear_answer = self._hear
        self.clock.plan(self._rng.random() * 0.2, self._offer_manifest)
        self._pump()

    def die(self) -> None:
        self.is_dead = True

    def give_up(self, index: int) -> None:
        """The launcher says that this target's process has ended."""
        if self.clock.is_stopped:
            self.clock.run(self.give_up, index)
        elif not self.is_dead and not self.is_finished:
            self.caster.give_up(index, "its process ended", self.clock.now)
            self._pump()

    def abort(self) -> None:
        """The user presses ^C."""
        if self.clock.is_stopped:
            self.clock.run(self.abort)
        else:
            self.caster.abort("interrupted", self.clock.now)
            self._pump()

    def stop(self, seconds: float) -> None:
        """The user presses ^Z; what comes meanwhile waits in the socket."""
        self.clock.stop(seconds)
        self._world.events.plan(self.clock.stopped_until, self._turn)

    def block(self, seconds: float) -> None:
        """A call keeps the process for so long; its clock goes on, and what comes meanwhile waits in the socket."""
        self._busy_until = max(self._busy_until, self._world.events.now + seconds)

    def _must_wait(self, action: Callable[..., None], *arguments: object) -> bool:
        """Whether the process is busy; then this is done when it is no longer."""
        is_busy = self._world.events.now < self._busy_until
        if is_busy:
            self._world.events.plan(self._busy_until, action, *arguments)
        return is_busy

    def _offer_manifest(self) -> None:
        self.caster.offer_manifest(self._world.scenario.manifest_bytes, self._world.plan.are_files)
        self._pump()

    def _hear(self, source: Address, datagram: bytes) -> None:
        message = self._world.codec.decode(datagram)
        if isinstance(message, Report):
            self._oracle.count_report()
        if len(self._backlog) < BACKLOG_MAX:
            self._backlog.append((source, datagram, message))
        if len(self._backlog) == 1 and not self.clock.is_stopped:
            self._turn()

    def _turn(self) -> None:
        """What a driver does when it wakes up: reads a part of what came, then keeps its deadlines."""
        if self._world.processors is None:
            self._take_turn()
        elif not self._is_awake:
            self._is_awake = True
            count = min(REPORTS_PER_PASS, len(self._backlog))
            cost_s = max(1, count) * self._world.scenario.message_cpu_s
            self._world.processors.do(MASTER, cost_s, self._take_turn)

    def _take_turn(self) -> None:
        self._is_awake = False
        if self.is_dead or self.is_finished or self._must_wait(self._turn):
            return
        now = self.clock.now
        if self.clock.lapsed_s > self._lapsed_s:
            self._lapsed_s = self.clock.lapsed_s
            self.caster.handle_lapse()
        count = min(REPORTS_PER_PASS, len(self._backlog))
        for _ in range(count):
            self._take_datagram(*self._backlog.popleft())
        deadline = self.caster.next_timeout()
        if deadline is not None and deadline <= now:
            self.caster.handle_timeout(now, is_drained=not self._backlog)
        self._pump()
        self.block(count * self._world.scenario.report_s)
        if self._backlog:
            self._world.events.plan(self._world.events.now + TURN_S, self._turn)

    def _take_datagram(self, source: Address, datagram: bytes, message: Message | Rejection) -> None:
        if not isinstance(message, Rejection):
            self.caster.receive_message(message, source, self.clock.now)
        elif message is Rejection.STRANGE and isinstance(knock := self._world.knocks.decode(datagram), Knock):
            self.caster.receive_knock(knock, source)

    def _on_timer(self, when: float) -> None:
        if when == self._timer_at and not self.clock.is_stopped:
            self._timer_at = None
            self._turn()

    def _pump(self) -> None:
        """What a driver does after every call: sends while the uplink takes them, events, one timer."""
        if self.is_dead or self.is_finished:
            return
        now = self.clock.now
        if not self._is_waiting:
            sends = self.caster.sends(now)
            self._world.geometry = self.caster.geometry
            self._world.network.slice_bytes = self.caster.geometry.slice_bytes
            self._world.network.gap_s = self.caster.clock.gap_s
            for send in sends:
                self._send(send)
            if sends:
                self._is_waiting = True
                self._world.events.plan(self._free_at, self._uplink_free)
        while (event := self.caster.next_event()) is not None:
            self._take(event)
        when = self.clock.wait(self.caster.next_timeout())
        if when is not None and when != self._timer_at:
            self._timer_at = when
            self._world.events.plan(when, self._on_timer, when)

    def _uplink_free(self) -> None:
        if self._must_wait(self._uplink_free):
            return
        self._is_waiting = False
        if not self.clock.is_stopped:
            self._pump()

    def _take(self, event: CasterEvent) -> None:
        now = self.clock.now
        self._world.record("caster", event)
        self._oracle.judge_caster_event(event)
        if isinstance(event, TargetJoined | TargetRerouted | TargetEnded):
            self._route(event.target)
            if isinstance(event, TargetRerouted):
                self.reroutes.append(event.target)
                self.late_reroutes += self.caster.phase is not Phase.GATHERING
            self._is_group_heard = self.caster.roster.is_group_heard
        if isinstance(event, ComparisonFinished):
            entries = [entry for first, end in event.needs for entry in range(first, end)]
            self.clock.plan(now + PLANNING_S, self._offer_plan, entries)
        elif isinstance(event, FilesChanged):
            self.clock.plan(now + PLANNING_S, self._offer_plan_again, event.files)
        elif isinstance(event, CastFinished):
            self.is_finished = True
            self.finished_at = self._world.events.now

    def _route(self, target_id: int) -> None:
        """Have what is for the group go to this target as well, or not any more."""
        target = self.caster.roster.find(target_id)
        self._routes.pop(target_id, None)
        self._copied.discard(target_id)
        if target is not None and target.is_live and target.path.is_unicast:
            self._oracle.judge_route(target, target.path.verified)
            self._routes[target_id] = self._oracle.commits.host_of(target)
            if target.path.is_copied:
                self._copied.add(target_id)

    def _offer_plan(self, entries: list[int]) -> None:
        plan = self._world.plan
        plan.fix(entries, self._world.geometry)
        now = self.clock.now
        sizes = self._world.scenario.plan_bytes, plan.contents_bytes[ObjectKind.CONTENTS], len(entries)
        self.caster.offer_plan(*sizes, now, plan.pages_of_entries)
        self._pump()

    def _offer_plan_again(self, changed: tuple[int, ...]) -> None:
        """Some of the files have vanished, the others have a new size."""
        plan, scenario = self._world.plan, self._world.scenario
        files = [file for file in changed if self._rng.random() >= scenario.vanish_share]
        if files:
            page_bytes = scenario.geometry.page_bytes
            sizes = [self._rng.choice((0, 1, page_bytes, self._rng.randrange(3 * page_bytes))) for _ in files]
            plan.fix_again([plan.files[file] for file in files], sizes)
        contents_bytes = plan.contents_bytes[ObjectKind.CONTENTS_AGAIN]
        self.caster.offer_plan_again(scenario.plan_bytes, contents_bytes, len(files), files, self.clock.now)
        self._pump()

    # bursts

    def _send(self, send: Send) -> None:
        self._world.record("send", send)
        if isinstance(send, SendMessage):
            self._send_message(send)
        elif isinstance(send, SendPage):
            self._oracle.judge_page(send)
            self._send_page(send)
        else:
            self._oracle.judge_coded(send)
            self._send_coded(send)

    def _send_message(self, send: SendMessage) -> None:
        if isinstance(send.message, Status):
            self._oracle.judge_status(send.message)
        datagram = self._world.codec.encode(send.message)
        if send.destination is None:
            self._cast(datagram, 1, len(datagram))
            return
        leaves_at = self._occupy(1, len(datagram))
        host = self._oracle.host_at(send.destination)
        if host is not None and host.is_running:
            self._world.network.send(host, datagram, 1, len(datagram), leaves_at)

    def _cast(self, cast: Cast, packets: int, size_bytes: int) -> None:
        """On every path, each time another one first; pages to the group only while somebody hears it."""
        is_page = not isinstance(cast, bytes)
        paths: list[TargetHost | None] = [
            host for index, host in self._routes.items() if not is_page or index in self._copied
        ]
        is_wanted = self._is_group_heard or not is_page
        if is_wanted and not self._world.scenario.is_unicast:
            paths.append(None)
        self._casts += 1
        for at in range(len(paths)):
            host = paths[(at + self._casts) % len(paths)]
            leaves_at = self._occupy(packets, size_bytes)
            self.packets_sent += packets if is_page else 0
            if host is None:
                self._world.network.cast(cast, packets, size_bytes, leaves_at)
            elif host.is_running:
                self._world.network.send(host, cast, packets, size_bytes, leaves_at)

    def _send_page(self, send: SendPage) -> None:
        object, page, mask, tx, _ = send
        is_cached = self._is_cached(object, page)
        count = self._world.packet_count(object, page)
        if mask == 0 or not is_cached:
            mask = (1 << count) - 1
        if not is_cached:
            self._seal(object, page, tx)
        self._touch(object, page)
        if self._world.scenario.compressed_share:
            self.caster.page_compressed(object, page, count, self.clock.now)
        packets = mask.bit_count()
        size = self._world.geometry.slice_bytes
        burst = Burst(object, page, self._generations[object, page], count, mask, tx)
        self._cast(burst, packets, size)
        self.caster.clock.on_left(tx, self.clock.now + self._free_at - self._world.events.now)

    def _send_coded(self, send: SendCoded) -> None:
        """Coded where all terms are at hand and sealed alike; the packets of other combinations go plain."""
        coded: dict[int, list[tuple[tuple[int, int], ...]]] = {}
        plain: dict[int, int] = {}
        for terms in send.combinations:
            generations = {self._generations[send.object, page] for page, _ in terms}
            if len(generations) == 1 and all(self._is_cached(send.object, page) for page, _ in terms):
                coded.setdefault(generations.pop(), []).append(terms)
            else:
                for page, index in terms:
                    plain[page] = plain.get(page, 0) | 1 << index
        size = self._world.geometry.slice_bytes
        for generation, combinations in coded.items():
            burst = CodedBurst(send.object, generation, tuple(combinations), send.tx)
            self._cast(burst, len(combinations), size)
        for page, mask in plain.items():
            self._send_page(SendPage(send.object, page, mask, send.tx))

    def _is_cached(self, object: int, page: int) -> bool:
        return (object, page) in self._cached

    def _touch(self, object: int, page: int) -> None:
        self._cached.pop((object, page), None)
        self._cached[object, page] = None
        if len(self._cached) > self._world.scenario.cached_pages:
            del self._cached[next(iter(self._cached))]

    def _seal(self, object: ObjectKind, page: int, tx: int) -> None:
        """Read a page: files whose end is on it may turn out to have changed, or any if it is read again."""
        generation = self._generations[object, page] = self._generations.get((object, page), -1) + 1
        self._oracle.packets_read_again += self._world.packet_count(object, page) * (generation > 0)
        if generation > self._generation:
            self._generation = generation
            for send in self.caster.announce_reading(generation, tx):
                self._send(send)
        if object not in CONTENTS:
            return
        plan, scenario = self._world.plan, self._world.scenario
        files = plan.files_of(object, page) if generation else plan.files_ending_on(object, page)
        share = scenario.late_void_share if generation else scenario.void_share
        for file in files:
            if file not in self._world.changed and self._rng.random() < share:
                self._world.changed.add(file)
                if self.caster.invalidate_file(file):
                    self._world.void.add(file)
        self._world.spoilt[object, page, generation] = self._world.changed.intersection(plan.files_of(object, page))
        if not generation and scenario.commit_rule is CommitRule.EACH:
            self.caster.mark_read(plan.files_before(object, page + 1))

    def _occupy(self, packets: int, size_bytes: int) -> float:
        """When packets that are sent now have left by the uplink."""
        if self._world.processors is not None:
            is_message = packets == 1 and size_bytes != self._world.geometry.slice_bytes
            page_s = self._world.scenario.page_cpu_s * packets / self._world.geometry.packets
            self._world.processors.charge(MASTER, self._world.scenario.message_cpu_s if is_message else page_s)
        seconds = packets * max((size_bytes + 66) / self._world.scenario.uplink_bytes_s, self._world.network.gap_s)
        self._free_at = max(self._free_at, self._world.events.now) + seconds
        return self._free_at
