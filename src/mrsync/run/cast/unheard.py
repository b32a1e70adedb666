"""Catchers that have started but not been heard by UDP: why that may be, told in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mrsync.remote.targets import fold
from mrsync.run.bootstrap import Readiness

ASK_S = 1.0  # a datagram may be lost
TELL_S = 4.0


class Unheard:
    """ask: lets the reports of one in. warn: tells the user; port: where reports come to."""

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
        """Its remote shell says that it has started."""
        self._ready[target] = ready
        self._since[target] = now
        self._ask(ready)

    def end(self, target: int) -> None:
        """It was heard, or it is gone."""
        self._ready.pop(target, None)
        self._since.pop(target, None)

    @property
    def hint(self) -> str:
        """What is likely for those that have started."""
        return f": it started, but no UDP comes back to port {self._port}: does a firewall here or there drop it?"

    def keep_time(self, now: float) -> None:
        """Ask again, and tell of those that have been waited for long enough; call often."""
        if not self._ready or now < self._ask_at:
            return
        self._ask_at = now + ASK_S
        for ready in self._ready.values():
            self._ask(ready)
        waiting = {target: now - since for target, since in self._since.items() if target not in self._told}
        if max(waiting.values(), default=0.0) >= TELL_S:
            late = [target for target, seconds in waiting.items() if seconds >= TELL_S / 2]  # told together
            self._told.update(late)
            who = fold([self._names[target] for target in late])
            self._warn(
                f"{who}: started, but no UDP comes back to port {self._port}: does a firewall here or there drop it? "
                "(mrsync doctor tells)"
            )
