"""Joining: which session a catcher joins, and what it tells the caster about its paths."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.events import (
    CatcherEvent,
    GroupGivenUp,
    GroupSilent,
    SessionOpened,
    Welcomed,
)
from mrsync.protocol.core.sends import SendKnock, SendMessage
from mrsync.protocol.core.states import CatcherState
from mrsync.protocol.receiving.candidates import CANDIDATES_MAX
from mrsync.protocol.receiving.hearing import REJOINS_MAX
from mrsync.protocol.receiving.joining import DEAF_HELLO_S, HELLO_S, KNOCK_MAX_S, RIVAL_S, SEEKING_REJOIN_S
from mrsync.wire.limits import CONTROL_BYTES_MAX
from mrsync.wire.messages import (
    Ending,
    Farewell,
    Hello,
    Phase,
    Probe,
    SealKind,
)
from tests.unit.protocol.builders import GEOMETRY, status
from tests.unit.protocol.catching import (
    INSTANCE,
    NOTHING,
    WAIT_S,
    events,
    joined,
    only_report,
    said,
    seeking,
    welcome,
)


def test_says_hello_to_newer_statuses_until_welcomed() -> None:
    catcher = seeking()
    assert said(catcher) == []
    catcher.receive_message(status(1), 7, 0.0)
    (hello,) = said(catcher)
    assert isinstance(hello, Hello)
    assert (hello.instance, hello.retained_pages) == (INSTANCE, 512)
    catcher.receive_message(status(2), 7, HELLO_S / 2)
    assert said(catcher, HELLO_S / 2) == []
    catcher.receive_message(status(2), 7, HELLO_S)
    assert said(catcher, HELLO_S) == [], "a repeated status draws no hello anywhere"
    catcher.receive_message(status(3), 7, HELLO_S)
    assert [type(message) for message in said(catcher, HELLO_S)] == [Hello]
    catcher.receive_message(welcome(), 7, HELLO_S)
    assert catcher.state is CatcherState.JOINED
    report = only_report(catcher, 2 * HELLO_S)
    assert report.counter > hello.counter


def test_a_session_that_was_recorded_captures_and_ends_nothing() -> None:
    """With a key file, statuses, welcomes and farewells of an earlier session are authentic."""
    catcher = seeking()
    recorded = {"session": 6, "ack_wait_s": 1}
    catcher.receive_message(status(50, **recorded), 6, 0.0)
    catcher.receive_message(welcome(instance=INSTANCE - 1), 6, 0.0)
    catcher.receive_message(Farewell(INSTANCE - 1, 51, 0, Ending.REFUSED, "no"), 6, 0.0)
    catcher.receive_message(status(52, phase=Phase.ABORTED, **recorded), 6, 0.0)
    catcher.receive_message(status(51, **recorded), 6, 0.0)
    catcher.handle_timeout(WAIT_S - 1)
    assert (catcher.state, events(catcher)) == (CatcherState.SEEKING, [])
    catcher.receive_message(status(1), 7, WAIT_S - 1)
    assert [send.destination for send in catcher.sends(WAIT_S - 1) if isinstance(send, SendMessage)] == [6, 6, 7]
    catcher.receive_message(welcome(hello=3), 7, WAIT_S - 1)
    assert catcher.state is CatcherState.JOINED
    catcher.receive_message(status(60, phase=Phase.ABORTED, **recorded), 6, WAIT_S - 1)
    catcher.receive_message(Farewell(INSTANCE, 61, 0, Ending.ABORTED, "no"), 6, WAIT_S - 1)
    assert catcher.state is CatcherState.JOINED
    assert catcher.knows(7)
    assert not catcher.knows(6)


def test_a_refusal_by_one_of_two_sessions_leaves_the_other() -> None:
    catcher = seeking()
    for session in (6, 7):
        catcher.receive_message(status(1, session=session), session, 0.0)
    catcher.receive_message(Farewell(INSTANCE, 2, 0, Ending.REFUSED, "not on the roster"), 6, 0.1)
    catcher.receive_message(status(2, session=6), 6, 0.5)
    assert [send.destination for send in catcher.sends(0.5) if isinstance(send, SendMessage)] == [6, 7]
    catcher.receive_message(welcome(), 7, 0.5)
    assert catcher.state is CatcherState.JOINED


def test_sessions_beyond_the_limit_push_out_the_oldest() -> None:
    catcher = seeking()
    for session in range(CANDIDATES_MAX + 1):
        catcher.receive_message(status(1, session=session), session, 0.0)
    assert [session for session in range(CANDIDATES_MAX + 1) if not catcher.knows(session)] == [0]


def test_only_its_own_welcome_counts_and_once() -> None:
    catcher = seeking()
    catcher.receive_message(welcome(), 7, 0.0)
    catcher.receive_message(status(1), 7, 0.0)
    catcher.receive_message(welcome(instance=INSTANCE + 1), 7, 0.0)
    assert catcher.state is CatcherState.SEEKING
    catcher.receive_message(welcome(), 7, 0.0)
    catcher.receive_message(welcome(turn=9), 7, 0.0)
    assert events(catcher) == [Welcomed(), SessionOpened(7, GEOMETRY, SealKind.HMAC_SHA256)]


def test_a_group_that_may_be_silent_is_not_doubted() -> None:
    """Of statuses by unicast it does not follow that the group brings no probes; simulation's seed 70370."""
    catcher = seeking()
    catcher.receive_message(status(1), 7, 0.0)
    assert [type(message) for message in said(catcher)] == [Hello]
    catcher.receive_message(welcome(), 7, 0.0)
    said(catcher, 0.01)
    catcher.receive_message(status(2), 7, 1.0, is_cast=False)
    assert Hello not in map(type, said(catcher, 1.0))
    catcher.receive_message(status(3), 7, 2.0)
    assert Hello in map(type, said(catcher, 2.0))


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


def test_a_deaf_catcher_repeats_its_hello_until_it_is_welcomed_or_refused_or_hears_nothing_more() -> None:
    """A lost hello waited for the next knock; simulation's seed 932270 with relays."""
    quiet = seeking(knows_master=True, has_group=False)
    assert _hellos(quiet, 0.0, 10.0) == []
    quiet.receive_message(status(1), 7, 10.0, is_cast=False)
    hellos = _hellos(quiet, 10.0, 20.0)
    assert hellos[0] == 10.0
    assert {round(later - at, 3) for at, later in pairwise(hellos)} == {DEAF_HELLO_S}
    assert hellos[-1] == pytest.approx(10.0 + RIVAL_S), "a replayed status draws no more"
    refused, welcomed = seeking(has_group=False), seeking(has_group=False)
    for catcher in (refused, welcomed):
        catcher.receive_message(status(1), 7, 0.0, is_cast=False)
    refused.receive_message(status(1, session=8), 8, 0.0, is_cast=False)
    refused.receive_message(Farewell(INSTANCE, 2, 0, Ending.REFUSED, "no"), 7, 0.0)
    refused.receive_message(Farewell(INSTANCE, 2, 0, Ending.REFUSED, "no"), 8, 0.0)
    assert _hellos(refused, 0.1, 1.0) == []
    welcomed.receive_message(welcome(hello=1), 7, 0.0)
    now = _hellos(welcomed, 0.0, 0.05)
    assert len(now) == 2, "the first one, and one with its token"
    welcomed.receive_message(welcome(counter=2, hello=welcomed._counter), 7, 0.05)
    assert _hellos(welcomed, 0.1, 1.0) == []


def _hellos(catcher: Catcher, since: float, until: float) -> list[float]:
    """When it says hello, looked at every 50 ms."""
    times = []
    for tick in range(round(since * 20), round(until * 20) + 1):
        catcher.handle_timeout(tick / 20)
        sends = catcher.sends(tick / 20)
        times += [tick / 20 for send in sends if isinstance(send, SendMessage) and isinstance(send.message, Hello)]
    return times


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
