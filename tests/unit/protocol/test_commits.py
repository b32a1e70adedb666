"""Commits: what may go into place, and for whom not."""

from __future__ import annotations

from mrsync.protocol.commits import Commits
from mrsync.protocol.roster import Roster
from mrsync.wire.limits import EXCEPTIONS_MAX
from mrsync.wire.messages import CommitSpan
from tests.unit.protocol.builders import found, report, roster


def stand(known: Roster, target: int, *, ready: int, committed: int = 0) -> None:
    old = found(known, target).report
    counter = old.counter + 1 if old else 1
    found(known, target).receive_report(report(target, counter, ready=ready, committed=committed), "there", 1.0)


def test_the_slowest_decides() -> None:
    known, commits = roster(2), Commits(10)
    stand(known, 0, ready=7)
    assert not commits.update(known)
    stand(known, 1, ready=3)
    assert commits.update(known)
    assert commits.span == CommitSpan(0, 3)
    assert not commits.update(known)


def test_nothing_shrinks_when_a_target_falls_behind_what_it_said() -> None:
    known, commits = roster(1), Commits(10)
    stand(known, 0, ready=7, committed=5)
    commits.update(known)
    stand(known, 0, ready=7, committed=5)
    commits.update(known)
    stand(known, 0, ready=2, committed=1)
    assert not commits.update(known)
    assert commits.span == CommitSpan(5, 7)


def test_nobody_is_told_more_than_there_is() -> None:
    known, commits = roster(1), Commits(10)
    stand(known, 0, ready=99, committed=99)
    commits.update(known)
    assert commits.span == CommitSpan(0, 10)


def test_exceptions_are_told_until_all_are_beyond_them() -> None:
    known, commits = roster(1), Commits(10)
    assert commits.except_file(2)
    assert commits.except_file(3)
    stand(known, 0, ready=6)
    commits.update(known)
    assert commits.span == CommitSpan(0, 6, ((2, 4),))
    stand(known, 0, ready=6, committed=3)
    commits.update(known)
    assert commits.span == CommitSpan(3, 6, ((3, 4),))


def test_what_was_granted_or_does_not_exist_cannot_be_excepted() -> None:
    known, commits = roster(1), Commits(10)
    stand(known, 0, ready=6)
    commits.update(known)
    assert not commits.except_file(5)
    assert not commits.except_file(10)
    assert commits.except_file(6)


def test_an_exception_that_goes_on_behind_the_end_is_not_told_as_an_empty_range() -> None:
    known, commits = roster(1), Commits(10)
    stand(known, 0, ready=6)
    commits.update(known)
    commits.except_file(6)
    stand(known, 0, ready=6, committed=6)
    commits.update(known)
    assert commits.span == CommitSpan(6, 6)


def test_more_exceptions_than_a_status_holds_come_later() -> None:
    files = 4 * EXCEPTIONS_MAX
    known, commits = roster(1), Commits(files)
    for file in range(0, files, 2):
        commits.except_file(file)
    stand(known, 0, ready=files)
    ends = []
    while commits.span.end < files:
        assert commits.update(known)
        assert len(commits.span.exceptions) <= EXCEPTIONS_MAX
        assert commits.span.exceptions[-1][1] <= commits.span.end
        ends.append(commits.span.end)
        stand(known, 0, ready=files, committed=commits.span.end)
    assert ends == [2 * EXCEPTIONS_MAX, files]


def test_without_anyone_nothing_is_granted() -> None:
    commits = Commits(10)
    assert not commits.update(Roster({}))
