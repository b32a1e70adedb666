"""Record which pings were sent for which trial, and which of them each target received and echoed."""

from __future__ import annotations

from mrsync.run.measure.evidence import Share
from mrsync.run.measure.facts import SIZES, Heard
from mrsync.tuples import NamedTuple
from mrsync.wire.messages import Echo, Kind, Way


class Trial(NamedTuple):
    """The purpose of a ping: the path or setting that it tests."""

    way: Way
    ttl: int = 0  # 0: the TTL of the session
    interface: str = ""  # the master's; empty: those of the session
    target: int = -1  # -1: sent to the group


GROUP = Trial(Way.GROUP)


class Trials:
    """The log of all trials.

    A ping counts as heard if the target's probe reported it over the remote shell, and as echoed if its echo arrived.
    """

    def __init__(self, target_count: int) -> None:
        self._sent: dict[Trial, set[int]] = {}
        self._heard: list[set[tuple[int, int]]] = [set() for _ in range(target_count)]  # way, number
        self._echoed: list[set[tuple[int, int]]] = [set() for _ in range(target_count)]
        self._elsewhere: list[str] = [""] * target_count
        self._ttls: list[int] = [0] * target_count
        self._sizes: list[set[int]] = [set() for _ in range(target_count)]
        self._sizes_sent: set[int] = set()

    def on_sent(self, trial: Trial, number: int) -> None:
        """Note that a ping of this trial was sent."""
        self._sent.setdefault(trial, set()).add(number)

    def on_received(self, target: int, heard: Heard) -> None:
        """Note a ping or page that a target's probe has reported."""
        if heard.kind == Kind.PAGE:
            if heard.series == SIZES and not heard.interface:
                self._sizes[target].add(heard.number)
        elif heard.interface:
            self._elsewhere[target] = heard.interface
        else:
            self._heard[target].add((heard.way, heard.number))
            if heard.way != Way.GROUP:
                self._ttls[target] = max(self._ttls[target], heard.ttl)

    def on_echo(self, target: int, echo: Echo) -> None:
        """Note an echo. It may arrive before the report of the probe."""
        if echo.kind is Kind.PING:
            self._echoed[target].add((echo.way, echo.number))

    def share(self, target: int, trial: Trial) -> Share:
        """Return how many pings of a trial were sent, and how many this target received and echoed."""
        sent = {(trial.way, number) for number in self._sent.get(trial, ())}
        return Share(len(sent), len(sent & self._heard[target]), len(sent & self._echoed[target]))

    def is_unasked_heard(self, target: int) -> bool:
        """Return whether an echo came from a port to which nothing was ever sent. True if there was no echo at all."""
        ways = {way for way, _ in self._echoed[target]}
        return not ways or Way.UNASKED in ways

    def elsewhere(self, target: int) -> str:
        """Return an interface on which the target received the group but would not listen; "" if none."""
        return self._elsewhere[target]

    def ttl_needed(self, target: int) -> int:
        """Return the smallest tried TTL that reached the target, or 0 if none did."""
        heard = [trial.ttl for trial in self._sent if trial.ttl and self.share(target, trial).heard]
        return min(heard, default=0)

    def heard_from(self, target: int) -> str:
        """Return a spare interface of the master from which pings reached the target; "" if none."""
        return next((t.interface for t in self._sent if t.interface and self.share(target, t).heard), "")

    def routers(self, target: int, ttl_sent: int) -> int:
        """Return the number of routers between us and the target, from the TTL of unicast packets."""
        return max(0, ttl_sent - self._ttls[target]) if self._ttls[target] else 0

    def largest(self, target: int) -> int:
        """Return the size of the largest packet that arrived, in bytes; 0 if none did."""
        return max(self._sizes[target], default=0)

    def on_size_sent(self, size: int) -> None:
        """Note that a one-packet page of this size was sent."""
        self._sizes_sent.add(size)

    def next_sizes(self) -> set[int]:
        """Return the sizes to send next, to bisect for every target's largest packet. Empty when all are known."""
        wanted = set()
        for sizes in self._sizes:
            below = max(sizes, default=0)
            above = min((size for size in self._sizes_sent if size > below), default=below)
            if below and above - below > 1:
                wanted.add((below + above) // 2)
        return wanted
