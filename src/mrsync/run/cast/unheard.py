"""Warn the user early of catchers that have started but from which no UDP packet arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mrsync.remote.folding import fold
from mrsync.run.bootstrap import Readiness

ASK_S = 1.0  # interval of requests, because a datagram may be lost
TELL_S = 4.0  # without a packet, until the user is warned
TELL_MAX_S = 20.0  # where hosts are slow
SLOWNESS = 3  # times the longest start, or wait until a host was heard, that others are given


class Unheard:
    """Catchers whose remote shell reported that they started, until a packet of theirs arrives.

    A loaded host is slow to start as well, and seldom the only one that is slow to be heard: patience grows with both.

    port: of the master, to which reports go. began: time of the launch. ask: opens a firewall for the reports of a
    catcher. warn: tells the user.
    """

    def __init__(
        self,
        names: Sequence[str],
        port: int,
        began: float,
        ask: Callable[[Readiness], None],
        warn: Callable[[str], None],
    ) -> None:
        self._names = names
        self._began = began
        self._slowest_s = 0.0  # to be heard, of those that were
        self._ask = ask
        self._warn = warn
        self._port = port
        self._ready: dict[int, Readiness] = {}
        self._since: dict[int, float] = {}
        self._told: set[int] = set()
        self._ask_at = 0.0

    def begin(self, target: int, ready: Readiness, now: float) -> None:
        """Note that a catcher has started."""
        self._ready[target] = ready
        self._since[target] = now
        self._ask(ready)

    def hear(self, target: int, now: float) -> None:
        """Note that a packet of a catcher arrived."""
        self._slowest_s = max(self._slowest_s, now - self._since.get(target, now))
        self.end(target)

    def end(self, target: int) -> None:
        """Note that nothing more is to be heard of a catcher."""
        self._ready.pop(target, None)
        self._since.pop(target, None)

    @property
    def hint(self) -> str:
        """The likely reason why a started catcher is not heard."""
        return f": it started, but no UDP packet arrives at port {self._port}: does a firewall here or there drop it?"

    def keep_time(self, now: float) -> None:
        """Ask again once a second, and warn of catchers that have not been heard for too long. Call often."""
        if not self._ready or now < self._ask_at:
            return
        self._ask_at = now + ASK_S
        for ready in self._ready.values():
            self._ask(ready)
        lateness = {
            target: (now - since) / self._patience_s(since)
            for target, since in self._since.items()
            if target not in self._told
        }
        if max(lateness.values(), default=0.0) >= 1:
            # Include those that will soon be late, for a single warning.
            late = [target for target, share in lateness.items() if share >= 0.5]
            self._told.update(late)
            who = fold([self._names[target] for target in late])
            self._warn(
                f"{who}: started, but no UDP packet arrives at port {self._port}: too slow, or dropped by a firewall"
                " here or there? (mrsync doctor finds out)"
            )

    def _patience_s(self, since: float) -> float:
        """Return how long a catcher that was ready at `since` may be unheard."""
        return min(TELL_MAX_S, max(TELL_S, SLOWNESS * max(since - self._began, self._slowest_s)))
