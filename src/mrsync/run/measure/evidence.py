"""What the doctor saw of each target, for the diagnosis and for programs that read its JSON."""

from __future__ import annotations

from typing import NamedTuple

from mrsync.protocol.histogram import Histogram
from mrsync.run.measure.facts import DiskFacts, HostCounters, HostFacts


class Share(NamedTuple):
    """Of one kind of ping: sent, heard there (as the remote shell tells), echoed to here over the network."""

    sent: int = 0
    heard: int = 0
    echoed: int = 0


class Throughput(NamedTuple):
    """Of pages cast at a rate: what left, what arrived; seconds from the first packet to the last."""

    packets_sent: int = 0
    packets: int = 0
    seconds_sent: float = 0.0
    seconds: float = 0.0
    bytes: int = 0

    @property
    def loss(self) -> float:
        return max(0.0, 1 - self.packets / self.packets_sent) if self.packets_sent else 0.0

    @property
    def rate_bytes_s(self) -> float:
        return self.bytes / self.seconds if self.seconds > 0 else 0.0


class Evidence(NamedTuple):
    """All that was seen of one target."""

    host: str
    reason: str | None = None  # why its probe did not run to the end
    facts: HostFacts | None = None
    disk: DiskFacts | None = None
    counters: HostCounters = HostCounters()
    group: Share = Share()
    port: Share = Share()
    own: Share = Share()
    elsewhere: str = ""  # its interface where the group was heard, and not where it listens
    ttl_needed: int = 0  # 0: none that was tried got there
    heard_from: str = ""  # interface of the master that the group is not cast on, and from where it was heard
    is_unasked_heard: bool = True  # whether what it sent from a port that nothing was sent to came in here
    routers: int = 0  # between, as unicast passes them
    mtu_sent: int = 0  # bytes of the largest packets tried
    mtu_passed: int = 0
    slow: Throughput = Throughput()
    fast: Throughput = Throughput()
    round_trips: Histogram = Histogram()
    clock_offset_s: float | None = None

    @property
    def is_deaf(self) -> bool:
        return self.group.sent > 0 and self.group.heard == 0

    @property
    def is_mute(self) -> bool:
        """Something came in there, but no echo from there."""
        heard = self.group.heard + self.port.heard + self.own.heard
        return heard > 0 and self.group.echoed + self.port.echoed + self.own.echoed == 0


class Setting(NamedTuple):
    """What all targets have in common."""

    group: str
    port: int
    ttl: int
    interfaces: str  # the master's, that the group is cast on
    is_everyone_mute: bool = False
    rate_bytes_s: float = 0.0
