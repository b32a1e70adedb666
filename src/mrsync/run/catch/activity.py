"""Activity: how a job in the worker reports progress to the loop, and learns that it must stop."""

from __future__ import annotations

from collections.abc import Callable


class Stopped(Exception):
    """The session ended while a job was running."""


class Activity:
    """Report the progress of a job, and stop the job when the session is over.

    post: called with a number of entries, in the worker's thread. is_over: set by the loop when the session has ended.
    is_withdrawn: set there when the master has cancelled the session before anything was changed.
    on_irrevocable: called during operations that must not be interrupted by the end of the master.
    """

    def __init__(self, post: Callable[[int], None]) -> None:
        self.is_over = self.is_withdrawn = False
        self.on_irrevocable: Callable[[], None] = lambda: None
        self.tell = post

    def __call__(self, entries: int) -> None:
        """Report progress of `entries` entries. Raise Stopped if the session is over."""
        if self.is_over:
            raise Stopped
        self.tell(entries)

    def insist(self, entries: int) -> None:
        """Report progress of an operation that must be completed: get more time, and do not stop."""
        self.on_irrevocable()
        self.tell(entries)
