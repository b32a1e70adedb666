"""Exchange: send pages one after another, let every target echo them, and note losses and round trips (rtt)."""

from __future__ import annotations

from mrsync.protocol.core.histogram import Histogram

TIMEOUT_FIRST_S = 0.5
TIMEOUT_MIN_S = 0.02
TIMEOUT_MAX_S = 1.0
DEVIATIONS = 4  # the timeout is computed from smoothed round trip and deviation (RFC 6298)
SMOOTHING = 1 / 8
DEVIATION_SMOOTHING = 1 / 4
PATIENCE_PAGES = 5  # a target that missed this many in a row is not waited for until it echoes again
LONELY_S = 0.01  # between pages while no target is waited for
PAGES_REMEMBERED = 64  # echoes of older pages are ignored


class Partner:
    """One target: its round trips, and how long to wait for it."""

    def __init__(self) -> None:
        self.histogram = Histogram()
        self.missed_in_a_row = 0
        self.timeout_s = TIMEOUT_FIRST_S
        self._smoothed_s: float | None = None
        self._deviation_s = 0.0

    def on_echo(self, rtt_s: float, waited_s: float) -> None:
        """Note an echo. rtt_s: the round trip without the time that programs took; waited_s: with it."""
        self.histogram.add(rtt_s)
        self.missed_in_a_row = 0
        if self._smoothed_s is None:
            self._smoothed_s, self._deviation_s = waited_s, waited_s / 2
        else:
            self._deviation_s += DEVIATION_SMOOTHING * (abs(waited_s - self._smoothed_s) - self._deviation_s)
            self._smoothed_s += SMOOTHING * (waited_s - self._smoothed_s)
        self._bound(self._smoothed_s + DEVIATIONS * self._deviation_s)

    def on_missed(self) -> None:
        """Note that no echo came in time, and wait longer for the next one."""
        self.missed_in_a_row += 1
        self._bound(2 * self.timeout_s)

    def _bound(self, seconds: float) -> None:
        self.timeout_s = min(TIMEOUT_MAX_S, max(TIMEOUT_MIN_S, seconds))


class Exchange:
    """Decide when to send which page. Late echoes count, and are no loss."""

    def __init__(self, target_count: int, page_count: int) -> None:
        self.partners = [Partner() for _ in range(target_count)]
        self.pages_sent = 0
        self.is_finished = page_count == 0
        self._page_count = page_count
        self._unheard: dict[int, set[int]] = {}  # page -> targets that have not echoed it
        self._sent_at: dict[int, float] = {}
        self._awaited: set[int] = set()  # targets that the last page waits for
        self._deadline: float | None = None  # None: the next page may be sent
        self._is_lingering = False  # all pages were sent, but echoes may still arrive

    def next_page(self) -> int | None:
        """Return the page to send now, or None while waiting for echoes and at the end."""
        if self._deadline is not None or self.is_finished:
            return None
        return self.pages_sent

    def on_sent(self, now: float) -> None:
        """Note that the next page was sent."""
        partners = self.partners
        self._awaited = {number for number, one in enumerate(partners) if one.missed_in_a_row < PATIENCE_PAGES}
        self._deadline = now + max((partners[number].timeout_s for number in self._awaited), default=LONELY_S)
        self._unheard[self.pages_sent] = set(range(len(partners)))
        self._sent_at[self.pages_sent] = now
        self._forget(self.pages_sent - PAGES_REMEMBERED)
        self.pages_sent += 1

    def receive_echo(self, target: int, page: int, arrived_at: float, hold_s: float, now: float) -> None:
        """Take an echo that arrived at arrived_at. hold_s: how long the target held it. Ignore repeated ones."""
        unheard = self._unheard.get(page, set())
        if target not in unheard:
            return
        unheard.discard(target)
        sent_at = self._sent_at[page]
        self.partners[target].on_echo(arrived_at - sent_at - hold_s, now - sent_at)
        if not unheard:
            self._forget(page)
        if page == self.pages_sent - 1 and target in self._awaited:
            self._awaited.discard(target)
            if not self._awaited:
                self._settle(now)
        if self._is_lingering and not self._unheard:
            self.is_finished = True

    def handle_timeout(self, now: float) -> None:
        """Do what is due. Calling it early or twice changes nothing."""
        if self._deadline is None or now < self._deadline:
            return
        for number in self._awaited:
            self.partners[number].on_missed()
        self._awaited = set()
        self._settle(now)

    def next_timeout(self) -> float | None:
        """Return when to call handle_timeout, or None."""
        return None if self.is_finished else self._deadline

    def missing(self, target: int) -> int:
        """Return the number of pages that were sent but not echoed by a target."""
        return self.pages_sent - self.partners[target].histogram.total

    def _settle(self, now: float) -> None:
        """Stop waiting for the last page."""
        if self.pages_sent < self._page_count:
            self._deadline = None
        elif self._unheard and not self._is_lingering:
            self._is_lingering = True
            self._deadline = now + TIMEOUT_MAX_S
        else:
            self.is_finished = True

    def _forget(self, page: int) -> None:
        self._unheard.pop(page, None)
        self._sent_at.pop(page, None)
