from __future__ import annotations

from collections import Counter

from mrsync.run.measure.meetings import ALL_MAX, NEAR, Meetings


def test_who_reaches_whom() -> None:
    meetings = Meetings({0: ("10.0.0.1", 5), 1: ("10.0.0.2", 6), 4: ("10.0.0.3", 7)})
    requests = list(meetings.requests())
    assert len(requests) == 6
    for request in requests:
        if request.target != 0:
            meetings.on_received(request.number)
    assert [meetings.unreached(target) for target in (0, 1, 4)] == [(1, 4), (), ()]


def test_requests_are_repeated_with_the_same_numbers() -> None:
    meetings = Meetings({0: ("fd00::1", 5), 1: ("fd00::2", 6)})
    first, again = list(meetings.requests()), list(meetings.requests())
    assert [request.number for request in first] == [request.number for request in again]
    counters = [request.counter for request in first + again]
    assert sorted(set(counters)) == counters, "else the second would look as if others had repeated the first"


def test_neighbours_by_address_meet_if_there_are_many_targets() -> None:
    count = 10 * ALL_MAX
    meetings = Meetings({target: (f"10.0.0.{count - target}", 5) for target in range(count)})
    met = Counter(request.target for request in meetings.requests())
    assert met[count // 2] == 2 * NEAR
    assert max(met.values()) == 2 * NEAR
    assert all(abs(r.target - r.child.target) <= NEAR for r in meetings.requests() if r.child is not None)
