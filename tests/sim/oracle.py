"""Oracle: judges a run by the hosts' own records, never by what the cores believe."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mrsync.protocol.core.events import (
    CasterEvent,
    CatcherEvent,
    CommitGranted,
    ComparisonFinished,
    FilesChanged,
    FinishGranted,
    ObjectHeld,
    SessionEnded,
    TargetEnded,
    Withdrawn,
)
from mrsync.protocol.core.sends import SendCoded, SendPage
from mrsync.protocol.core.states import RosterState
from mrsync.ranges import RangeSet
from mrsync.wire.messages import Ending, ObjectKind, Report, Status
from tests.sim.commits import CommitOracle
from tests.sim.plan import CONTENTS
from tests.sim.reception import Violation, bits

if TYPE_CHECKING:
    from mrsync.protocol.caster import Caster
    from mrsync.protocol.targets.roster import Target
    from tests.sim.target import TargetHost
    from tests.sim.world import Address, World


class Oracle:
    """Raises Violation as soon as something is said, granted, committed or sent that must not be."""

    def __init__(self, world: World) -> None:
        self.hosts: dict[Address, TargetHost] = {}
        self.commits = CommitOracle(world, self.hosts)
        self.caster: Caster
        self.packets_first = 0
        self.pages_unwanted = 0  # of the contents, cast though nobody wanted them
        self.packets_repaired = 0
        self.packets_wasted = 0  # repairs that nobody missed
        self.packets_coded = 0
        self.packets_read_again = 0  # they go out whole, though some of them may be planned once more as well
        self.hop_first = self.hop_repaired = self.hop_wasted = 0  # packets
        self.peers_changed = 0
        self._passed_on: set[tuple[Address, tuple[int, int]]] = set()
        self.reports = 0
        self.reports_by_second: Counter[int] = Counter()
        self.bursts_by_second: Counter[int] = Counter()
        self.outcomes: Counter[int] = Counter()
        self._world = world
        self._next_page = dict.fromkeys(ObjectKind, 0)  # behind the last first send

    def host_at(self, address: Address) -> TargetHost | None:
        """The process there; none at the address of a stranger."""
        return self.hosts.get(address)

    def watch(self, caster: Caster) -> None:
        self.caster = self.commits.caster = caster

    def judge_route(self, target: Target, address: Address) -> None:
        """Pages go to nobody who has not asked for them."""
        if self.hosts.get(address) is not self.commits.host_of(target):
            raise Violation(f"what {target.name} is to get is sent to {address}")

    # what catchers say and do

    def judge_flip(self, bad: int) -> None:
        if bad:
            raise Violation("a control message with a turned bit was believed")

    def judge_report(self, host: TargetHost, report: Report) -> None:
        """I1: what a catcher says it holds, it truly holds."""
        self._judge_held(host, report.active, report.frontier)
        for file in range(host.judged_ready, report.ready):
            if not self.commits.is_staged(host, file):
                raise Violation(f"{host.address} says that {report.ready} files are ready, but {file} is not")
        host.judged_ready = max(host.judged_ready, report.ready)

    def judge_event(self, host: TargetHost, event: CatcherEvent) -> None:
        if isinstance(event, ObjectHeld):
            self._judge_held(host, event.object, self._world.page_count(event.object))
        elif isinstance(event, FinishGranted):
            if len(self.commits.granted) < len(self._world.plan.files):
                raise Violation("finishing before every file was granted")
        elif isinstance(event, SessionEnded):
            self._judge_ending(host, event)
        elif isinstance(event, CommitGranted):
            self.commits.judge_grant(host, event)
        elif isinstance(event, Withdrawn):
            self.commits.judge_withdrawn(host)

    def _judge_held(self, host: TargetHost, object: ObjectKind, end: int) -> None:
        known = host.judged.get(object, 0)
        if end <= known:
            return
        host.judged[object] = end
        wanted = RangeSet([(0, self._world.page_count(object))])
        if object in CONTENTS:
            plan = self._world.plan
            wanted = RangeSet(plan.pages_of(file) for file in host.storage.left if plan.object_of(file) is object)
        for first, behind in wanted.clipped(known, end):
            for page in range(first, behind):
                if (object, page) not in host.written:
                    raise Violation(
                        f"{host.address} says that it holds {end} pages of {object!r}, but {page} is missing"
                    )

    def _judge_ending(self, host: TargetHost, event: SessionEnded) -> None:
        if event.ending is Ending.DONE and not host.storage.is_finished:
            raise Violation(f"{host.address} is done before it has finished")

    # what the caster does

    def judge_caster_event(self, event: CasterEvent) -> None:
        if isinstance(event, TargetEnded):
            self.outcomes[event.target] += 1
            target = self.caster.roster.find(event.target)
            assert target is not None
            if target.state is RosterState.DONE and not self.commits.host_of(target).storage.is_finished:
                raise Violation(f"{target.name} counts as done, but is not")
        elif isinstance(event, ComparisonFinished):
            needs = RangeSet()
            for host in self.commits.live_hosts():
                needs.update(host.storage.needs)
            if needs != event.needs:
                raise Violation("the union of needs is not what the targets need")
        elif isinstance(event, FilesChanged):
            self.commits.judge_changed(event.files)

    def judge_status(self, status: Status) -> None:
        for object, state in zip(ObjectKind, status.objects, strict=True):
            self._judge_skipped(object, state.pages_sent)
        self.commits.judge_status(status)

    def count_report(self) -> None:
        self.reports += 1
        self.reports_by_second[int(self._world.events.now)] += 1

    def judge_page(self, send: SendPage) -> None:
        """Count first sends, repairs, and repairs that nobody misses."""
        self.bursts_by_second[int(self._world.events.now)] += 1
        count = self._world.packet_count(send.object, send.page)
        mask = send.mask or (1 << count) - 1
        if send.page >= self._next_page[send.object]:
            self._judge_skipped(send.object, send.page)
            is_invented = self._world.scenario.has_relays and self._world.scenario.forgeries_s > 0  # a head asks for it
            if send.mask and not is_invented:
                raise Violation(f"page {send.page} is sent for the first time, but not all of it")
            self._next_page[send.object] = send.page + 1
            self.packets_first += count
            self.pages_unwanted += send.object == ObjectKind.CONTENTS and not self._is_wanted(send.object, send.page)
            return
        self.packets_repaired += mask.bit_count()
        self.packets_wasted += sum(not self._is_missed(send.object, send.page, index) for index in bits(mask))

    def _judge_skipped(self, object: ObjectKind, end: int) -> None:
        """Pages of the contents may be left out if no live target wants them."""
        for page in range(self._next_page[object], end):
            if object is not ObjectKind.CONTENTS or self._is_wanted(object, page):
                raise Violation(f"page {end} of {object!r} comes before page {page}")

    def _is_wanted(self, object: ObjectKind, page: int) -> bool:
        return any((object, page) in host.storage.wanted for host in self.commits.live_hosts())

    def judge_hop(self, children: list[TargetHost], send: SendPage, mask: int) -> None:
        """Count what relays send, and what of it is sent again to children that do not miss it."""
        key = (int(send.object), send.page)
        places = {(child.address, key) for child in children}
        if not places or places - self._passed_on:
            self.hop_first += mask.bit_count()
            self._passed_on |= places
            return
        self.hop_repaired += mask.bit_count()
        self.hop_wasted += sum(not any(child.misses(key, index) for child in children) for index in bits(mask))

    def judge_coded(self, send: SendCoded) -> None:
        self.bursts_by_second[int(self._world.events.now)] += 1
        self.packets_repaired += len(send.combinations)
        self.packets_coded += len(send.combinations)
        for terms in send.combinations:
            if len(terms) < 2:
                raise Violation("a coded packet of one term")
            self.packets_wasted += not any(self._is_missed(send.object, *term) for term in terms)

    def _is_missed(self, object: ObjectKind, page: int, index: int) -> bool:
        files = self._world.plan.files_of(object, page) if object in CONTENTS else []
        return any(
            host.misses((object, page), index)
            and (object not in CONTENTS or any(file in host.storage.left for file in files))
            for host in self.commits.live_hosts()
        )
