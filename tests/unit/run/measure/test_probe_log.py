from __future__ import annotations

from mrsync.run.measure.evidence import Share
from mrsync.run.measure.facts import SIZES, Heard
from mrsync.run.measure.probe_log import GROUP, Trial, Trials
from mrsync.wire.messages import Echo, Kind, Way


def echo(number: int, way: Way = Way.GROUP, kind: Kind = Kind.PING) -> Echo:
    return Echo(0, 1, 2, kind, way, number, 0, 3, 4)


def test_shares_by_trial_and_target() -> None:
    trials = Trials(2)
    port = Trial(Way.DATA_PORT, target=0)
    for number in (1, 2, 3):
        trials.on_sent(GROUP, number)
    trials.on_sent(port, 4)
    trials.on_received(0, Heard(Kind.PING, Way.GROUP, 1))
    trials.on_received(0, Heard(Kind.PING, Way.GROUP, 1))
    trials.on_received(0, Heard(Kind.PING, Way.GROUP, 2))
    trials.on_echo(0, echo(1))
    trials.on_received(0, Heard(Kind.PING, Way.DATA_PORT, 4, ttl=63))
    trials.on_echo(0, echo(4, Way.DATA_PORT))
    assert trials.share(0, GROUP) == Share(3, 2, 1)
    assert trials.share(1, GROUP) == Share(3, 0, 0)
    assert trials.share(0, port) == Share(1, 1, 1)
    assert trials.share(0, Trial(Way.OWN_PORT, target=0)) == Share()
    assert (trials.routers(0, 64), trials.routers(1, 64)) == (1, 0)


def test_a_ping_to_the_group_does_not_count_by_unicast() -> None:
    trials = Trials(1)
    trials.on_sent(GROUP, 1)
    trials.on_received(0, Heard(Kind.PING, Way.DATA_PORT, 1))
    assert trials.share(0, GROUP).heard == 0


def test_echoes_through_another_interface() -> None:
    trials = Trials(1)
    trials.on_sent(GROUP, 1)
    trials.on_received(0, Heard(Kind.PING, Way.GROUP, 1, interface="eth1"))
    assert trials.elsewhere(0) == "eth1"
    assert trials.share(0, GROUP).heard == 0


def test_the_smallest_ttl_and_the_interface_that_got_there() -> None:
    trials = Trials(1)
    for number, ttl in enumerate((2, 3, 4)):
        trials.on_sent(Trial(Way.GROUP, ttl=ttl), number)
    trials.on_sent(Trial(Way.GROUP, interface="eth5"), 10)
    assert (trials.ttl_needed(0), trials.heard_from(0)) == (0, "")
    for number in (1, 2, 10):
        trials.on_received(0, Heard(Kind.PING, Way.GROUP, number))
    assert (trials.ttl_needed(0), trials.heard_from(0)) == (3, "eth5")


def test_sizes_are_halved_until_every_target_has_its_largest() -> None:
    limits = [1300, 1471, 9000, 0]
    trials = Trials(len(limits))
    sizes = {9000, 1500, 1400, 1000}
    rounds = 0
    while sizes:
        rounds += 1
        for size in sizes:
            trials.on_size_sent(size)
            for target, limit in enumerate(limits):
                if size <= limit:
                    trials.on_received(target, Heard(Kind.PAGE, Way.GROUP, size, SIZES))
        sizes = trials.next_sizes()
    assert [trials.largest(target) for target in range(4)] == limits
    assert rounds < 12
