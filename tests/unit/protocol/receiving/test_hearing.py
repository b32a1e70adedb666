"""Hearing: what is told of what was heard, when a group is given up, and what a catcher makes of it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mrsync.protocol.catcher import KNOCK_MAX_S, SEEKING_REJOIN_S
from mrsync.protocol.core.events import CatcherEvent, GroupGivenUp, GroupSilent
from mrsync.protocol.core.sends import SendKnock, SendMessage
from mrsync.protocol.receiving.candidates import Candidates
from mrsync.protocol.receiving.hearing import REJOINS_MAX, SILENT_KEEPALIVES, Hearing
from mrsync.wire.limits import CONTROL_BYTES_MAX
from mrsync.wire.messages import Hello, Probe
from tests.unit.protocol.builders import status
from tests.unit.protocol.catching import NOTHING, events, joined, only_report, said, seeking, welcome


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


def test_knocks_become_rarer_without_an_answer() -> None:
    catcher = seeking(knows_master=True)
    knocks = []
    for tick in range(100):
        catcher.handle_timeout(tick / 10)
        knocks += [(tick / 10, send) for send in catcher.sends(tick / 10)]
    assert {type(send) for _, send in knocks} == {SendKnock}
    assert {send.message.size_bytes for _, send in knocks if isinstance(send, SendKnock)} == {CONTROL_BYTES_MAX}
    times = [at for at, _ in knocks]
    assert times[0] == 0.2
    gaps = [round(later - at, 3) for at, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == pytest.approx(KNOCK_MAX_S)
    catcher.receive_message(status(1), 7, 10.0, is_cast=False)
    sends = catcher.sends(10.0)
    (hello,) = [send.message for send in sends if isinstance(send, SendMessage) and isinstance(send.message, Hello)]
    assert (hello.group_bytes, hello.unicast_bytes) == (0, 1)


def test_no_knock_without_the_address_of_the_master() -> None:
    catcher = seeking()
    catcher.handle_timeout(50.0)
    assert catcher.sends(50.0) == []


def test_catcher_rejoins_after_a_long_wait() -> None:
    catcher = seeking(wait_s=1000.0)
    catcher.handle_timeout(SEEKING_REJOIN_S)
    assert events(catcher) == [GroupSilent(was_heard=False)]
    catcher = seeking(wait_s=1000.0, has_group=False)
    catcher.handle_timeout(SEEKING_REJOIN_S)
    assert events(catcher) == []


def test_a_silent_group_is_rejoined_and_given_up_when_unicast_arrives() -> None:
    catcher = joined()
    heard: list[CatcherEvent] = []
    for tick in range(1, 100):
        now = tick / 10
        catcher.receive_message(status(tick + 1), 7, now, is_cast=False)
        catcher.handle_timeout(now)
        heard += events(catcher)
        if catcher.is_deaf:
            break
    assert heard == [GroupSilent(was_heard=True)] * REJOINS_MAX + [GroupGivenUp()]
    assert now < 8.0, "before the caster's patience ends"
    hello = next(message for message in said(catcher, now) if isinstance(message, Hello) and not message.group_bytes)
    assert (hello.unicast_bytes, hello.token) == (1, 1)


def test_a_unicast_status_is_no_evidence_of_losses_on_the_group() -> None:
    catcher = joined(wanted=[(0, 100)])
    seen = only_report(catcher, 1.0).tx_seen
    catcher.receive_message(status(50, is_poll=True), 7, 1.0, is_cast=False)
    report = only_report(catcher, 1.1)
    assert report.tx_seen == seen
    catcher.receive_message(status(51, is_poll=True), 7, 1.2)
    assert only_report(catcher, 1.3).tx_seen == 51


def test_a_larger_probe_is_reported_at_once_and_a_repeated_one_never() -> None:
    catcher = joined(objects=NOTHING)
    catcher.receive_message(Probe(1, 9000), 7, 0.1)
    assert said(catcher, 0.1) == []
    catcher.receive_message(Probe(2, 9000), 7, 0.1)
    (hello,) = said(catcher, 0.1)
    assert isinstance(hello, Hello)
    assert hello.group_bytes == 9000
    catcher.receive_message(welcome(counter=2, hello=hello.counter), 7, 0.15)
    assert not any(isinstance(message, Hello) for message in said(catcher, 1.0))
