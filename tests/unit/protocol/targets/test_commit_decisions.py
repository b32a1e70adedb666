"""CommitDecisions: what may go into place, and for whom not."""

from __future__ import annotations

import pytest

from mrsync.protocol.core.events import FileSatOut
from mrsync.protocol.core.sends import SendPage
from mrsync.protocol.core.states import RosterState, TargetTrigger
from mrsync.protocol.sending.schedule import TX_ROOM
from mrsync.protocol.targets.commit_decisions import CommitDecisions, CommitRule
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.limits import EXCEPTIONS_MAX, TX_MAX
from mrsync.wire.messages import CommitSpan, Phase, Status
from mrsync.wire.records import ErrorRecord, SatOutRecord
from tests.unit.protocol.builders import PAGE, are_files, found, report, roster
from tests.unit.protocol.session import RESULT, Session


def stand(known: Roster, target: int, *, ready: int, committed: int = 0) -> None:
    old = found(known, target).report
    counter = old.counter + 1 if old else 1
    found(known, target).receive_report(report(target, counter, ready=ready, committed=committed), "there", 1.0)


def test_the_slowest_decides() -> None:
    known, commits = roster(2), CommitDecisions(10)
    stand(known, 0, ready=7)
    assert not commits.update(known)
    stand(known, 1, ready=3)
    assert commits.update(known)
    assert commits.span == CommitSpan(0, 3)
    assert not commits.update(known)


def test_commits_never_shrink_when_a_target_falls_behind() -> None:
    known, commits = roster(1), CommitDecisions(10)
    stand(known, 0, ready=7, committed=5)
    commits.update(known)
    stand(known, 0, ready=7, committed=5)
    commits.update(known)
    stand(known, 0, ready=2, committed=1)
    assert not commits.update(known)
    assert commits.span == CommitSpan(5, 7)


def test_no_more_is_announced_than_exists() -> None:
    known, commits = roster(1), CommitDecisions(10)
    stand(known, 0, ready=99, committed=99)
    commits.update(known)
    assert commits.span == CommitSpan(0, 10)


def test_exceptions_are_repeated_until_all_are_beyond_them() -> None:
    known, commits = roster(1), CommitDecisions(10)
    assert commits.sit_out(2)
    assert commits.sit_out(3)
    stand(known, 0, ready=6)
    commits.update(known)
    assert commits.span == CommitSpan(0, 6, ((2, 4),))
    stand(known, 0, ready=6, committed=3)
    commits.update(known)
    assert commits.span == CommitSpan(3, 6, ((3, 4),))


def test_released_and_unknown_files_cannot_be_excepted() -> None:
    known, commits = roster(1), CommitDecisions(10)
    stand(known, 0, ready=6)
    commits.update(known)
    assert not commits.sit_out(5)
    assert not commits.sit_out(10)
    assert commits.sit_out(6)


def test_an_exception_across_the_end_is_not_an_empty_range() -> None:
    known, commits = roster(1), CommitDecisions(10)
    stand(known, 0, ready=6)
    commits.update(known)
    commits.sit_out(6)
    stand(known, 0, ready=6, committed=6)
    commits.update(known)
    assert commits.span == CommitSpan(6, 6)


def test_more_exceptions_than_a_status_holds_come_later() -> None:
    files = 4 * EXCEPTIONS_MAX
    known, commits = roster(1), CommitDecisions(files)
    for file in range(0, files, 2):
        commits.sit_out(file)
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
    commits = CommitDecisions(10)
    assert not commits.update(Roster({}))


def test_a_source_that_changed_is_an_exception_unless_all_have_it_already() -> None:
    known, commits = roster(1), CommitDecisions(10)
    stand(known, 0, ready=3)
    commits.update(known)
    assert not commits.invalidate(2)
    assert commits.invalidate(5)
    stand(known, 0, ready=10)
    commits.update(known)
    assert (commits.span, commits.changed) == (CommitSpan(0, 10, ((5, 6),)), {5})


def test_each_goes_as_far_as_was_read_whatever_others_sit_out() -> None:
    known, commits = roster(2), CommitDecisions(10, CommitRule.EACH)
    stand(known, 0, ready=8)
    stand(known, 1, ready=2)
    assert commits.sit_out(1)
    assert commits.invalidate(4)
    commits.mark_read(6)
    commits.update(known)
    assert commits.span == CommitSpan(0, 2, ((4, 5),), ahead=6)
    commits.mark_read(99)
    assert commits.invalidate(7)
    commits.update(known)
    assert commits.span == CommitSpan(0, 2, ((4, 5), (7, 8)), ahead=10)
    assert not commits.sit_out(10)


def test_too_many_exceptions_do_not_matter_with_commit_each() -> None:
    files = 4 * EXCEPTIONS_MAX
    known, commits = roster(2), CommitDecisions(files, CommitRule.EACH)
    commits.mark_read(files)
    stand(known, 0, ready=files)
    stand(known, 1, ready=1)
    commits.update(known)
    assert commits.span == CommitSpan(0, 1, (), ahead=files)
    for file in range(1, files, 2):
        commits.invalidate(file)
    commits.update(known)
    assert (commits.span.end, commits.span.ahead) == (1, 2 * EXCEPTIONS_MAX + 1)
    assert len(commits.span.exceptions) == EXCEPTIONS_MAX


def test_the_job_is_granted_at_once_or_not_at_all() -> None:
    known, commits = roster(2), CommitDecisions(10, CommitRule.JOB)
    stand(known, 0, ready=10)
    stand(known, 1, ready=9)
    assert not commits.update(known)
    stand(known, 1, ready=10)
    assert commits.veto(known) == ""
    assert commits.update(known)
    assert commits.span == CommitSpan(0, 10)
    found(known, 1).sat_out[3] = 28
    assert commits.veto(known) == ""  # too late


def test_the_job_waits_for_files_that_changed() -> None:
    known, commits = roster(1), CommitDecisions(10, CommitRule.JOB)
    commits.invalidate(3)
    stand(known, 0, ready=10)
    assert not commits.update(known)
    assert commits.veto(known) == ""
    commits.cast_again([3], 1)
    stand(known, 0, ready=11)
    assert commits.update(known)
    assert commits.span == CommitSpan(0, 11, ((3, 4),))


@pytest.mark.parametrize("rule", CommitRule)
def test_veto_by_one_target_stops_the_job(rule: CommitRule) -> None:
    def veto(commits: CommitDecisions, known: Roster) -> str:
        said = commits.veto(known)
        assert rule is CommitRule.JOB or not said
        return said if rule is CommitRule.JOB else ""

    is_job = rule is CommitRule.JOB
    known, commits = roster(2), CommitDecisions(10, rule)
    assert veto(commits, known) == ""
    found(known, 1).errors.append(ErrorRecord(13, b"x\n", "read"))
    assert veto(commits, known) == ("x\\n on b: cannot read: EACCES" if is_job else "")
    found(known, 1).sat_out[3] = 28
    assert veto(commits, known) == ("b cannot take a file: ENOSPC" if is_job else "")
    known.end(found(known, 0), TargetTrigger.SILENCE, "silent for 6 s", 1.0)
    assert veto(commits, known) == ("a is lost: silent for 6 s" if is_job else "")
    commits.invalidate(2)
    commits.invalidate(3)
    commits.cast_again([2], 1)
    assert commits.file_count == 11
    sentence = "a source file vanished, cannot be read, or changes again and again"
    assert veto(commits, known) == (sentence if is_job else "")


# in a session


def test_by_the_rule_each_a_status_looks_ahead_of_the_slowest() -> None:
    session = Session(commit_rule=CommitRule.EACH).planned()
    session.report(0, ready=5, frontier=10)
    session.caster.mark_read(4)
    session.pump(0.2)
    assert (session.status().commit.end, session.status().commit.ahead) == (0, 4)


def test_by_the_rule_job_the_last_one_releases_all() -> None:
    session = Session(commit_rule=CommitRule.JOB).planned()
    session.report(0, ready=5, frontier=10)
    session.report(1, ready=4, frontier=10)
    session.pump(0.2)
    assert session.status().commit.end == 0
    session.report(1, ready=5)
    assert session.status().commit.end == 5
    before = len(session.messages(Status))
    session.pump(0.1)
    assert len(session.messages(Status)) >= before + 5  # all are to hear of it at once
    session.caster.give_up(0, "exited", session.now)  # too late
    session.report(1, committed=5)
    assert session.phase() is Phase.FINISHING
    assert session.caster.veto == ""


def test_under_the_rule_job_a_lost_target_takes_everything_back() -> None:
    session = Session(commit_rule=CommitRule.JOB, rate_bytes_s=1000.0).planned()
    session.caster.give_up(0, "exited", session.now)
    session.pump()
    pages = sum(isinstance(send, SendPage) for send in session.sent)
    assert session.phase() is Phase.WITHDRAWING
    assert session.caster.veto == "n0 is lost: exited"
    session.pump(20.0)
    assert sum(isinstance(send, SendPage) for send in session.sent) == pages
    session.report(1, RESULT)
    assert session.phase() is Phase.DONE
    assert session.states() == [RosterState.LOST, RosterState.DONE]


def test_latecomer_is_excluded_with_commit_job() -> None:
    session = Session(3, commit_rule=CommitRule.JOB, ack_wait_s=6.0)
    session.caster.offer_manifest(PAGE, are_files)
    session.hello(0)
    session.hello(1)
    session.pump(6.1)
    assert session.phase() is Phase.COMPARING
    session.caster.give_up(0, "exited", session.now)
    session.pump()
    assert session.phase() is Phase.WITHDRAWING
    assert session.states() == [RosterState.LOST, RosterState.PRESENT, RosterState.UNREACHABLE]
    session.report(1, RESULT)
    assert session.phase() is Phase.DONE


def test_by_the_rule_job_nothing_is_finished_either_when_no_contents_are_needed() -> None:
    session = Session(commit_rule=CommitRule.JOB).compared()
    session.caster.give_up(0, "exited", session.now)
    session.caster.offer_plan(0, 0, 0, session.now)
    assert session.phase() is Phase.WITHDRAWING


def test_file_sat_out_after_the_commit_is_missing_on_one_target_only() -> None:
    session = Session().planned()
    session.report(0, ready=5, frontier=10)
    session.report(1, ready=5, frontier=10)
    session.pump(0.2)
    assert session.status().commit.end == 5
    session.report(0, SatOutRecord(3, 28))
    assert session.status().commit.exceptions == ()
    assert [event for event in session.heard if isinstance(event, FileSatOut)] == []
    assert [found(session.caster.roster, target).sat_out for target in (0, 1)] == [{3: 28}, {}]


def test_a_session_that_has_sent_all_it_can_ends() -> None:
    session = Session().planned()
    session.caster._schedule.tx = TX_MAX - TX_ROOM + 1
    session.pump(10)
    assert session.caster.phase is Phase.ABORTED
    assert "more had to be repaired" in session.caster.abort_reason
