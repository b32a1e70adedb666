"""The wait for catchers to clean up, after the session."""

from __future__ import annotations

from collections.abc import Sequence

from mrsync.remote.folding import fold
from mrsync.remote.launcher import Launcher
from mrsync.run.observer import Notice, Observer

WAIT_S = 10.0


class CleanUp:
    """Wait until all catchers have ended. names: of all targets.

    silent: those that were given up, and have written nothing since. A catcher that ends says so
    before it cleans up, which may take long. A silent one would be waited for in vain: it is stopped, hangs or cannot
    be reached. On another host it cleans up by itself once it runs on, because its stdin has ended; what stays is used
    or removed by the next run.
    """

    def __init__(self, launcher: Launcher, names: Sequence[str], observer: Observer) -> None:
        self.silent: set[int] = set()
        self._launcher = launcher
        self._names = names
        self._observer = observer

    def wait(self) -> None:
        """Let catchers clean up, and show the user which of them the run waits for."""
        self._launcher.stop(WAIT_S, self._choose)

    def _choose(self, running: list[int], talking: set[int]) -> set[int]:
        left = self.silent.intersection(running) - talking
        waited_for = set(running) - left
        if left:
            self._tell(f"{self._fold(left)}: given up and silent, so its clean-up is not awaited")
        if waited_for:
            self._tell(f"waiting up to {WAIT_S:g} s for {self._fold(waited_for)} to clean up")
        return waited_for

    def _fold(self, targets: set[int]) -> str:
        return fold([self._names[target] for target in sorted(targets)])

    def _tell(self, sentence: str) -> None:
        self._observer.on_notice(Notice(0, sentence))
