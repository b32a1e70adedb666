"""Warn the user early of catchers that have started but from which no UDP packet arrives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mrsync.remote.targets import fold
from mrsync.run.bootstrap import Readiness

ASK_S = 1.0  # interval of requests, because a datagram may be lost
TELL_S = 4.0  # without a packet, until the user is warned


class Unheard:
    """Catchers whose remote shell reported that they started, until a packet of theirs arrives.

    port: of the master, to which reports go. ask: opens a firewall for the reports of a catcher. warn: tells the user.
    """

    def __init__(
        self, names: Sequence[str], port: int, ask: Callable[[Readiness], None], warn: Callable[[str], None]
    ) -> None:
        self._names = names
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

    def end(self, target: int) -> None:
        """Note that a packet of a catcher arrived, or that it is gone."""
        self._ready.pop(target, None)
        self._since.pop(target, None)

    @property
    def hint(self) -> str:
        """The likely reason why a started catcher is not heard."""
        return f": it started, but no UDP packet arrives at port {self._port}: does a firewall here or there drop it?"

    def keep_time(self, now: float) -> None:
        """Ask again once a second, and warn of catchers that have not been heard for TELL_S. Call often."""
        if not self._ready or now < self._ask_at:
            return
        self._ask_at = now + ASK_S
        for ready in self._ready.values():
            self._ask(ready)
        waiting = {target: now - since for target, since in self._since.items() if target not in self._told}
        if max(waiting.values(), default=0.0) >= TELL_S:
            # Include those that will soon be late, for a single warning.
            late = [target for target, seconds in waiting.items() if seconds >= TELL_S / 2]
            self._told.update(late)
            who = fold([self._names[target] for target in late])
            self._warn(
                f"{who}: started, but no UDP packet arrives at port {self._port}: does a firewall here or there drop"
                " it? (mrsync doctor finds out)"
            )
