"""Faults in deciding when files are committed."""

from __future__ import annotations

from mrsync.protocol.receiving.grants import Grants
from mrsync.protocol.targets import commit_decisions
from mrsync.protocol.targets.commit_decisions import CommitDecisions
from mrsync.protocol.targets.roster import Target
from tests.sim.planted.fault import Fault

EACH = "each for itself: files are sat out and found changed, some only when a repair reads them again"
AGAIN = "files change while they are cast, some of them twice, and some vanish"
COMMIT_FAULTS = (
    Fault(
        "commits follow the fastest target",
        CommitDecisions,
        "update",
        "roster.lowest(lambda target: target.ready)",
        "max((target.ready for target in roster.live), default=0)",
    ),
    Fault(
        "ready is believed before sit-outs are known",
        Target,
        "ready",
        "self.report.log_end > self.log.offset",
        "False",
        found_by="files are sat out",
    ),
    Fault(
        "sit-outs are forgotten",
        CommitDecisions,
        "sit_out",
        "self._exceptions.add(index, index + 1)",
        "pass",
        found_by="files are sat out",
    ),
    Fault(
        "commits start where the fastest target is",
        CommitDecisions,
        "update",
        "roster.lowest(lambda target: target.committed)",
        "max((target.committed for target in roster.live), default=0)",
        found_by="files are sat out",
    ),
    Fault("exceptions are lost on the way", Grants, "take", "tuple(exceptions)", "()", found_by="files are sat out"),
    Fault(
        "files that were not read yet may be committed ahead",
        CommitDecisions,
        "_span",
        "self._read_end",
        "self.file_count",
        found_by=EACH,
    ),
    Fault(
        "a job is committed before all files are ready",
        CommitDecisions,
        "update",
        "ready < self.file_count",
        "False",
        found_by="all or nothing: all",
    ),
    Fault(
        "a job is committed although a target sits out a file",
        CommitDecisions,
        "veto",
        'return next(filter(None, map(_objection, roster)), "")',
        'return ""',
        found_by="all or nothing: one sits a file out",
    ),
    Fault(
        "a job is committed although a target is lost",
        commit_decisions,
        "_objection",
        "if target.is_ended:",
        "if False:",
        found_by="all or nothing: one dies",
    ),
    Fault(
        "a job is committed although a file has changed",
        CommitDecisions,
        "invalidate",
        "self.changed.add(index)",
        "pass",
        found_by="all or nothing: a file changes",
    ),
    Fault(
        "targets are not told to withdraw",
        Grants,
        "take",
        "status.phase is Phase.WITHDRAWING",
        "False",
        found_by="all or nothing: one dies",
    ),
    Fault(
        "files that are cast again are never granted",
        CommitDecisions,
        "cast_again",
        "+= file_count",
        "+= 0",
        found_by=AGAIN,
    ),
    Fault(
        "a job is committed although a file vanished",
        CommitDecisions,
        "cast_again",
        "difference_update(files)",
        "clear()",
        found_by="all or nothing: a file vanishes",
    ),
)
