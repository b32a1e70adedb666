"""Simulation: one run of a scenario, from the first hello to the last farewell, and the judgement on its end."""

from __future__ import annotations

from dataclasses import dataclass

from mrsync.protocol.core.states import RosterState
from mrsync.wire.limits import MONITORS_MAX
from mrsync.wire.messages import Ending, Phase
from tests.sim.master import MasterHost
from tests.sim.oracle import Oracle
from tests.sim.reception import Violation
from tests.sim.scenario import Fate, Scenario
from tests.sim.shared_queue import SharedQueue
from tests.sim.strangers import Strangers
from tests.sim.target import TargetHost
from tests.sim.trace import Record, untraced
from tests.sim.world import LIMIT_S, World

REPORTS_EACH_MAX = 250  # per second, beside those of the monitors
REPORTS_ALL_MAX = 4800
UNWANTED_MAX = 64  # pages
NOTICE_S = 0.02  # from a death to what the launcher says of it
FINAL = (RosterState.DONE, RosterState.LOST, RosterState.UNREACHABLE, RosterState.REFUSED)


@dataclass(frozen=True)
class Result:
    """What came of one run."""

    seed: int
    seconds: float
    cast_seconds: float  # until the caster had finished
    held_seconds: float  # until all targets that it did not lose had written everything
    rival_share: float  # of what the switch could carry meanwhile
    steps: int
    phase: Phase
    states: tuple[RosterState, ...]
    packets_lost: int
    packets_in_vain: int
    packets_first: int
    pages_unwanted: int
    packets_repaired: int
    packets_wasted: int
    packets_coded: int
    packets_sent: int  # by the caster, copies counted
    hop_first: int  # packets between targets
    hop_repaired: int
    hop_wasted: int
    peers_changed: int  # times that a target was told of another parent or child
    reports: int
    reports_per_second_max: int


class Simulation:
    """Runs a scenario; raises Violation where the cores break their word, or take more than limit_s of virtual time."""

    def __init__(self, scenario: Scenario, limit_s: float = LIMIT_S, record: Record = untraced) -> None:
        self.scenario = scenario
        self.world = World(scenario, limit_s, record)
        self.oracle = Oracle(self.world)
        self.master = MasterHost(self.world, self.oracle)
        self.oracle.watch(self.master.caster)
        self._packets_before = 0  # sent before a late host came, for each of them
        self._plan_fates()
        if scenario.forgeries_s:
            Strangers(self.world).start()

    def _plan_fates(self) -> None:
        plan, scenario = self.world.events.plan, self.scenario
        for index, target in enumerate(scenario.targets):
            if target.fate is not Fate.ABSENT:
                plan(target.fate_at_s if target.fate is Fate.LATE else 0.0, self._start, index)
            path = self.world.network.paths[index]
            if target.uplink_share < 1:
                plan(target.fate_at_s, self._change_rate, path.way_out, target.uplink_share, target.uplink_turn_s)
            if target.port_share < 1:
                plan(target.fate_at_s, self._change_rate, path.way_in, target.port_share, target.port_turn_s)
            if target.fate not in (Fate.HEALTHY, Fate.ABSENT, Fate.LATE, Fate.DEPARTED):
                plan(target.fate_at_s, self._strike, index)
        if scenario.abort_at_s is not None:
            plan(scenario.abort_at_s, self.master.abort)
        stops_at_s, stop_s = scenario.caster_stops
        if stop_s:
            plan(stops_at_s, self.master.stop, stop_s)
        blocks_at_s, block_s = scenario.caster_blocks
        if block_s:
            plan(blocks_at_s, self.master.block, block_s)
        if scenario.caster_dies_at_s is not None:
            plan(scenario.caster_dies_at_s, self.master.die)

    def _start(self, index: int) -> None:
        self._packets_before += self.oracle.packets_first
        incarnation = sum(address[0] == index for address in self.oracle.hosts)
        host = TargetHost(index, incarnation, self.world, self.oracle)
        self.oracle.hosts[host.address] = host

    def _strike(self, index: int) -> None:
        host, target, now = self.oracle.hosts[index, 0], self.scenario.targets[index], self.world.events.now
        path = self.world.network.paths[index]
        if target.fate is Fate.CUT:
            path.is_cut = True
            self.world.events.plan(now + target.absence_s, self._heal, index)
        elif target.fate in (Fate.DEAF, Fate.PRUNED, Fate.MUFFLED):
            host.hears_group = False
            if target.fate is Fate.MUFFLED:
                self.world.events.plan(now + target.absence_s, self._heal, index)
        elif target.fate is Fate.ISOLATED:
            host.hears_group = host.hears_unicast = False
        elif target.fate is Fate.MUTE:
            host.is_heard = False
        elif target.fate is Fate.STOPPED:
            if host.is_running:
                host.stop(target.absence_s)
        elif target.fate is Fate.HUNG:
            host.is_hung = True
        elif host.is_running:
            host.die()
            if self.scenario.are_deaths_noticed and target.fate is Fate.DEAD:
                self.world.events.plan(now + NOTICE_S, self.master.give_up, index)
            if target.fate is Fate.RESTARTED:
                self.world.events.plan(now + target.absence_s, self._start, index)

    def _change_rate(self, queue: SharedQueue, factor: float, turn_s: float) -> None:
        queue.change_rate(factor)
        if turn_s:
            self.world.events.plan(self.world.events.now + turn_s, self._change_rate, queue, 1 / factor, turn_s)

    def _heal(self, index: int) -> None:
        self.world.network.paths[index].is_cut = False
        self.oracle.hosts[index, 0].hears_group = not self.scenario.is_unicast

    def run(self) -> Result:
        """Go on until caster and catchers are through, and judge the end."""
        if not self.world.events.run(self._is_over):
            raise Violation(f"no end after {self.world.events.now:g} s and {self.world.events.steps} steps")
        result = self._result()
        if not self.master.is_dead:
            self._judge_outcomes(result)
            self.oracle.commits.judge_veto()
            self._judge_economy(result)
        return result

    def _is_over(self) -> bool:
        master = self.master
        return (master.is_dead or master.is_finished) and not any(
            host.is_running for host in self.oracle.hosts.values()
        )

    def _result(self) -> Result:
        oracle = self.oracle
        return Result(
            seed=self.scenario.seed,
            seconds=self.world.events.now,
            cast_seconds=self.master.finished_at,
            held_seconds=self._held_at(),
            rival_share=self._rival_share(),
            steps=self.world.events.steps,
            phase=self.master.caster.phase,
            states=tuple(target.state for target in self.master.caster.roster),
            packets_lost=self.world.network.packets_lost,
            packets_in_vain=self._packets_before
            + sum(host.reception.packets_in_vain for host in oracle.hosts.values()),
            packets_first=oracle.packets_first,
            pages_unwanted=oracle.pages_unwanted,
            packets_repaired=oracle.packets_repaired,
            packets_wasted=oracle.packets_wasted,
            packets_coded=oracle.packets_coded,
            packets_sent=self.master.packets_sent,
            hop_first=oracle.hop_first,
            hop_repaired=oracle.hop_repaired,
            hop_wasted=oracle.hop_wasted,
            peers_changed=oracle.peers_changed,
            reports=oracle.reports,
            reports_per_second_max=max(oracle.reports_by_second.values(), default=0),
        )

    def _held_at(self) -> float:
        done = [target for target in self.master.caster.roster if target.state is RosterState.DONE]
        return max((self.oracle.commits.host_of(target).wrote_at for target in done), default=0.0)

    def _rival_share(self) -> float:
        carried = self.scenario.switch_bytes_s * self.world.events.now
        return self.world.network.switch.rival_bytes / carried if carried else 0.0

    def _judge_outcomes(self, result: Result) -> None:
        """I4: exactly one outcome for every target, and the right one for those that nothing befell."""
        is_whole = not self.scenario.quit_on_bad and self.scenario.abort_at_s is None
        for target, scenario in zip(self.master.caster.roster, self.scenario.targets, strict=True):
            if self.oracle.outcomes[target.id] != 1 or target.state not in FINAL:
                raise Violation(f"{target.name} has {self.oracle.outcomes[target.id]} outcomes and is {target.state}")
            if is_whole and self.scenario.must_survive(scenario) and target.state is not RosterState.DONE:
                raise Violation(f"{target.name} was {scenario.fate.name}, but is {target.state}: {target.reason}")
            if target.state is RosterState.DONE:
                self._judge_done(self.oracle.commits.host_of(target))
        if is_whole and (result.phase is Phase.DONE) != (RosterState.DONE in result.states):
            raise Violation(f"the session ended as {result.phase!r} with {result.states}")

    def _judge_done(self, host: TargetHost) -> None:
        address = host.address
        self.oracle.commits.judge_done(host)
        if host.ending is not None and host.ending.ending is not Ending.DONE and self.is_lossless(address[0]):
            raise Violation(f"{address} is done, but believes that it is {host.ending}")

    def is_lossless(self, index: int) -> bool:
        """Whether this target surely heard the last farewell."""
        target, scenario = self.scenario.targets[index], self.scenario
        losses = (target.loss, target.corruption, scenario.shared_loss)
        rates = (*losses, target.packets_s, target.port_bytes_s, target.policer_bytes_s, target.good_s)
        if scenario.forgeries_s:  # it may have gone to where an answer was sent from that was stolen
            return False
        return target.fate is Fate.HEALTHY and not any((*rates, scenario.switch_bytes_s))

    def _judge_economy(self, result: Result) -> None:
        """I3, I5: nobody sends again what nobody misses, nor asks or answers more often than it helps."""
        count = len(self.scenario.targets)
        repaired, missed = result.packets_repaired, result.packets_lost + result.packets_in_vain
        mistaken = 0
        if not self.scenario.is_orderly:  # what is late looks lost
            mistaken = result.packets_first // 2 + 8 * self.scenario.geometry.packets
        is_rerouted = self.scenario.has_relays and self.master.late_reroutes > 0
        if is_rerouted or len(self.master.reroutes) > count:  # what was claimed here comes from a relay, or from there
            mistaken = repaired
        if self.scenario.has_relays:  # what one that falls has taken with it was lost to those behind it
            mistaken += result.packets_first * sum(target.fate is not Fate.HEALTHY for target in self.scenario.targets)
            mistaken += repaired // 100  # what a head fetched for those behind it may get there another way
        if self.scenario.forgeries_s:  # invented packets can make anything look lost
            mistaken = repaired
        if result.packets_wasted > mistaken + self.oracle.packets_read_again:
            raise Violation(f"{result.packets_wasted} of {repaired} repairs were missed by nobody")
        if repaired > missed + mistaken:
            raise Violation(f"{repaired} packets repaired, but only {missed} were missed")
        fallen = sum(state is not RosterState.DONE for state in result.states)
        is_invented = self.scenario.has_relays and self.scenario.forgeries_s > 0  # a head asks for it
        if not is_invented and result.pages_unwanted > UNWANTED_MAX * fallen:  # what was on its way out when one fell
            raise Violation(f"{result.pages_unwanted} pages were cast though nobody wanted them")
        for second, reports in self.oracle.reports_by_second.items():
            bursts = sum(self.oracle.bursts_by_second[at] for at in (second - 1, second))
            if reports > min(REPORTS_EACH_MAX * count, REPORTS_ALL_MAX) + MONITORS_MAX * bursts:
                raise Violation(f"{reports} reports of {count} targets in one second, with {bursts} bursts")
