"""AckClock: who is the monitor, what counts as congestion, and how long a round trip takes."""

from __future__ import annotations

import pytest

from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.pace.pacing import CUT_MORE, PACKETS_S_MAX
from mrsync.protocol.sending.ack_clock import AckClock
from mrsync.protocol.sending.flow import ANSWER_S
from mrsync.protocol.sending.loss_trials import LossSample
from mrsync.protocol.sending.window import RATE_CREDIT_S, WINDOW_BURSTS_START, Window
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.messages import NetworkShare
from tests.unit.protocol.builders import GEOMETRY, found, report, roster

PACKETS = GEOMETRY.packets


def clock(known: Roster, *, is_bounded: bool = True) -> AckClock:
    window = Window(rate_bytes_s=None, geometry=GEOMETRY, is_bounded=is_bounded)
    return AckClock(known.audience, window, Courtesy(NetworkShare.ALL))


def hear(made: AckClock, known: Roster, target: int, tx: int, now: float = 0.1, **details: int) -> None:
    """A report of one target, as the caster hands it on when tx was sent last."""
    of = found(known, target)
    old = of.report
    new = report(target, old.counter + 1 if old else 1, **details)
    of.receive_report(new, "there", now)
    made.on_report(of.flow, old, new, tx, now)


def test_the_slowest_three_are_monitors() -> None:
    known = roster(5)
    made = clock(known)
    for target, done in enumerate((90, 10, 50, 99, 30)):
        hear(made, known, target, 100, tx_seen=100, tx_done=done)
    assert made.elect(0.1)
    assert [target.id for target in made.monitors] == [1, 4, 2]
    assert not made.elect(0.2)
    assert made.tx_done(0.1) == 10


def test_a_challenger_must_lag_clearly_more() -> None:
    known = roster(4)
    made = clock(known)
    for target in range(4):
        found(known, target).flow.lag = 10.0 - target
    made.elect(0.0)
    found(known, 3).flow.lag = 9.0
    assert not made.elect(0.1)
    found(known, 3).flow.lag = 14.0
    assert made.elect(0.2)
    assert [target.id for target in made.monitors] == [3, 0, 1]


def test_target_without_answers_does_not_pace_the_sender() -> None:
    known = roster(2)
    made = clock(known)
    hear(made, known, 0, 100, tx_seen=10, tx_done=10)
    hear(made, known, 1, 100, tx_seen=90, tx_done=90)
    made.elect(0.1)
    later = 0.2 + ANSWER_S
    hear(made, known, 0, 100, later, tx_seen=10, tx_done=10)
    hear(made, known, 1, 100, later, tx_seen=95, tx_done=95)
    assert made.tx_done(later) == 95
    made.elect(later)
    assert [target.id for target in made.monitors] == [1]
    assert made.tx_done(later + 99) == 95  # nobody answers: the last word counts


def test_time_as_monitor_adds_up() -> None:
    known = roster(1)
    made = clock(known)
    for now in (1.0, 1.5, 3.0):
        made.elect(now)
    assert found(known, 0).flow.monitor_s == 2.0


def test_drops_at_a_host_narrow_the_window() -> None:
    known = roster(1)
    made = clock(known)
    hear(made, known, 0, 50, tx_seen=40, kernel_drops=3)
    assert made.window.size == WINDOW_BURSTS_START / 2
    hear(made, known, 0, 60, tx_seen=60, kernel_drops=3)
    assert made.window.cuts == 1


def send(made: AckClock, bursts: range, seconds_each: float) -> None:
    for tx in bursts:
        made.on_sent(tx, PACKETS, 0, tx * seconds_each)


def test_more_loss_on_a_fast_path_narrows_the_window_and_noise_opens_it_again() -> None:
    known = roster(2)
    made = clock(known)
    send(made, range(1, 400), PACKETS / PACKETS_S_MAX / 2)
    flows = [found(known, target).flow for target in (0, 1)]
    for flow in flows:
        flow.tx_seen = 200
        made.on_losses(flow, LossSample(1000, 200, 160), 0, 200, 1.0)
    assert (made.window.cuts, made.window.size, made.gap_s) == (1, WINDOW_BURSTS_START / 2, 0.0)
    for flow in flows:
        flow.tx_seen = 300
        made.on_losses(flow, LossSample(1000, 200, 160), 0, 300, 1.1)
    assert (made.window.cuts, made.window.size) == (1, WINDOW_BURSTS_START)


def test_more_loss_on_a_slow_path_spreads_packets_at_the_rate_that_came_through() -> None:
    known = roster(2)
    made = clock(known)
    send(made, range(1, 400), PACKETS / 8000)
    flow = found(known, 0).flow
    flow.tx_seen = 200
    made.on_losses(flow, LossSample(1000, 500, 250), 0, 200, 1.0)
    assert made.window.cuts == 0
    assert made.gap_s == pytest.approx(1 / (4000 * CUT_MORE), rel=0.02)
    assert found(known, 1).flow.losses.from_tx == 200, "what all lost before shows nothing"
    flow.tx_seen = 300
    made.on_losses(flow, LossSample(1000, 500, 250), 0, 300, 1.1)
    assert made.gap_s == 0.0, "it was noise"


def test_packets_are_spread_at_the_rate_that_passed_the_queue_whatever_noise_took() -> None:
    known = roster(1)
    made = clock(known)
    send(made, range(1, 600), PACKETS / 8000)
    flow = found(known, 0).flow
    for tx_seen in (200, 300):  # the trial, and that it was noise
        flow.tx_seen = tx_seen
        made.on_losses(flow, LossSample(1000, 500, 250), 0, tx_seen, 1.0)
    assert (flow.losses.noise, made.gap_s) == (0.5, 0.0)
    flow.tx_seen = 400
    made.on_losses(flow, LossSample(1000, 750, 190), 0, 400, 1.1)
    assert made.gap_s == pytest.approx(1 / (4000 * CUT_MORE), rel=0.02)


def test_losses_at_a_full_queue_are_left_to_courtesy_and_all_others_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    known = roster(1)
    made = clock(known)
    send(made, range(1, 400), PACKETS / 8000)
    flow = found(known, 0).flow
    flow.tx_seen = 200
    monkeypatch.setattr(Courtesy, "sees_full_queue", lambda courtesy, listener: True)
    made.on_losses(flow, LossSample(1000, 400, 240), 0, 200, 1.0)
    assert (flow.losses.is_on_trial, made.gap_s) == (False, 0.0)
    monkeypatch.setattr(Courtesy, "sees_full_queue", lambda courtesy, listener: False)
    made.on_losses(flow, LossSample(1000, 400, 240), 0, 200, 1.1)
    assert flow.losses.is_on_trial
    assert made.gap_s > 0


def test_a_trial_s_rate_grows_only_after_its_judgement_or_without_reports() -> None:
    known = roster(1)
    made = clock(known)
    send(made, range(1, 500), PACKETS / 8000)
    flow = found(known, 0).flow
    flow.tx_seen = 200
    hear(made, known, 0, 200, 1.0, tx_seen=200, tx_done=200)
    made.elect(1.0)
    made.on_losses(flow, LossSample(1000, 500, 250), 0, 200, 1.0)
    gap_s = made.gap_s
    hear(made, known, 0, 400, 1.01, tx_seen=400, tx_done=400)
    assert made.gap_s == gap_s
    hear(made, known, 0, 401, 1.5, tx_seen=401, tx_done=401)
    assert made.gap_s < gap_s, "no report on it came"
    gap_s = made.gap_s
    made.on_losses(flow, LossSample(1000, 0, 0), 0, 401, 1.51)
    hear(made, known, 0, 450, 1.52, tx_seen=450, tx_done=450)
    assert made.gap_s < gap_s


def test_without_monitors_losses_slow_nothing_down() -> None:
    """Nobody's progress would ever make the pace grow again."""
    known = roster(1)
    made = clock(known, is_bounded=False)
    send(made, range(1, 400), PACKETS / 8000)
    flow = found(known, 0).flow
    flow.tx_seen = 200
    made.on_losses(flow, LossSample(1000, 500, 250), 0, 200, 1.0)
    assert (made.gap_s, made.window.cuts) == (0.0, 0)


def test_copies_leave_in_the_same_time() -> None:
    known = roster(1)
    made = clock(known)
    made.pacing.begin(1000.0, 0)
    alone = made.gap_s
    known.audience.copies = 4
    assert made.gap_s == alone / 4


def test_reports_come_several_times_per_window() -> None:
    made = clock(roster(1))
    assert made.report_pages == 8
    made.window.size = 2.0
    assert made.report_pages == 1
    made.window.size = 300.0
    assert made.report_pages == 40


def test_round_trips_of_the_monitor_without_the_time_it_held_them() -> None:
    known = roster(1)
    made = clock(known)
    made.elect(0.0)
    made.on_sent(1, 4, 0, 1.0)
    made.on_sent(2, 4, 0, 1.5)
    hear(made, known, 0, 2, 1.1, tx_seen=1, tx_done=0)
    hear(made, known, 0, 2, 1.9, tx_seen=2, tx_done=2, hold_us=150_000)
    assert made.rtt_us == {250_000: 1}
    hear(made, known, 0, 2, 2.0, tx_seen=2, tx_done=2)  # nothing new was done
    assert sum(made.rtt_us.values()) == 1


def test_packets_before_a_lapse_give_no_round_trip() -> None:
    known = roster(1)
    made = clock(known)
    made.elect(0.0)
    for tx in (1, 2, 3):
        made.on_sent(tx, 4, 0, 1.0)
    hear(made, known, 0, 3, 1.0, tx_seen=1, tx_done=1)
    made.forget_times(2)
    hear(made, known, 0, 3, 1.1, tx_seen=2, tx_done=2)
    assert made.rtt_us == {}
    hear(made, known, 0, 3, 1.1, tx_seen=3, tx_done=3)
    assert made.rtt_us == {100_000: 1}


def test_a_window_without_bound_needs_no_monitors() -> None:
    known = roster(3)
    made = AckClock(
        known.audience, Window(rate_bytes_s=1e6, geometry=GEOMETRY, is_bounded=False), Courtesy(NetworkShare.ALL)
    )
    hear(made, known, 1, 100, tx_seen=10, tx_done=1)
    assert not made.elect(0.1)
    assert made.monitors == []


def test_every_copy_counts_for_the_cap() -> None:
    known = roster(3)
    made = AckClock(known.audience, Window(rate_bytes_s=1e6, geometry=GEOMETRY), Courtesy(NetworkShare.ALL))
    for target in (0, 1):
        found(known, target).path.why_unicast = "deaf"
    known.count_listeners()
    made.on_sent(1, 100, 100_000, 10.0)
    assert made.window.opens_at(10.0) == pytest.approx(10.0 - RATE_CREDIT_S + 3 * 0.1)
