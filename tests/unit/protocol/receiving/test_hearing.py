"""Hearing: what is told of what was heard, when a group is given up, and what a catcher makes of it."""

from __future__ import annotations

from mrsync.protocol.receiving.candidates import Candidates
from mrsync.protocol.receiving.hearing import REJOINS_MAX, SILENT_KEEPALIVES, Hearing
from tests.unit.protocol.builders import status
from tests.unit.protocol.catching import joined, only_report


def test_a_status_shows_that_multicast_arrives_and_a_probe_up_to_which_size() -> None:
    hearing = Hearing()
    assert hearing.is_deaf
    hearing.receive_status(is_cast=True)
    assert (hearing.is_deaf, hearing.lacks_probe) == (False, True)
    hearing.receive_probe(1472, is_cast=True)
    hearing.receive_probe(1252, is_cast=True)
    assert hearing.say(1) == (1472, 0, 0)
    assert not hearing.lacks_probe


def test_hello_is_repeated_until_a_welcome_confirms_it() -> None:
    hearing = Hearing()
    hearing.receive_status(is_cast=True)
    hearing.say(1)
    assert (hearing.is_said, hearing.has_news) == (True, True)
    hearing.receive_probe(1472, is_cast=True)
    assert not hearing.is_said
    hearing.say(4)
    hearing.say(6)
    hearing.receive_welcome(1, 1)
    assert hearing.has_news
    hearing.receive_welcome(4, 1)
    assert not hearing.has_news


def test_while_seeking_a_silent_group_is_forgotten() -> None:
    candidates = Candidates()
    for counter, is_cast in enumerate((True, False, False), 1):
        candidate = candidates.receive_status(status(counter), 0.0, is_cast=is_cast)
        assert candidate is not None
        assert candidate.hearing.is_deaf is (counter == 3)


def test_unicast_counts_only_for_targets_without_multicast() -> None:
    hearing = Hearing()
    hearing.receive_probe(1472, is_cast=True)
    hearing.say(1)
    hearing.receive_welcome(1, 7)
    hearing.receive_probe(1472, is_cast=False)
    assert not hearing.has_news
    for _ in range(REJOINS_MAX):
        assert hearing.fall_silent()
    hearing.receive_status(is_cast=False)
    assert not hearing.fall_silent()
    assert hearing.has_news
    assert hearing.say(2) == (0, 1472, 7)


def test_a_group_is_not_given_up_while_nothing_comes_by_unicast_either() -> None:
    hearing = Hearing()
    hearing.receive_status(is_cast=True)
    assert all(hearing.fall_silent() for _ in range(9))
    hearing.receive_status(is_cast=False)
    hearing.receive_status(is_cast=True)
    assert hearing.fall_silent()


def test_silence_is_counted_in_keepalives() -> None:
    hearing = Hearing()
    assert hearing.patience_s(60.0) == SILENT_KEEPALIVES
    assert hearing.patience_s(4.0) == SILENT_KEEPALIVES * 0.5
    hearing.fall_silent()
    assert hearing.patience_s(60.0) == 1.0


# in a catcher


def test_a_unicast_status_does_not_prove_losses_on_the_group() -> None:
    catcher = joined(wanted=[(0, 100)])
    seen = only_report(catcher, 1.0).tx_seen
    catcher.receive_message(status(50, is_poll=True), 7, 1.0, is_cast=False)
    report = only_report(catcher, 1.1)
    assert report.tx_seen == seen
    catcher.receive_message(status(51, is_poll=True), 7, 1.2)
    assert only_report(catcher, 1.3).tx_seen == 51
