"""Patience: how long a session waits, in all, for a target that says that it is at work.

The master cannot see what a target does while it compares, deletes or flushes its disk. It sees a counter of activity,
which a faulty target can increase without end. So each target has a budget of waiting, large enough for slow disks.
Time in which a target waits for others is not counted. Time in which it waits for a repair is counted, because a target
could claim that without end, too. Each arrival gives back the time that was waited for it, but earns no credit: when a
target stops that got a thousand pages quickly, the session waits for it no longer than for another one.

Invariant: a session ends, whatever a target reports. Why it holds: the budget depends only on the size of the source.
The time that arrivals give back depends only on the number of pages and on the bytes of the log. All of these are
bounded. A process that replaces another one goes on with its budget (`Roster.renew`).
"""

from __future__ import annotations

from mrsync.wire.messages import ObjectKind

# Times the ack wait, for extraneous entries and other work that the source does not show.
BASE_WAITS, SHED_WAITS = 30, 3
PAGE_S = 60.0  # for each page, or longer if the rate is limited
SLOWER = 10  # how many times slower than the rate a target may be
LOG_BYTES_S = 1000
READ_BYTES_S = 4e6  # the slowest disk
ENTRIES_S = 10.0  # the slowest file system


def work_s(entries: int, content_bytes: int) -> float:
    """Return the seconds that a slow target may need to look at all entries of the source and to read as many bytes."""
    return entries / ENTRIES_S + content_bytes / READ_BYTES_S


class Patience:
    """The budget of each target in one session.

    is_shedding: slow targets are served after the others. page_s: for which the rate cap sends one page. work_s: for
    work in proportion to the source.
    """

    def __init__(self, ack_wait_s: float, *, is_shedding: bool = False, page_s: float = 0.0) -> None:
        self.look_s = ack_wait_s / 10  # the longest time that counts between two looks: the master may stand still
        self.work_s = 0.0
        self._base_s = ack_wait_s * (SHED_WAITS if is_shedding else BASE_WAITS)
        self._page_s = max(PAGE_S, SLOWER * page_s)

    @property
    def budget_s(self) -> float:
        """The seconds to wait for a target beyond what has arrived from it."""
        return self._base_s + self.work_s

    def worth_s(self, pages: int, log_bytes: int) -> float:
        """Return how many seconds of waiting these pages and bytes of the log make good."""
        return pages * self._page_s + log_bytes / LOG_BYTES_S


class Waiting:
    """How long the session has waited for one target in vain, in seconds of the caller's clock."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self.pages: dict[ObjectKind, int] = {}  # that it held, by object
        self.log_bytes = 0  # that had arrived
        self._looked_at: float | None = None

    def look(self, patience: Patience, *, is_awaited: bool, now: float) -> None:
        """Add the time since the last look, if the session waits for this target now."""
        if is_awaited and self._looked_at is not None:
            self.waited_s += min(patience.look_s, now - self._looked_at)
        self._looked_at = now

    def take_off(self, patience: Patience, object: ObjectKind, held: int, log_bytes: int) -> None:
        """Take off what has arrived since the last call.

        held: pages that it holds from the beginning of an object. log_bytes: of its log that have arrived in all.
        """
        pages = max(held, self.pages.get(object, 0))
        log_bytes = max(log_bytes, self.log_bytes)
        worth_s = patience.worth_s(pages - self.pages.get(object, 0), log_bytes - self.log_bytes)
        self.waited_s = max(0.0, self.waited_s - worth_s)
        self.pages[object], self.log_bytes = pages, log_bytes

    def is_over(self, patience: Patience) -> bool:
        """Return whether the session has waited long enough."""
        return self.waited_s > patience.budget_s
