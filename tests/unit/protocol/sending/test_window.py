"""Window: growth, cuts, limits, and the rate cap, with lists of numbers."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.delay import Delay
from mrsync.protocol.sending.window import (
    CUT_SPAN_S,
    GROWTH,
    NEAR,
    PACKET_TRUESIZE_BYTES,
    QUEUE_S_MAX,
    RATE_CREDIT_S,
    WINDOW_BURSTS_MIN,
    WINDOW_BURSTS_START,
    Window,
)
from mrsync.wire.geometry import Geometry

GEOMETRY = Geometry(1001, 16)  # pages of 16000 bytes in 16 packets


def delayed(*rtts_s: float) -> Delay:
    delay = Delay()
    for rtt_s in rtts_s:
        delay.add(rtt_s, 1.0)
    return delay


QUIET = delayed(0.001)
QUEUED = delayed(0.001, 0.02)


def window(rate_bytes_s: float | None = None) -> Window:
    return Window(rate_bytes_s=rate_bytes_s, geometry=GEOMETRY)


def test_doubles_per_window_until_its_limit() -> None:
    opened = window()
    sizes = []
    tx_done = 0
    for _ in range(6):
        tx_done += int(opened.size)
        opened.on_progress(tx_done, QUEUED, 1.0)
        sizes.append(opened.size)
    assert sizes == pytest.approx([64, 128, 256, 320, 320, 320], abs=0.1)


def test_less_than_a_window_of_progress_does_not_let_it_grow() -> None:
    opened = window()
    opened.on_progress(WINDOW_BURSTS_START - 1, QUEUED, 1.0)
    assert opened.size == WINDOW_BURSTS_START


def test_halves_once_for_all_that_was_under_way() -> None:
    opened = window()
    opened.on_congestion(100, 50)
    opened.on_congestion(120, 100)  # that was sent before the cut
    assert (opened.size, opened.cuts) == (16, 1)
    opened.on_congestion(140, 101)
    assert (opened.size, opened.cuts) == (8, 2)


def test_grows_by_steps_after_a_cut() -> None:
    opened = window()
    opened.on_congestion(100, 50)
    opened.on_progress(16, QUEUED, 1.0)
    assert opened.size == 17


def grown(opened: Window, delay: Delay, now: float, times: int = 1) -> float:
    """Return its size when the monitor has processed this many more windows."""
    for _ in range(times):
        opened.on_progress(10**6 + int(now * 1e6), delay, now)
        now += 0.001
    return opened.size


def test_where_nothing_queues_it_grows_fast_to_near_where_it_was_cut() -> None:
    opened = window()
    grown(opened, QUIET, 0.1, times=2)  # to 128
    opened.on_congestion(100, 50)
    size = opened.size
    assert grown(opened, QUIET, 0.2) == size * (1 + GROWTH)
    assert grown(opened, QUIET, 0.3, times=9) < 128 * NEAR * (1 + GROWTH) + 9
    near = opened.size
    assert grown(opened, QUIET, 0.4) == near + 1.0
    assert grown(opened, QUIET, 0.5 + CUT_SPAN_S) == (near + 1.0) * (1 + GROWTH), "that is long ago"
    near = opened.size
    assert grown(opened, QUEUED, 0.6 + CUT_SPAN_S) == near + 1.0, "somebody is in the way, or will be"


def test_a_cut_in_vain_is_taken_back_unless_it_was_right_for_somebody() -> None:
    opened = window()
    opened.on_congestion(100, 50)
    opened.take_back_cut()
    assert opened.size == WINDOW_BURSTS_START
    opened.on_congestion(200, 150)
    opened.keep_cut()
    opened.take_back_cut()
    assert opened.size == WINDOW_BURSTS_START / 2


def test_queue_of_the_slowest_target_is_bounded_in_time() -> None:
    opened = window()
    opened.on_progress(100, delayed(0.01, 0.01 + 4 * QUEUE_S_MAX), 1.0)
    assert opened.size == pytest.approx(WINDOW_BURSTS_START * (0.01 + QUEUE_S_MAX) / (0.01 + 4 * QUEUE_S_MAX))


def test_buffers_limit_queues_and_not_packets_on_a_long_path() -> None:
    opened = window()
    opened.on_buffers([2 * 10 * 16 * PACKET_TRUESIZE_BYTES])
    now, done = 0.0, 0
    for _ in range(10):
        now, done = now + 0.1, done + int(opened.size)
        opened.on_progress(done, delayed(0.1), now)
    assert opened.size > 50


def test_congestion_never_closes_the_window() -> None:
    opened = window()
    for tx in range(1, 100):
        opened.on_congestion(tx, tx)
    assert opened.size == WINDOW_BURSTS_MIN
    assert opened.room(10, 10) == WINDOW_BURSTS_MIN
    opened.on_buffers([1])
    assert opened.size == WINDOW_BURSTS_MIN


def test_the_smallest_buffer_is_the_limit() -> None:
    opened = window()
    opened.on_buffers([2 * pages * 16 * PACKET_TRUESIZE_BYTES for pages in (10, 99)])
    assert opened.size == 10
    opened.on_progress(1000, QUEUED, 0.0)
    assert opened.size == 10


def test_a_buffer_counts_only_while_its_listener_is_there() -> None:
    opened = window()
    opened.on_buffers([1, 1 << 30])
    assert opened.size == WINDOW_BURSTS_MIN
    opened.on_buffers([1 << 30])
    for done in range(0, 1000, 10):
        opened.on_progress(done, QUEUED, 0.0)
    assert opened.size > WINDOW_BURSTS_START


@pytest.mark.parametrize(("tx", "tx_done", "room"), [(0, 0, 32), (40, 10, 2), (42, 10, 0), (99, 10, 0)])
def test_the_room_shrinks_with_packets_under_way(tx: int, tx_done: int, room: int) -> None:
    assert window().room(tx, tx_done) == room


def test_without_a_cap_it_is_always_open() -> None:
    opened = window()
    opened.on_sent(1000, 0.0)
    assert opened.opens_at(0.0) is None


def test_cap_spaces_bursts_by_their_size() -> None:
    opened = window(rate_bytes_s=1e6)
    now = 10.0
    opened.on_sent(10_000, now)  # 10 ms worth, and as much credit
    assert opened.opens_at(now) is None
    opened.on_sent(5000, now)
    assert opened.opens_at(now) == pytest.approx(now + 0.005)
    assert opened.opens_at(now + 0.006) is None


def test_cap_is_kept_in_the_long_run() -> None:
    opened = window(rate_bytes_s=1e6)
    now, sent_bytes = 0.0, 0
    while now < 1.0:
        opens_at = opened.opens_at(now)
        if opens_at is None:
            opened.on_sent(1000, now)
            sent_bytes += 1000
        else:
            now = opens_at
    assert sent_bytes == pytest.approx(1e6 * (1 + RATE_CREDIT_S), rel=0.01)


def test_without_a_monitor_only_the_cap_closes_it() -> None:
    opened = Window(rate_bytes_s=1e6, geometry=GEOMETRY, is_bounded=False)
    opened.on_buffers([1])
    opened.on_congestion(10_000, 5)
    assert opened.room(10_000, 0) > 0
