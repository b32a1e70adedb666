"""Trials: which pings were sent why, and what each target heard and echoed of them."""

from __future__ import annotations

from typing import NamedTuple

from mrsync.run.measure.evidence import Share
from mrsync.run.measure.facts import SIZES, Heard
from mrsync.wire.messages import Echo, Kind, Way


class Trial(NamedTuple):
    """Why a ping was sent."""

    way: Way
    ttl: int = 0  # 0: that of the session
    interface: str = ""  # of the master; empty: those of the session
    target: int = -1  # -1: the group


GROUP = Trial(Way.GROUP)


class Trials:
    """A ping counts as heard when the target's probe said so, over the remote shell; as echoed when its echo came."""

    def __init__(self, target_count: int) -> None:
        self._sent: dict[Trial, set[int]] = {}
        self._heard: list[set[tuple[int, int]]] = [set() for _ in range(target_count)]  # way, number
        self._echoed: list[set[tuple[int, int]]] = [set() for _ in range(target_count)]
        self._elsewhere: list[str] = [""] * target_count
        self._ttls: list[int] = [0] * target_count
        self._sizes: list[set[int]] = [set() for _ in range(target_count)]
        self._sizes_sent: set[int] = set()

    def on_sent(self, trial: Trial, number: int) -> None:
        """A ping of this trial left."""
        self._sent.setdefault(trial, set()).add(number)

    def on_heard(self, target: int, heard: Heard) -> None:
        """A target's probe tells of a ping or a page."""
        if heard.kind == Kind.PAGE:
            if heard.generation == SIZES and not heard.interface:
                self._sizes[target].add(heard.number)
        elif heard.interface:
            self._elsewhere[target] = heard.interface
        else:
            self._heard[target].add((heard.way, heard.number))
            if heard.way != Way.GROUP:
                self._ttls[target] = max(self._ttls[target], heard.ttl)

    def on_echo(self, target: int, echo: Echo) -> None:
        """An echo came; it may be faster than the probe's own words."""
        if echo.kind is Kind.PING:
            self._echoed[target].add((echo.way, echo.number))

    def share(self, target: int, trial: Trial) -> Share:
        """What became of the pings of one trial at one target."""
        sent = {(trial.way, number) for number in self._sent.get(trial, ())}
        return Share(len(sent), len(sent & self._heard[target]), len(sent & self._echoed[target]))

    def is_unasked_heard(self, target: int) -> bool:
        """Whether an echo came from a port that nothing was ever sent to; True while none came at all."""
        ways = {way for way, _ in self._echoed[target]}
        return not ways or Way.UNASKED in ways

    def elsewhere(self, target: int) -> str:
        """An interface of the target that the group came in on, and is not listened on."""
        return self._elsewhere[target]

    def ttl_needed(self, target: int) -> int:
        """The smallest TTL tried that got there, 0: none did."""
        heard = [trial.ttl for trial in self._sent if trial.ttl and self.share(target, trial).heard]
        return min(heard, default=0)

    def heard_from(self, target: int) -> str:
        """A spare interface of the master that the target hears."""
        return next((t.interface for t in self._sent if t.interface and self.share(target, t).heard), "")

    def routers(self, target: int, ttl_sent: int) -> int:
        """Routers that unicast passes on its way."""
        return max(0, ttl_sent - self._ttls[target]) if self._ttls[target] else 0

    def largest(self, target: int) -> int:
        """The largest packet that came, in bytes; 0: none."""
        return max(self._sizes[target], default=0)

    def on_size_sent(self, size: int) -> None:
        """A page that is one packet of this size left."""
        self._sizes_sent.add(size)

    def next_sizes(self) -> set[int]:
        """What to send next so that every target's largest packet becomes known; empty when it is."""
        wanted = set()
        for sizes in self._sizes:
            below = max(sizes, default=0)
            above = min((size for size in self._sizes_sent if size > below), default=below)
            if below and above - below > 1:
                wanted.add((below + above) // 2)
        return wanted
