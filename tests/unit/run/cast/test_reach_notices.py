from __future__ import annotations

from mrsync.protocol.core.lateness import Lateness
from mrsync.protocol.targets.chains.relays import Relays
from mrsync.protocol.targets.reach import DEAF_S, Reach
from mrsync.protocol.targets.roster import Roster
from mrsync.run.cast.reach_notices import ReachNotices
from tests.unit.protocol.builders import SMALL, STEPS, found, hello

FULL = STEPS[0].datagram_bytes


def gathered(*hears: int) -> tuple[Reach, Roster, ReachNotices]:
    """Return targets a, b, ... that hear this many bytes on the group, and a second later answer at their address."""
    roster = Roster({number: chr(ord("a") + number) for number in range(len(hears))})
    reach = Reach(roster, STEPS, 60.0, is_unicast_only=False, on_rerouted=lambda target: None)
    for number, group_bytes in enumerate(hears):
        target = found(roster, number)
        roster.admit(target, hello(number, group_bytes=group_bytes), "home", 0.0)
        for counter, token in ((1, 0), (2, 1)):
            said = hello(number, counter=counter, group_bytes=group_bytes, unicast_bytes=FULL, token=token)
            reach.receive_hello(target, said, "home", 0.0)
    reach.look(DEAF_S + 0.1)
    reach.fix()
    relays = Relays(roster, reach, None, Lateness(), lambda target: None, lambda assign, address: None)
    return reach, roster, ReachNotices(reach, relays, roster, "239.1.2.3")


def test_there_is_no_notice_when_all_is_well() -> None:
    assert list(gathered(FULL, FULL)[2].when_gathered()) == []


def test_the_deaf_are_named_once() -> None:
    _, roster, notices = gathered(FULL, 0, 0)
    (sentence,) = notices.when_gathered()
    assert sentence.startswith("b,c: served by unicast, because the group 239.1.2.3 is not received there (")
    assert notices.when_rerouted(found(roster, 1)) == ""


def test_targets_behind_narrow_paths_are_named_with_the_size_that_reaches_them() -> None:
    (sentence,) = gathered(FULL, SMALL.datagram_bytes, FULL)[2].when_gathered()
    assert sentence.startswith(
        "packets of 1500 bytes do not reach b, those of 1280 do: all are sent packets of 1280 bytes ("
    )


def test_target_that_loses_multicast_is_named() -> None:
    reach, roster, notices = gathered(FULL, FULL)
    assert list(notices.when_gathered()) == []
    target = found(roster, 0)
    reach.receive_hello(target, hello(0, counter=3, group_bytes=0, token=1), "home", 9.0)
    assert notices.when_rerouted(target) == "a is served by unicast from now on: it no longer receives the group"
    assert notices.when_rerouted(target) == ""
    reach.receive_hello(target, hello(0, counter=4, group_bytes=FULL, token=1), "home", 20.0)
    reach.look(40.0)
    assert notices.when_rerouted(target) == "a receives the group again, and is served by multicast"
