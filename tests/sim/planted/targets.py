"""Faults in dealing with targets: who takes part, what they say, and when they are lost."""

from __future__ import annotations

from mrsync.protocol.caster import Caster
from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.attention import Attention
from mrsync.protocol.core.log import LogReader
from mrsync.protocol.receiving.reception import Reception
from mrsync.protocol.targets import liveness
from mrsync.protocol.targets.participation.admission import Admission
from mrsync.protocol.targets.reports import Reports
from mrsync.protocol.targets.roster import Roster
from tests.sim.planted.fault import Fault

AGAIN = "files change while they are cast, some of them twice, and some vanish"
INVENTED_STAY = Fault("", Reception, "believe_tx", "self.tx_seen = tx", "self.tx_seen = max(self.tx_seen, tx)")
TARGET_FAULTS = (
    Fault(
        "lost targets still get repairs",
        Caster,
        "_forget",
        "self._schedule.forget",
        "id",
        found_by="a death is noticed before its losses are repaired",
    ),
    Fault(
        "old statuses count",
        Catcher,
        "_receive_status",
        "status.counter <= joined.status.counter",
        "False",
        found_by="strangers repeat what a dead caster said",
    ),
    Fault(
        "old reports count",
        Reports,
        "receive",
        "report.counter <= old.counter",
        "False",
        found_by="strangers repeat what a dead one said",
    ),
    Fault(
        "log pieces are taken twice",
        LogReader,
        "feed",
        "piece[-fresh:]",
        "piece",
        found_by="files are sat out",
    ),
    Fault(
        "reports that speak of invented tx numbers are dropped",
        Reports,
        "receive",
        "said, report = report, self._schedule.believable(report)",
        "said = report\n    if report.tx_seen > self._schedule.tx:\n        return",
        also=INVENTED_STAY,
        found_by="strangers invent packets",
    ),
    Fault(
        "a catcher takes its own stop for silence of the master",
        Attention,
        "now",
        "lapse > LAPSE_S",
        "False",
        found_by="all are stopped together, as in a machine that sleeps",
    ),
    Fault(
        "targets are judged before their messages were read",
        Caster,
        "handle_timeout",
        "is_drained and timers.take_expired(Timer.LIVENESS",
        "timers.take_expired(Timer.LIVENESS",
        found_by="the master is stopped when its patience with one ends, and a hundred others speak meanwhile",
    ),
    Fault(
        "waiting targets count as stuck",
        liveness,
        "overdue_reason",
        "not is_awaited",
        "False",
        found_by="one dies while it compares",
    ),
    Fault(
        "results are not waited for",
        Caster,
        "_advance",
        "lambda target: target.result is not None",
        "lambda target: True",
        found_by="nothing to do",
    ),
    Fault(
        "the plan is made without the slowest target",
        Caster,
        "_advance_comparing",
        "self.roster.every(lambda target: target.compared is not None)",
        "any(target.compared for target in self.roster.live)",
        found_by="one dies while it compares",
    ),
    Fault(
        "contents are cast before targets hold the plan",
        Caster,
        "_advance",
        "self.roster.every(lambda target: target.awaits(contents))",
        "True",
    ),
    Fault(
        "pages that only a dead target wanted are cast",
        Caster,
        "_forget",
        "self._rounds.note_wants()",
        "pass",
        found_by="one that lacks what the others have dies",
    ),
    Fault(
        "a target that reports no wants gets nothing",
        Roster,
        "all_wants",
        "if target.wants is None]",
        "if False]",
        found_by="all of it was here before, but for one",
    ),
    Fault(
        "a restarted process is welcomed as its predecessor",
        Admission,
        "receive_hello",
        "target.hello.instance == hello.instance",
        "True",
        found_by="one starts again before the plan is made",
    ),
    Fault(
        "changed files are not cast again",
        Caster,
        "_advance_casting",
        "commits.changed and",
        "False and",
        found_by=AGAIN,
    ),
    Fault("the second plan is not received", Catcher, "_open_objects", ", ObjectKind.PLAN_AGAIN", "", found_by=AGAIN),
    Fault(
        "changed files are cast again before the others have arrived",
        Caster,
        "_advance_casting",
        "target.ready >= files and target.frontier(contents) >= pages",
        "True",
        found_by=AGAIN,
    ),
    Fault(
        "a stranger's packets count as answers",
        Reports,
        "receive",
        "is_believed=report is said",
        "is_believed=True",
        found_by="strangers steal hellos of the deaf",
    ),
)
