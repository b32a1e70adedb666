"""Handle what launched catchers write outside of the session: readiness, log lines, and their end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from mrsync.remote.launcher import CatcherExited, Launcher, LineWritten
from mrsync.remote.reasons import without_program
from mrsync.run.bootstrap import WARNING, Readiness
from mrsync.run.observer import Notice
from mrsync.wire.messages import Ending

_LAST_WORDS = tuple(f"{ending.name.lower()}: " for ending in Ending)  # of a catcher; the session reports its end, too
LISTEN_S = 1.0  # longest time between calls of the launcher, which has timeouts of its own


class Arrivals:
    """Take the events of a launcher and call back.

    targets: their names. give_up(target, reason): a catcher ended with an error. on_notice(notice): a target wrote a
    line. on_answer(target, is_ready): it is known whether the catcher has started. on_ready(target, readiness): it has.
    on_word(target): it wrote a line that is a notice.
    """

    def __init__(
        self,
        launcher: Launcher,
        targets: Sequence[str],
        give_up: Callable[[int, str], None],
        on_notice: Callable[[Notice], None],
        on_answer: Callable[[int, bool], None] = lambda target, is_ready: None,
        on_ready: Callable[[int, Readiness], None] = lambda target, ready: None,
        on_word: Callable[[int], None] = lambda target: None,
    ) -> None:
        self.over_at: float | None = None  # time.monotonic() when the last catcher was ready or gone
        self.came_at = time.monotonic()  # when a catcher was ready or gone for the last time
        self.expected = set(range(len(targets)))  # those that are neither
        self._launcher = launcher
        self._targets = targets
        self._give_up = give_up
        self._on_notice = on_notice
        self._on_answer = on_answer
        self._on_ready = on_ready
        self._on_word = on_word
        self._listen_at = 0.0

    def keep_time(self) -> None:
        """Call listen() if LISTEN_S seconds have passed. Cheap, so call it often."""
        if time.monotonic() >= self._listen_at:
            self.listen()

    def listen(self) -> None:
        """Process all events that the launcher has."""
        now = time.monotonic()
        self._listen_at = now + LISTEN_S
        for event in self._launcher.take_events():
            if isinstance(event, CatcherExited):
                is_early = event.target in self.expected
                self._note(event.target, now)
                self._on_answer(event.target, False)
                if event.status or is_early:
                    self._give_up(event.target, event.reason)
            elif (ready := Readiness.decode(event.line)) is not None:
                if event.target in self.expected:  # each further one would have us send to an address of its choice
                    self._note(event.target, now)
                    self._on_ready(event.target, ready)
                    self._on_answer(event.target, True)
            else:
                self._on_word(event.target)
                self._on_notice(_notice(event, self._targets[event.target]))
        if not self.expected and self.over_at is None:
            self.over_at = now

    def _note(self, target: int, now: float) -> None:
        self.expected.discard(target)
        self.came_at = now


def _notice(written: LineWritten, host: str) -> Notice:
    """Return a line of a catcher as a notice."""
    text = without_program(written.text)
    if written.line.startswith(WARNING):
        return Notice(0, text, host)
    return Notice(2 if text.startswith(_LAST_WORDS) else 1, text, host)
