"""Losses that no queue causes."""

from __future__ import annotations

from mrsync.protocol.pace.noise import FORGOTTEN_S, REPORTS_MIN, Noise


def noisy() -> Noise:
    """Return what has lost one packet in a hundred while hardly anything queued."""
    noise = Noise()
    for at in range(20):
        noise.learn(100, 1, 0.1 * at)
    return noise


def test_every_loss_counts_before_any_noise_is_known() -> None:
    noise = Noise()
    assert not noise.is_exceeded(44, 0)
    assert noise.is_exceeded(44, 1)


def test_losses_of_no_packets_are_no_share() -> None:
    """A target may claim what was never sent, as compressed pages have fewer packets than whole ones."""
    noise = Noise()
    assert noise.is_exceeded(44, 1)
    for at in range(REPORTS_MIN):
        noise.learn(0, 5, 0.1 * at)
    assert noise.share == 0.0


def test_as_much_as_is_always_lost_shows_no_full_queue() -> None:
    noise = noisy()
    assert noise.share == 0.01
    assert not any(noise.is_exceeded(100, 1) for _ in range(100))


def test_clearly_more_loss_exceeds_the_noise() -> None:
    assert noisy().is_exceeded(44, 8)


def test_a_little_more_loss_exceeds_the_noise_in_the_end() -> None:
    noise = noisy()
    assert any(noise.is_exceeded(100, 2) for _ in range(30))


def test_an_old_loss_does_not_count_again() -> None:
    noise = noisy()
    assert noise.is_exceeded(44, 8)
    assert not noise.is_exceeded(100, 1)


def test_noise_that_ends_is_forgotten() -> None:
    noise = noisy()
    noise.learn(2000, 0, 3 + FORGOTTEN_S)
    noise.learn(2000, 0, 3 + FORGOTTEN_S)
    assert noise.share < 0.003


def test_congestion_that_lost_clearly_more_than_is_lost_later_stands() -> None:
    noise = Noise()
    assert noise.is_exceeded(100, 10)
    assert not any(noise.learn(100, 1, 0.1 * at) for at in range(20))
    assert noise.suspicions == 0


def test_all_congestion_since_the_last_judgement_is_judged_together() -> None:
    noise = Noise()
    assert noise.is_exceeded(100, 2)
    assert noise.is_exceeded(100, 2)
    assert noise.suspicions == 2
    assert [noise.learn(100, 2, 0.1 * at) for at in range(5)] == [False, False, True, False, False]


def test_congestion_that_a_router_confirms_stands() -> None:
    noise = Noise()
    assert noise.is_exceeded(100, 1)
    noise.confirm()
    assert not any(noise.learn(100, 1, 0.1 * at) for at in range(20))


def test_a_single_report_shows_no_share() -> None:
    noise = Noise()
    noise.learn(1000, 30, 0.0)
    assert noise.share == 0
    for at in range(1, REPORTS_MIN):
        noise.learn(1000, 30, 0.1 * at)
    assert noise.share == 0.03


def test_losses_in_runs_may_come_in_a_run_while_much_queues() -> None:
    independent, in_runs = Noise(), Noise()
    for at in range(30):
        independent.learn(100, 2, 0.1 * at)
        in_runs.learn(100, 20 if at % 10 == 0 else 0, 0.1 * at)
    assert independent.share == in_runs.share == 0.02
    assert independent.is_exceeded(100, 20)
    assert not in_runs.is_exceeded(100, 20)
    assert in_runs.is_exceeded(100, 60)
