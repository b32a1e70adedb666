"""What the doctor observed about each target, for the diagnosis and for readers of its JSON."""

from __future__ import annotations

from mrsync.protocol.core.histogram import Histogram
from mrsync.run.measure.facts import DiskFacts, HostCounters, HostFacts
from mrsync.tuples import NamedTuple


class Share(NamedTuple):
    """Counts of one kind of ping: sent, received there (by the probe's own words), and echoed back over the network."""

    sent: int = 0
    heard: int = 0
    echoed: int = 0


class Throughput(NamedTuple):
    """Pages cast at a rate: what was sent and what arrived. Seconds are from the first packet to the last."""

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
    """All observations about one target."""

    host: str
    reason: str | None = None  # why its probe failed; None if it did not
    facts: HostFacts | None = None
    disk: DiskFacts | None = None
    counters: HostCounters = HostCounters()
    group: Share = Share()
    port: Share = Share()
    own: Share = Share()
    elsewhere: str = ""  # an interface of it that received the group, although catchers do not listen there
    ttl_needed: int = 0  # smallest larger TTL that worked; 0: none was tried, or none worked
    heard_from: str = ""  # interface of the master that worked although the group is not cast on it
    is_unasked_heard: bool = True  # whether packets arrived from a port of it to which we sent nothing
    routers: int = 0  # routers on the way of unicast packets
    unreached: tuple[str, ...] = ()  # other targets that packets of this one do not get to
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
        """Whether something arrived there, but no echo arrived here."""
        heard = self.group.heard + self.port.heard + self.own.heard
        return heard > 0 and self.group.echoed + self.port.echoed + self.own.echoed == 0


class Setting(NamedTuple):
    """Facts of an examination that are the same for all targets."""

    group: str
    port: int
    ttl: int
    interfaces: str  # the master's that the group is cast on, separated by commas
    is_everyone_mute: bool = False
    is_everyone_deaf: bool = False
    rate_bytes_s: float = 0.0
