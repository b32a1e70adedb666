"""Scenario: everything that is drawn for one run. The same seed draws the same scenario."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import Enum

from mrsync.protocol.targets.commit_decisions import CommitRule
from mrsync.wire.geometry import Geometry, Step
from mrsync.wire.messages import NetworkShare

KNOWN_S = 1.0  # after this time of the master's a target has received a status by multicast, or never will
NARROWEST_BYTES = 300  # smaller datagrams reach everyone
SLACK_S = 1.0  # between the end of one silence and the next sign of life
PACKET_ROOM_BYTES = 54  # for what a packet has besides its slice: a header, and the terms of a coded packet


class Fate(Enum):
    """What happens to a target at `fate_at_s`."""

    HEALTHY = "takes part"
    ABSENT = "never starts"
    LATE = "starts at that time"
    CUT = "neither receives nor reaches anything, for less than the ack wait"
    DEAF = "receives no more multicast"
    PRUNED = "receives no multicast until it joins the group again"
    MUFFLED = "receives no multicast for a while"
    ISOLATED = "receives nothing more, but what it sends arrives"
    MUTE = "receives everything, but what it sends is lost"
    HUNG = "writes nothing more"
    DEAD = "dies silently"
    RESTARTED = "dies silently, and another process takes its place"
    DEPARTED = "dies silently when it has written `departs_share` of the contents"
    STOPPED = "is stopped for less than the ack wait, while its socket keeps what arrives"


SURVIVORS = (Fate.HEALTHY, Fate.CUT, Fate.STOPPED)  # these must finish, whatever happens to the others
UNREACHED = (Fate.CUT, Fate.MUFFLED)  # for a while


@dataclass(frozen=True)
class TargetScenario:
    """One target. Shares are between 0 and 1; loss_run is the mean length of a run of lost packets."""

    fate: Fate = Fate.HEALTHY
    fate_at_s: float = 0.0
    absence_s: float = 1.0  # duration of CUT, MUFFLED, RESTARTED and STOPPED
    loss: float = 0.0
    loss_run: float = 1.0
    report_loss: float = 0.0
    corruption: float = 0.0  # share of packets with a flipped bit
    duplication: float = 0.0
    delay_s: float = 0.0002
    jitter_s: float = 0.0
    jitter_share: float = 0.0  # share of bursts that the jitter delays or splits
    disk_pages_s: float = 20000.0
    packets_s: float = 0.0  # packets per second that the host can receive; 0: any number
    late_share: float = 0.0  # share of its answers that are late, because other programs have the processor
    late_s: float = 0.0  # the longest such delay
    wake_s: float = 0.0  # the longest time until it gets the processor when there is something to do
    buffer_bytes: int = 8 << 20
    retained_pages: int = 512
    need_share: float = 1.0
    held_share: float = 0.0  # share of the pages it needs that it has before the session begins
    holds_beginning: bool = False  # whether these are the first pages; otherwise they are drawn
    sit_out_share: float = 0.0
    compare_s: float = 0.05
    knows_master: bool = True
    is_deaf: bool = False  # receives no multicast from the beginning
    blocks: tuple[int, ...] = ()  # targets from which nothing reaches it
    is_guarded: bool = False  # its firewall lets in only answers: packets from where it has sent something before
    withholds_share: float = 0.0  # share of the pages for its child that it does not send, although it claims to
    hop_pages_s: float = 20000.0  # pages per second that it can pass on
    hop_late_s: float = 0.0  # from when it says that a page of the contents left it until that leaves
    port_bytes_s: float = 0.0  # rate of the switch's port towards it; 0: unlimited
    port_queue_bytes: int = 0
    port_share: float = 1.0  # of the rate of that port, that is left from fate_at_s on
    port_turn_s: float = 0.0  # after which it has its whole rate for as long, and so on; 0: never again
    marked_share: float = 0.0  # of the port's queue; longer ones are told to the target by marks (ECN). 0: none are
    policer_bytes_s: float = 0.0  # rate of a policer, which drops what comes faster; 0: there is none
    bucket_bytes: int = 0  # of the policer
    good_s: float = 0.0  # how long its radio is good on average, between bad spells; 0: it always is
    bad_s: float = 0.0  # how long a bad spell lasts on average
    back_bytes_s: float = 0.0  # rate at which its reports leave; 0: unlimited
    detour_s: float = 0.0  # by which packets are longer on the way, in either direction, from fate_at_s on
    departs_share: float = 1.0
    uplink_share: float = 1.0  # of the rate of its own uplink, that is left from fate_at_s on
    uplink_turn_s: float = 0.0  # after which it has its whole rate for as long, and so on; 0: never again
    hop_queue_bytes: int = 0  # queue of its own uplink, which is as fast as the caster's; 0: there is no limit
    hop_room_bytes: int = 0  # what its socket holds of that, so that it waits before any is dropped; 0: it never waits
    network: int = 0  # the network to which its address belongs
    segment: int | None = None  # targets of a segment receive each other's multicast; None: it shares none
    path_bytes: int = 65535  # the largest datagram that reaches it


@dataclass(frozen=True)
class Scenario:
    """One run; sizes in bytes, times in seconds."""

    seed: int
    geometry: Geometry  # for the largest packets
    targets: tuple[TargetScenario, ...]
    smaller: tuple[Step, ...] = ()  # sizes to try if the largest packets do not reach every target
    is_unicast: bool = False
    has_monitor: bool = True
    is_shedding: bool = False
    first_tx: int = 0  # the tx that a long session has reached before
    has_relays: bool = False
    chains_max: int = 1
    has_islands: bool = False  # relays may multicast in their networks
    manifest_bytes: int = 20000
    plan_bytes: int = 3000
    file_bytes: tuple[int, ...] = ()
    void_share: float = 0.0  # share of files that are found changed when they are read to their end
    compressed_share: float = 0.0  # share of pages that are compressed, so that they need fewer packets
    late_void_share: float = 0.0  # share of the files on a page that are found changed when it is read again
    vanish_share: float = 0.0  # share of the changed files that are gone when they are to be cast again
    commit_rule: CommitRule = CommitRule.FILE
    shared_loss: float = 0.0
    forgeries_s: float = 0.0  # packets with invented headers, and replays, per second
    has_halves: bool = False  # bursts arrive in two parts: reports may come between them
    are_deaths_noticed: bool = False  # whether the launcher notices deaths
    uplink_bytes_s: float = 1.2e9
    switch_bytes_s: float = 0.0  # 0: no bottleneck behind the uplink
    switch_queue_bytes: int = 200_000
    back_bytes_s: float = 0.0  # rate of the link by which all reports come to the caster; 0: unlimited
    rival_rtt_s: float = 0.0  # round trip of a TCP connection through the same queue; 0: there is none
    rival_ends_s: float = math.inf
    share: NetworkShare = NetworkShare.ALL
    processors: int = 0  # that all hosts share; 0: each has enough of its own
    other_programs: int = 0  # that use these processors
    fit_s: float = 0.0  # mean time for which they do so, and then pause; 0: they never pause
    page_cpu_s: float = 0.0006  # of a processor, to read, open and write a page, or to send one
    message_cpu_s: float = 0.0001  # to read or to send a message
    report_s: float = 0.0  # the time in which the caster handles a report and does nothing else
    caster_blocks: tuple[float, float] = (0.0, 0.0)  # when and how long a call blocks it while its clock goes on
    rate_bytes_s: float | None = None
    ack_wait_s: float = 6.0
    cached_pages: int = 2048
    quit_on_bad: bool = False
    abort_at_s: float | None = None
    caster_dies_at_s: float | None = None
    caster_stops: tuple[float, float] = (0.0, 0.0)  # when and how long it stops; shorter than catchers wait for it

    def must_survive(self, target: TargetScenario) -> bool:
        """Whether nothing happens to a target that could keep it from finishing."""
        away_s = sum(seconds for at_s, seconds in (self.caster_stops, self.caster_blocks) if at_s < KNOWN_S)
        is_known = target.knows_master or target.fate_at_s > KNOWN_S + away_s
        is_served = target.fate in SURVIVORS or (target.fate in (Fate.DEAF, Fate.PRUNED, Fate.MUFFLED) and is_known)
        is_in_time = target.fate not in UNREACHED or self._silence_s(target) < 2 * self.ack_wait_s - SLACK_S
        return is_served and is_in_time and target.path_bytes >= NARROWEST_BYTES

    def _silence_s(self, target: TargetScenario) -> float:
        """Return how long a target hears nothing of the caster, which may stop while nothing reaches the target."""
        stops_at_s, stop_s = self.caster_stops
        absence_s = target.absence_s
        begins_s, ends_s = max(stops_at_s, target.fate_at_s), min(stops_at_s + stop_s, target.fate_at_s + absence_s)
        overlap_s = ends_s - begins_s
        return stop_s + absence_s - overlap_s if overlap_s > -SLACK_S else max(stop_s, absence_s)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Sizes of packets, the largest first."""
        full_bytes = self.geometry.slice_bytes + PACKET_ROOM_BYTES
        return (Step(full_bytes + 28, full_bytes, self.geometry), *self.smaller)

    def compressed_count(self, object: int, page: int, count: int) -> int:
        """Return the number of packets of a page that would have `count` of them uncompressed."""
        if not self.compressed_share:
            return count
        rng = random.Random(f"page {self.seed} {object} {page}")
        return rng.randint(1, count) if rng.random() < self.compressed_share else count

    @property
    def is_orderly(self) -> bool:
        """Nothing overtakes anything, and nobody invents anything: each repair must then be missed by someone."""
        has_latecomers = any(target.jitter_share or target.duplication for target in self.targets)
        return self.forgeries_s == 0 and not has_latecomers
