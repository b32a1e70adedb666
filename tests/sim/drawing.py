"""Draw scenarios at random: the same seed draws the same scenario, until one more thing is drawn."""

from __future__ import annotations

import random
from dataclasses import replace

from mrsync.protocol.targets.commit_decisions import CommitRule
from mrsync.wire.geometry import Geometry, Step
from mrsync.wire.messages import NetworkShare
from tests.sim.scenario import NARROWEST_BYTES, PACKET_ROOM_BYTES, Fate, Scenario, TargetScenario

QUEUED_BYTES_S_MAX = 1e8  # faster ports have longer queues than a burst
BLOCK_S_MAX = 3.0
STOP_S_MAX = 11.0  # two ack waits are 12 s
DEAF_STOP_S_MAX = 8.0  # a target without multicast hears nothing of the caster before that is known
FATES = tuple(
    fate for fate in Fate if fate not in (Fate.STOPPED, Fate.MUFFLED, Fate.DEPARTED)
)  # these are drawn by themselves
FAULTS = ("loss", "runs", "reports", "flips", "twice", "jitter", "slow", "fate", "held")
GEOMETRIES = (Geometry(1432, 44), Geometry(1432, 8), Geometry(500, 16), Geometry(200, 4), Geometry(1000, 1))
TARGET_COUNTS = (1, 2, 2, 3, 4, 4, 6, 8, 12)
RELAYED_PAGES_MAX = 5000
BURSTS_HEARD_MAX = 1500  # pages times targets: keeps a run at a fraction of a second


def draw(seed: int) -> Scenario:
    """A scenario of moderate size in which about half of all fault kinds are switched off."""
    scenario = _draw_reach(random.Random(f"reach {seed}"), _draw_session(seed))
    scenario = _draw_compression(random.Random(f"compression {seed}"), scenario)
    scenario = _draw_stops(random.Random(f"stops {seed}"), scenario)
    scenario = _draw_lateness(random.Random(f"lateness {seed}"), scenario)
    scenario = _draw_load(random.Random(f"load {seed}"), _draw_share(random.Random(f"share {seed}"), scenario))
    scenario = _draw_ports(random.Random(f"ports {seed}"), scenario)
    return _draw_paths(random.Random(f"paths {seed}"), scenario)


def draw_relays(seed: int) -> Scenario:
    """The same, with targets that pass pages on where that makes sense."""
    hops = _draw_hops(random.Random(f"hops {seed}"), _draw_relays(random.Random(f"relays {seed}"), draw(seed)))
    return _shorten(_draw_guards(random.Random(f"guards {seed}"), hops))


def _shorten(scenario: Scenario) -> Scenario:
    """No more pages than a chain brings to its end in time on the worst links, even if they have to be the smallest."""
    page_bytes = min(
        geometry.page_bytes for geometry in (scenario.geometry, *(step.geometry for step in scenario.smaller))
    )
    share = min(1.0, RELAYED_PAGES_MAX * page_bytes / max(1, sum(scenario.file_bytes)))
    return replace(scenario, file_bytes=tuple(int(size * share) for size in scenario.file_bytes))


def _draw_guards(rng: random.Random, scenario: Scenario) -> Scenario:
    """In a third of all runs, some or all targets have firewalls that let in only answers."""
    share = rng.choice((0.0, 0.0, 0.0, 0.0, 0.5, 1.0))
    return replace(
        scenario, targets=tuple(replace(target, is_guarded=rng.random() < share) for target in scenario.targets)
    )


def draw_islands(seed: int) -> Scenario:
    """The same, in networks whose targets mostly hear each other's multicast."""
    return _draw_islands(random.Random(f"islands {seed}"), draw_relays(seed))


def _draw_session(seed: int) -> Scenario:
    rng = random.Random(seed)
    count = rng.choice(TARGET_COUNTS)
    geometry = rng.choice(GEOMETRIES)
    pages = rng.choice((0, 1, 3, 30, 100, 300))
    targets = _draw_targets(rng, count)
    faults = _Switch(rng, 0.3)
    return Scenario(
        seed=seed,
        geometry=geometry,
        targets=targets,
        manifest_bytes=rng.randint(1, 6 * geometry.page_bytes),
        plan_bytes=rng.randint(1, 3 * geometry.page_bytes),
        file_bytes=_draw_files(rng, min(pages, BURSTS_HEARD_MAX // count) * geometry.page_bytes),
        void_share=faults.draw(0.0, 0.1),
        late_void_share=faults.draw(0.0, 1.0),
        vanish_share=faults.draw(0.0, 1.0),
        commit_rule=rng.choice((CommitRule.FILE, CommitRule.END, CommitRule.EACH, CommitRule.JOB)),
        shared_loss=faults.draw(0.001, 0.05),
        forgeries_s=faults.draw(1, 60),
        has_halves=rng.random() < 0.3,
        are_deaths_noticed=rng.random() < 0.5,
        uplink_bytes_s=rng.choice((1.2e9, 1.2e9, 1e8, 1e7)),
        switch_bytes_s=faults.draw(5e6, 5e7),
        rate_bytes_s=faults.draw(2e6, 2e7) or None,
        cached_pages=rng.choice((200, 2048, 2048)),
        quit_on_bad=rng.random() < 0.05,
        abort_at_s=rng.uniform(0, 1.5) if rng.random() < 0.04 else None,
        caster_dies_at_s=rng.uniform(0, 1.5) if rng.random() < 0.04 else None,
    )


def _draw_reach(rng: random.Random, scenario: Scenario) -> Scenario:
    """In a third of all runs: smaller packets, narrow paths, catchers without a master to ask, no multicast at all."""
    if rng.random() > 0.35:
        return scenario
    full_bytes = scenario.geometry.slice_bytes + PACKET_ROOM_BYTES
    sizes = [size for size in (1100, 700, NARROWEST_BYTES) if size < full_bytes]
    smaller = tuple(Step(size + 28, size, Geometry(size - PACKET_ROOM_BYTES, rng.choice((4, 16)))) for size in sizes)
    is_unicast = rng.random() < 0.15
    has_narrow = rng.random() < 0.5
    targets = [
        replace(
            target,
            path_bytes=rng.choice((65535, 65535, *sizes, 200)) if has_narrow else 65535,
            knows_master=is_unicast or rng.random() < 0.7,
        )
        for target in scenario.targets
    ]
    has_monitor = scenario.rate_bytes_s is None or rng.random() < 0.7
    return replace(scenario, targets=tuple(targets), smaller=smaller, is_unicast=is_unicast, has_monitor=has_monitor)


def _draw_compression(rng: random.Random, scenario: Scenario) -> Scenario:
    """In a fifth of all runs: pages that are compressed."""
    return replace(scenario, compressed_share=rng.choice((0.5, 1.0))) if rng.random() < 0.2 else scenario


def _draw_stops(rng: random.Random, scenario: Scenario) -> Scenario:
    """In a third of all runs: processes that are stopped for a while, or hear no multicast for a while."""
    if rng.random() > 0.35:
        return scenario
    targets = [
        replace(
            target,
            fate=rng.choice((Fate.STOPPED, Fate.STOPPED, Fate.MUFFLED)),
            fate_at_s=rng.uniform(0, 2),
            absence_s=rng.uniform(0.1, 4.5),
        )
        if target.fate is Fate.HEALTHY and rng.random() < 0.3
        else target
        for target in scenario.targets
    ]
    stops = (rng.uniform(0, 2), rng.uniform(0.1, STOP_S_MAX)) if rng.random() < 0.6 else (0.0, 0.0)
    return replace(scenario, targets=tuple(targets), caster_stops=stops)


def _draw_lateness(rng: random.Random, scenario: Scenario) -> Scenario:
    """In a quarter of all runs: targets on busy hosts."""
    if rng.random() > 0.25:
        return scenario
    late_s = rng.choice((0.002, 0.01, 0.05))
    targets = [replace(target, late_share=rng.choice((0.0, 0.05, 0.5)), late_s=late_s) for target in scenario.targets]
    return replace(scenario, targets=tuple(targets))


def _draw_share(rng: random.Random, scenario: Scenario) -> Scenario:
    """Ways to share the network; in a quarter of all runs a TCP connection sends through the same queue for a while."""
    scenario = replace(scenario, share=rng.choice(list(NetworkShare)))
    if rng.random() > 0.25:
        return scenario
    rate = scenario.switch_bytes_s or rng.choice((5e6, 1.25e7, 5e7))
    return replace(
        scenario,
        switch_bytes_s=rate,
        switch_queue_bytes=int(rate * rng.choice((0.005, 0.01, 0.1))),
        rival_rtt_s=rng.choice((0.001, 0.02)),
        rival_ends_s=rng.uniform(0.1, 5),
    )


def _draw_load(rng: random.Random, scenario: Scenario) -> Scenario:
    """In a quarter of all runs: a caster that is slow with reports, or that a slow disk keeps for a while."""
    if rng.random() > 0.25:
        return scenario
    blocks = (rng.uniform(0, 2), rng.uniform(0.05, BLOCK_S_MAX)) if rng.random() < 0.5 else (0.0, 0.0)
    return replace(scenario, report_s=rng.choice((0.0, 0.0002, 0.001)), caster_blocks=blocks)


def _draw_ports(rng: random.Random, scenario: Scenario) -> Scenario:
    """In a fifth of all runs: some targets behind slow ports of the switch, whose queues may be shorter than a page."""
    if rng.random() > 0.2:
        return scenario
    share = rng.choice((0.1, 0.5))
    targets = []
    for target in scenario.targets:
        rate, queue_s = rng.choice((2.5e6, 1.25e7, 5e7)), rng.choice((0.002, 0.01, 0.1))
        is_slow = rng.random() < share
        targets.append(replace(target, port_bytes_s=rate, port_queue_bytes=int(rate * queue_s)) if is_slow else target)
    return replace(scenario, targets=tuple(targets))


def _draw_paths(rng: random.Random, scenario: Scenario) -> Scenario:
    """In a third of all runs: paths that change, mark, police or have bad spells, thin ways back, late departures."""
    if rng.random() > 0.35:
        return scenario
    draw = rng.choice(
        (_draw_turns, _draw_marks, _draw_policer, _draw_spells, _draw_detour, _draw_back, _draw_departure)
    )
    share = rng.choice((0.3, 1.0))
    targets = tuple(draw(rng, target) if rng.random() < share else target for target in scenario.targets)
    has_thin = draw is _draw_back and rng.random() < 0.5
    return replace(scenario, targets=targets, back_bytes_s=rng.choice((1.25e5, 1e6)) if has_thin else 0.0)


def _draw_turns(rng: random.Random, target: TargetScenario) -> TargetScenario:
    port = _draw_marks(rng, target)
    share, turn_s = rng.choice((0.1, 0.5)), rng.choice((0.0, 0.3, 2.0))
    return replace(port, marked_share=0.0, port_share=share, port_turn_s=turn_s, fate_at_s=rng.uniform(0, 2))


def _draw_marks(rng: random.Random, target: TargetScenario) -> TargetScenario:
    rate, queue_s = rng.choice((2.5e6, 1.25e7, 5e7)), rng.choice((0.01, 0.1))
    return replace(target, port_bytes_s=rate, port_queue_bytes=int(rate * queue_s), marked_share=rng.choice((0.2, 0.5)))


def _draw_policer(rng: random.Random, target: TargetScenario) -> TargetScenario:
    rate = rng.choice((2.5e6, 1.25e7, 5e7))
    return replace(target, policer_bytes_s=rate, bucket_bytes=rng.choice((16_000, 64_000, int(rate * 0.1))))


def _draw_spells(rng: random.Random, target: TargetScenario) -> TargetScenario:
    return replace(target, good_s=rng.choice((0.1, 1.0)), bad_s=rng.choice((0.005, 0.02, 0.2)))


def _draw_detour(rng: random.Random, target: TargetScenario) -> TargetScenario:
    return replace(target, detour_s=rng.choice((0.002, 0.01, 0.05)), fate_at_s=rng.uniform(0, 2))


def _draw_back(rng: random.Random, target: TargetScenario) -> TargetScenario:
    return replace(target, back_bytes_s=rng.choice((1.25e4, 1.25e5, 5e5)))


def _draw_departure(rng: random.Random, target: TargetScenario) -> TargetScenario:
    if target.fate is not Fate.HEALTHY:
        return target
    return replace(target, fate=Fate.DEPARTED, departs_share=rng.choice((1.0, rng.random())))


def _draw_relays(rng: random.Random, scenario: Scenario) -> Scenario:
    """Targets pass pages on; some hear no group, reach some others only, or one of them lies."""
    if scenario.is_unicast:
        return scenario
    count, share = len(scenario.targets), rng.choice((0.5, 0.8, 1.0))
    liar, are_open = rng.choice((-1, -1, rng.randrange(count))), rng.random() < 0.7
    targets = [
        replace(
            target,
            is_deaf=target.knows_master and rng.random() < share,
            blocks=() if are_open else tuple(other for other in range(count) if rng.random() < 0.3),
            withholds_share=rng.choice((0.1, 1.0)) if index == liar else 0.0,
            hop_pages_s=rng.choice((20000.0, 20000.0, 500.0)),
        )
        for index, target in enumerate(scenario.targets)
    ]
    at_s, seconds = scenario.caster_stops
    stops = (at_s, min(seconds, DEAF_STOP_S_MAX))
    return replace(
        scenario, targets=tuple(targets), has_relays=True, chains_max=rng.choice((1, 1, 2)), caster_stops=stops
    )


def _draw_islands(rng: random.Random, scenario: Scenario) -> Scenario:
    """Networks of one address range each; some targets hear no other one, or those of another network, too."""
    networks = rng.choice((1, 1, 2, 3))
    has_bridge, are_open = rng.random() < 0.2, rng.random() < 0.8
    targets = []
    for target in scenario.targets:
        network = rng.randrange(networks)
        segment = 0 if has_bridge else network
        is_deaf = target.knows_master if target.is_deaf or network else target.is_deaf
        targets.append(
            replace(
                target, network=network, segment=segment if are_open or rng.random() < 0.7 else None, is_deaf=is_deaf
            )
        )
    return replace(scenario, targets=tuple(targets), has_islands=True)


def _draw_hops(rng: random.Random, scenario: Scenario) -> Scenario:
    """In half of all runs: hosts that get the processor late, or ports with short queues behind them."""
    if not scenario.has_relays or rng.random() < 0.5:
        return scenario
    wakes = rng.choice(((0.0,), (0.002, 0.02), (0.01, 0.05)))
    queue_bytes = rng.choice((0, 100_000, 500_000)) if scenario.uplink_bytes_s <= QUEUED_BYTES_S_MAX else 0
    targets = [replace(target, wake_s=rng.choice(wakes), hop_queue_bytes=queue_bytes) for target in scenario.targets]
    room_bytes = rng.choice((0, 65_000, 262_144)) if queue_bytes else 0
    return replace(scenario, targets=tuple(replace(target, hop_room_bytes=room_bytes) for target in targets))


class _Switch:
    """Draws a rate, or 0 for a fault kind that is off in this run."""

    def __init__(self, rng: random.Random, share: float) -> None:
        self._rng = rng
        self._share = share

    def draw(self, low: float, high: float) -> float:
        rate = self._rng.uniform(low, high)
        return rate if self._rng.random() < self._share else 0.0


def _draw_targets(rng: random.Random, count: int) -> tuple[TargetScenario, ...]:
    is_on = {name: rng.random() < 0.4 for name in FAULTS}
    losses = rng.choice(((0.001, 0.01), (0.01, 0.1), (0.1, 0.25)))
    retained, delay_s = rng.choice((8, 64, 512, 512)), rng.choice((0.00005, 0.0005, 0.005))

    def draw_one() -> TargetScenario:
        jitter_s = rng.uniform(0.0001, 0.003)
        return TargetScenario(
            loss=rng.uniform(*losses) if is_on["loss"] else 0.0,
            loss_run=rng.uniform(1, 20) if is_on["runs"] else 1.0,
            report_loss=rng.uniform(0.01, 0.3) if is_on["reports"] else 0.0,
            corruption=rng.uniform(0.0001, 0.01) if is_on["flips"] else 0.0,
            duplication=rng.uniform(0.001, 0.1) if is_on["twice"] else 0.0,
            delay_s=delay_s * rng.uniform(0.5, 2),
            jitter_s=jitter_s if is_on["jitter"] else 0.0,
            jitter_share=rng.uniform(0.01, 0.3) if is_on["jitter"] else 0.0,
            disk_pages_s=rng.choice((100.0, 1000.0, 20000.0)) if is_on["slow"] else 20000.0,
            packets_s=rng.choice((0.0, 5000.0, 50000.0)) if is_on["slow"] else 0.0,
            buffer_bytes=rng.choice((425984, 2 << 20, 8 << 20)),
            retained_pages=retained,
            need_share=rng.choice((1.0, 1.0, 0.5, 0.0)),
            held_share=rng.choice((0.0, 0.3, 0.7, 1.0)) if is_on["held"] else 0.0,
            holds_beginning=rng.random() < 0.5,
            sit_out_share=rng.choice((0.0, 0.0, 0.05)),
            compare_s=rng.choice((0.01, 0.2, 1.0, 9.0)) * rng.random(),
        )

    targets = [draw_one() for _ in range(count)]
    if is_on["fate"]:
        targets = [_draw_fate(rng, target) for target in targets]
    return tuple(targets)


def _draw_fate(rng: random.Random, target: TargetScenario) -> TargetScenario:
    if rng.random() < 0.6:
        return target
    at_s = rng.choice((0.0, rng.uniform(0, 0.3), rng.uniform(0, 3)))
    return replace(target, fate=rng.choice(FATES), fate_at_s=at_s, absence_s=rng.uniform(0.1, 3.5))


def _draw_files(rng: random.Random, total_bytes: int) -> tuple[int, ...]:
    """Sizes of files that add up to about so many bytes; some are empty."""
    count = rng.choice((0, 1, 2, 10, 60)) if total_bytes else rng.choice((0, 0, 1, 5))
    weights = [rng.choice((0.0, rng.random() ** 4, rng.random())) for _ in range(count)]
    scale = total_bytes / max(sum(weights), 1e-9)
    return tuple(int(weight * scale) for weight in weights)
