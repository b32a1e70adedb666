"""Exchange: when the next page goes, who is waited for and how long, and what counts as missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.protocol.exchange import (
    LONELY_S,
    PAGES_REMEMBERED,
    PATIENCE_PAGES,
    TIMEOUT_FIRST_S,
    TIMEOUT_MAX_S,
    TIMEOUT_MIN_S,
    Exchange,
)


class Run:
    """An exchange on a clock of its own; delays: of every target's echoes, None: it never echoes."""

    def __init__(self, delays: list[float | None], page_count: int) -> None:
        self.exchange = Exchange(len(delays), page_count)
        self.now = 100.0
        self._delays = delays
        self._echoes: list[tuple[float, int, int]] = []

    def go(self, lost: set[tuple[int, int]] = frozenset()) -> None:  # type: ignore[assignment]
        """To the end; lost: (target, page) of echoes that do not come."""
        exchange = self.exchange
        while not exchange.is_finished:
            page = exchange.next_page()
            if page is not None:
                exchange.on_sent(self.now)
                self._echoes += [
                    (self.now + delay, target, page)
                    for target, delay in enumerate(self._delays)
                    if delay is not None and (target, page) not in lost
                ]
            self._step()

    def _step(self) -> None:
        deadline = self.exchange.next_timeout()
        assert deadline is not None
        self._echoes.sort(reverse=True)
        if self._echoes and self._echoes[-1][0] <= deadline:
            at, target, page = self._echoes.pop()
            self.now = max(self.now, at)
            self.exchange.receive_echo(target, page, self.now, 0.0, self.now)
        else:
            self.now = deadline
            self.exchange.handle_timeout(self.now)


def test_the_next_page_goes_when_all_have_echoed() -> None:
    exchange = Exchange(2, 2)
    assert exchange.next_page() == 0
    exchange.on_sent(1.0)
    exchange.receive_echo(0, 0, 1.002, 0.0005, 1.0021)
    assert exchange.next_page() is None
    exchange.receive_echo(1, 0, 1.005, 0.0, 1.0052)
    assert exchange.next_page() == 1
    exchange.on_sent(1.01)
    exchange.receive_echo(1, 1, 1.02, 0.0, 1.02)
    exchange.receive_echo(0, 1, 1.02, 0.0, 1.02)
    assert exchange.is_finished
    assert exchange.next_page() is exchange.next_timeout() is None
    assert exchange.partners[0].histogram.counts == {1500: 1, 10000: 1}
    assert [exchange.missing(target) for target in (0, 1)] == [0, 0]


def test_no_pages_and_no_targets() -> None:
    assert Exchange(3, 0).is_finished
    run = Run([], 3)
    run.go()
    assert run.exchange.pages_sent == 3


def test_a_lost_echo_is_missing_after_a_timeout_that_follows_the_network() -> None:
    run = Run([0.004, 0.004], 50)
    run.go({(1, 20)})
    assert [run.exchange.missing(target) for target in (0, 1)] == [0, 1]
    # waited for once, about as long as echoes take, and once more at the end in case it was only late
    assert run.now - 100.0 < 49 * 0.004 + 0.05 + TIMEOUT_MAX_S
    assert run.exchange.partners[0].timeout_s == pytest.approx(TIMEOUT_MIN_S, abs=0.01)


def test_a_late_echo_is_not_a_loss_and_raises_the_timeout() -> None:
    exchange = Exchange(1, 3)
    exchange.on_sent(0.0)
    exchange.handle_timeout(TIMEOUT_FIRST_S)
    assert exchange.next_page() == 1
    exchange.on_sent(0.5)
    exchange.receive_echo(0, 0, 0.7, 0.0, 0.7)
    assert exchange.next_page() is None
    exchange.receive_echo(0, 1, 1.2, 0.0, 1.2)
    exchange.on_sent(1.2)
    assert exchange.partners[0].timeout_s == TIMEOUT_MAX_S
    assert exchange.missing(0) == 1  # the last one, just sent
    exchange.receive_echo(0, 2, 1.9, 0.0, 1.9)
    assert exchange.is_finished
    assert exchange.partners[0].histogram.total == 3


def test_target_without_echoes_delays_no_other() -> None:
    run = Run([0.001, None], 1000)
    run.go()
    assert [run.exchange.missing(target) for target in (0, 1)] == [0, 1000]
    assert run.now - 100.0 < 1000 * 0.001 + (PATIENCE_PAGES + 1) * TIMEOUT_MAX_S


def test_pages_go_on_without_echoes_and_wait_for_returning_targets() -> None:
    exchange = Exchange(1, 100)
    now = 0.0
    for _ in range(PATIENCE_PAGES):
        exchange.on_sent(now)
        deadline = exchange.next_timeout()
        assert deadline is not None
        now = deadline
        exchange.handle_timeout(now)
    exchange.on_sent(now)
    assert exchange.next_timeout() == now + LONELY_S
    exchange.receive_echo(0, PATIENCE_PAGES, now + 0.002, 0.0, now + 0.002)
    exchange.handle_timeout(now + LONELY_S)
    exchange.on_sent(now + LONELY_S)
    assert exchange.next_timeout() == pytest.approx(now + LONELY_S + TIMEOUT_MIN_S)


def test_doubles_strangers_and_echoes_of_old_pages_change_nothing() -> None:
    exchange = Exchange(1, 2 * PAGES_REMEMBERED)
    exchange.on_sent(0.0)
    exchange.handle_timeout(1.0)
    for page in range(1, PAGES_REMEMBERED + 2):
        exchange.on_sent(page)
        exchange.receive_echo(0, page, page + 0.1, 0.0, page + 0.1)
        exchange.receive_echo(0, page, page + 0.2, 0.0, page + 0.2)
    for target, page in ((0, 0), (0, 10_000), (7, PAGES_REMEMBERED)):
        exchange.receive_echo(target, page, 999.0, 0.0, 999.0)
    assert exchange.partners[0].histogram.counts == {100_000: PAGES_REMEMBERED + 1}
    assert exchange.missing(0) == 1


@given(
    st.lists(st.one_of(st.none(), st.floats(0.0001, 3.0)), min_size=1, max_size=4),
    st.integers(1, 30),
    st.sets(st.tuples(st.integers(0, 3), st.integers(0, 29)), max_size=40),
)
def test_every_exchange_ends_and_counts_right(
    delays: list[float | None], page_count: int, lost: set[tuple[int, int]]
) -> None:
    run = Run(delays, page_count)
    run.go(lost)
    exchange = run.exchange
    assert exchange.pages_sent == page_count
    for target, delay in enumerate(delays):
        gone = sum((target, page) in lost for page in range(page_count))
        if delay is None:
            assert exchange.missing(target) == page_count
        elif delay < TIMEOUT_MAX_S:
            assert exchange.missing(target) == gone
        else:
            assert exchange.missing(target) >= gone
