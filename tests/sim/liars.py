"""Liars: a target that has its own key, and says what it likes in its reports, its log and its hops.

    python -m tests.sim.liars [FIRST [COUNT]]

Others must get what they would get without it: it may slow the session down, and lie about itself.
"""

from __future__ import annotations

import random
import struct
import sys
from dataclasses import replace
from typing import Any

from mrsync.protocol.core.events import ComparisonFinished, TargetEnded
from mrsync.protocol.core.sends import CatcherSend, SendCoded, SendKnock, SendPage, SendToPeer
from mrsync.protocol.core.states import RosterState
from mrsync.wire.messages import Claim, Feed, Hello, Hop, Message, ObjectKind, Report
from mrsync.wire.records import (
    BasisRecord,
    ChangesRecord,
    ComparedRecord,
    DeletionsRecord,
    ErrorRecord,
    FailedRecord,
    LogRecord,
    NeedsRecord,
    ResultRecord,
    SatOutRecord,
    WantsRecord,
)
from tests.sim.commits import CommitOracle
from tests.sim.drawing import draw, draw_relays
from tests.sim.master import MasterHost
from tests.sim.oracle import Oracle
from tests.sim.reception import Violation
from tests.sim.scenario import Fate, Scenario, TargetScenario
from tests.sim.simulation import Result, Simulation
from tests.sim.target import TargetHost
from tests.sim.world import World

LIAR = 0
IDLE_SHARE = 0.1  # of liars: they say that nothing came, that they are at work, and pass nothing on
NOTHING: dict[str, Any] = {"frontier": 0, "needs_first": 0, "needs_end": 0, "needs": ()}
NUMBERS = (0, 1, 2, 9, 50, 5000, 65535, 1 << 20, (1 << 26) + 1, (1 << 31) + 5, (1 << 32) - 1)
REPORT_FIELDS = sorted(
    set(Report._fields) - {"target", "instance", "log_bytes", "needs", "active"}
)  # the same in each run
HOP_FIELDS = ("number", "pages_forwarded", "packets_repaired", "pages_waiting", "window_bursts", "counter")
FEED_FIELDS = ("tx", "pages_sent", "report_pages", "counter")
CLAIM_FIELDS = (
    *("tx_seen", "tx_done", "hold_us", "frontier", "buffer_bytes", "kernel_drops"),
    *("needs_end", "ended_tx", "ended_hold_us", "packets_marked", "counter"),
)
HELLO_FIELDS = ("buffer_bytes", "retained_pages", "group_bytes", "unicast_bytes", "token", "counter", "seals")


class LyingHost(TargetHost):
    """How much it lies, and about what, is drawn for each run; what it does is right."""

    def __init__(self, index: int, incarnation: int, world: World, oracle: Oracle) -> None:
        chance = self.chance = random.Random(f"liar {world.scenario.seed}")
        self.share = chance.choice((0.01, 0.1, 0.5, 1.0))
        self.record_share = chance.choice((0.0, 0.0, 0.01, 0.1))
        fields = [*REPORT_FIELDS, "active", "needs"]
        self.fields = chance.sample(fields, chance.choice((1, 2, 4, len(fields))))
        self.is_idle = random.Random(f"idle {world.scenario.seed}").random() < IDLE_SHARE
        super().__init__(index, incarnation, world, oracle)

    def _answer(self, send: CatcherSend) -> None:
        if isinstance(send, (SendToPeer, SendPage, SendKnock, SendCoded)):
            super()._answer(send)
            return
        message: Message = send.message
        if isinstance(message, Report) and self.chance.random() < self.record_share and self.is_running:
            self.lie_in_log()
        if self.is_idle and isinstance(message, Report):
            message = message._replace(active=ObjectKind.MANIFEST, **NOTHING, activity=message.counter)
        elif self.chance.random() < self.share:
            message = self.bent(message)
        assert self._codec is not None
        try:
            datagram = self._codec.encode(message)
        except (ValueError, struct.error):
            return  # the wire has no room for that
        if self.is_heard:
            self._world.answer(self.index, self.address, datagram)

    def _send_hop(self, send: SendToPeer | SendPage) -> None:
        if self.is_idle and isinstance(send, SendPage):
            self.catcher.relaying.on_left(send.tx, self.clock.now)
            return
        if isinstance(send, SendToPeer) and self.chance.random() < self.share:
            message = self.bent(send.message)
            assert isinstance(message, (Feed, Claim))
            assert self._codec is not None
            send = send._replace(message=message)
            try:
                self._codec.encode(send.message)
            except (ValueError, struct.error):
                return  # the wire has no room for that
        super()._send_hop(send)

    def number(self) -> int:
        """Return a number that may mean something, or be beyond everything."""
        chance = self.chance
        return chance.choice((*NUMBERS, chance.randrange(100), chance.randrange(5000)))

    def bent(self, message: Message) -> Message:
        """Return a message with one lie or several."""
        chance = self.chance
        lies: dict[str, Any] = {}
        if isinstance(message, Hop):
            lies[chance.choice(HOP_FIELDS)] = self.number()
            return message._replace(**lies)
        if isinstance(message, (Claim, Feed)):
            field = chance.choice(CLAIM_FIELDS if isinstance(message, Claim) else FEED_FIELDS)
            lies[field] = self.number()
            if isinstance(message, Claim) and field == "needs_end":
                lies["needs"] = tuple((message.needs_first + 3 * at, 2, 0) for at in range(50))
            return message._replace(**lies)
        if isinstance(message, Hello):
            lies[chance.choice(HELLO_FIELDS)] = min(self.number(), 65535)
            return message._replace(**lies)
        if not isinstance(message, Report):
            return message
        for field in chance.sample(self.fields, chance.randint(1, len(self.fields))):
            if field == "active":
                lies[field] = chance.choice(list(ObjectKind))
            elif field == "needs":
                first = self.number()
                count = chance.choice((1, 2, 50))
                lies |= {"needs_first": first, "needs_end": (1 << 32) - 1}
                lies[field] = tuple((first + 3 * at, chance.randint(1, 2), 0) for at in range(count))
            elif field == "counter":
                lies[field] = message.counter + chance.choice((-5, 0, 1, 100))
            else:
                lies[field] = self.number()
        if lies.get("log_end", message.log_end) < message.log_offset + len(message.log_bytes):
            lies["log_end"] = 1 << 20
        return message._replace(**lies)

    def lie_in_log(self) -> None:
        """Append a record that does not belong there."""
        chance, number = self.chance, self.number
        first, end = sorted((number(), number()))
        pairs = []
        at = first
        for _ in range(chance.choice((0, 1, 3, 400))):
            low = at + chance.randrange(3)
            at = low + 1 + chance.choice((0, 0, 1, 1000))
            if at > end:
                break
            pairs.append((low, at))
        ranges = tuple(pairs)
        records: list[LogRecord] = [
            NeedsRecord(first, end, ranges),
            WantsRecord(first, end, ranges),
            BasisRecord(first, end, ranges),
            ComparedRecord(number(), number(), number()),
            SatOutRecord(number(), min(number(), 65535)),
            ErrorRecord(min(number(), 65535), chance.randbytes(20), "a\x1b[2Jb"),
            ResultRecord(1, 1, 1, 1, 1, number(), 0, 0),
            ChangesRecord(chance.randbytes(20)),
            DeletionsRecord(chance.randbytes(20)),
        ]
        if chance.random() < 0.02:
            records.append(FailedRecord("x"))
        record = chance.choice(records)
        self.catcher.log(record, self.clock.now)


class Unbelieving(Oracle):
    """Judges nothing that a liar says of itself."""

    def judge_report(self, host: TargetHost, report: Report) -> None:
        if host.index != LIAR:
            super().judge_report(host, report)

    def judge_caster_event(self, event: Any) -> None:
        if isinstance(event, TargetEnded) and event.target == LIAR:
            self.outcomes[event.target] += 1
        elif not isinstance(event, ComparisonFinished):
            super().judge_caster_event(event)

    def judge_route(self, target: Any, address: Any) -> None:
        if target.id != LIAR:
            super().judge_route(target, address)

    def judge_event(self, host: TargetHost, event: Any) -> None:
        if host.index != LIAR:
            super().judge_event(host, event)

    def judge_page(self, send: SendPage) -> None:
        """Economy is not judged."""

    def judge_coded(self, send: Any) -> None:
        """Nor here."""

    def _judge_skipped(self, object: ObjectKind, end: int) -> None:
        """Nor here."""

    def judge_hop(self, child: Any, send: Any, mask: int) -> None:
        """Nor here."""


class HonestCommits(CommitOracle):
    """Judges what is granted by those who do not lie."""

    def live_hosts(self) -> list[TargetHost]:
        return [host for host in super().live_hosts() if host.index != LIAR]

    def _judge_flip(self, end: int) -> None:
        """A liar counts as there, whatever it has."""
        if all(self.is_staged(host, file) for host in self.live_hosts() for file in range(len(self._world.plan.files))):
            return
        raise Violation("all flip before every file is everywhere")

    def judge_veto(self) -> None:
        """A liar may give any reason."""


class Trial(Simulation):
    """A simulation whose first target lies."""

    liar = LyingHost

    def __init__(self, scenario: Scenario, limit_s: float = 600.0) -> None:
        self.scenario = scenario
        self.world = World(scenario, limit_s)
        self.oracle = Unbelieving(self.world)
        self.oracle.commits = HonestCommits(self.world, self.oracle.hosts)
        self.master = MasterHost(self.world, self.oracle)
        self.oracle.watch(self.master.caster)
        self._packets_before = 0
        self._plan_fates()

    def _start(self, index: int) -> None:
        if index != LIAR:
            super()._start(index)
            return
        host = self.liar(index, 0, self.world, self.oracle)
        self.oracle.hosts[host.address] = host

    def _judge_outcomes(self, result: Result) -> None:
        for target, scenario in zip(self.master.caster.roster, self.scenario.targets, strict=True):
            if self.oracle.outcomes[target.id] != 1:
                raise Violation(f"{target.name} has {self.oracle.outcomes[target.id]} outcomes and is {target.state}")
            if target.id == LIAR:
                continue
            if (
                self.scenario.must_survive(scenario)
                and target.state is not RosterState.DONE
                and not self.master.caster.abort_reason
            ):
                raise Violation(f"{target.name} was {scenario.fate.name}, but is {target.state}: {target.reason}")
            if target.state is RosterState.DONE:
                self._judge_done(self.oracle.commits.host_of(target))

    def _judge_economy(self, result: Result) -> None:
        """A liar may ask for everything."""


def scenario_of(seed: int) -> Scenario:
    """Return what is drawn for a seed, with a liar among the targets and nobody else who harms the others."""
    drawn = (draw_relays if seed % 3 == 0 else draw)(seed)
    honest = tuple(
        replace(target, fate=Fate.HEALTHY) if target.fate not in (Fate.HEALTHY, Fate.LATE, Fate.STOPPED) else target
        for target in drawn.targets
    )
    liar = TargetScenario() if honest[0].path_bytes < 1000 else replace(honest[0], fate=Fate.HEALTHY)
    others = honest[1:] or (TargetScenario(),)
    return replace(
        drawn,
        targets=(liar, *others),
        forgeries_s=0.0,
        abort_at_s=None,
        caster_dies_at_s=None,
        quit_on_bad=False,
    )


def main() -> int:
    first, count = map(int, [*sys.argv[1:], "100"][:2] if len(sys.argv) > 1 else (0, 100))
    failed = 0
    for seed in range(first, first + count):
        try:
            Trial(scenario_of(seed)).run()
        except (Violation, RuntimeError) as error:
            failed += 1
            print(f"seed {seed}: {error!r}", flush=True)
    print(f"{failed} of {count} seeds failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
