"""Losses that no queue causes."""

from __future__ import annotations

from mrsync.protocol.pace.noise import FORGOTTEN_S, Noise


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
