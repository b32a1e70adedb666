"""Faults to plant in the cores, to see that the checkers find them; each replaces one piece of one function."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from typing import Any

import pytest

from mrsync.protocol.caster import Caster
from mrsync.protocol.catcher import Catcher
from mrsync.protocol.core.attention import Attention
from mrsync.protocol.core.log import LogReader
from mrsync.protocol.receiving.assembly import Assembly
from mrsync.protocol.receiving.grants import Grants
from mrsync.protocol.receiving.joining import Joining
from mrsync.protocol.receiving.reception import Reception
from mrsync.protocol.sending import coding, repairs
from mrsync.protocol.sending.flow import Audience
from mrsync.protocol.sending.losses import Losses
from mrsync.protocol.sending.repairs import Repairs
from mrsync.protocol.sending.schedule import Schedule
from mrsync.protocol.sending.transfer import Transfer
from mrsync.protocol.sending.window import Window
from mrsync.protocol.targets import commits, endings, liveness
from mrsync.protocol.targets.admission import Admission
from mrsync.protocol.targets.commits import Commits
from mrsync.protocol.targets.endings import Endings
from mrsync.protocol.targets.reach import Reach
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.protocol.targets.rounds import Rounds


@dataclass(frozen=True)
class Fault:
    """In `owner`'s function `name`, `right` becomes `wrong`."""

    what: str
    owner: Any
    name: str
    right: str
    wrong: str
    found_by: str = "loss"  # a case
    also: Fault | None = None  # where another part of the core makes up for this one

    def plant(self, patch: pytest.MonkeyPatch) -> None:
        """Put the fault in, wherever the function is known."""
        planted = self._planted()
        patch.setattr(self.owner, self.name, planted)
        for importer in (endings, repairs):
            if inspect.ismodule(self.owner) and hasattr(importer, self.name):
                patch.setattr(importer, self.name, planted)
        if self.also is not None:
            self.also.plant(patch)

    def _planted(self) -> Any:
        """The function with the fault in it."""
        function = inspect.getattr_static(self.owner, self.name)
        plain: Any = function.fget if isinstance(function, property) else function
        source = textwrap.dedent(inspect.getsource(plain))
        assert source.count(self.right) == 1, f"{self.right!r} is not where {self.what!r} is to be planted"
        namespace: dict[str, Any] = {}
        exec(source.replace(self.right, self.wrong), plain.__globals__, namespace)
        return namespace[self.name]


EACH = "each for itself: files are sat out and found changed, some only when a repair reads them again"
AGAIN = "files change while they are cast, some of them twice, and some vanish"
RIPE_AT_ONCE = Fault("", Schedule, "_is_ripe", "tx < self._tx_seen and ", "")
INVENTED_STAY = Fault("", Reception, "believe_tx", "self.tx_seen = tx", "self.tx_seen = max(self.tx_seen, tx)")
ANY_GENERATION = Fault("", Reception, "receive_packet", "generation > self._generation_max", "False")
FAULTS = (
    Fault("a packet counts for two", Assembly, "receive_packet", "~(1 << index)", "~(3 << index)"),
    Fault(
        "opened pages count as written",
        Assembly,
        "frontier",
        "_NOT_HELD",
        're.compile(b"[^" + bytes((OPENED, HELD)) + b"]")',
    ),
    Fault(
        "spoilt pages are not asked for again",
        Assembly,
        "rejected",
        "if key in self._partial:",
        "self._pages[page] = OPENED\n    if key in self._partial:",
        found_by="strangers invent packets",
    ),
    Fault(
        "a rejected page keeps its packets",
        Assembly,
        "rejected",
        "suspects or (1 << count_of(reading)) - 1",
        "self._partial[key]",
        found_by="packets are spoilt",
    ),
    Fault(
        "the highest reading wins",
        Assembly,
        "receive_packet",
        "missing = self._partial.get(key)",
        "missing = self._partial.get(key)\n"
        "    if any(other > reading for other in self._readings.get(page, ())): return Verdict.IGNORE",
        also=ANY_GENERATION,
        found_by="strangers invent packets",
    ),
    Fault(
        "pages under way count as lost",
        Transfer,
        "receive_claim",
        "mask, tx_seen) for",
        "mask, tx_seen + 1) for",
        also=RIPE_AT_ONCE,
        found_by="pages are read again for repairs that leave among first sends",
    ),
    Fault(
        "claims are believed at once",
        Transfer,
        "receive_claim",
        "mask, tx_seen) for",
        "mask, PLANNED) for",
        also=RIPE_AT_ONCE,
    ),
    Fault(
        "repairs for targets that are lost",
        Endings,
        "forget",
        "self._schedule.forget",
        "id",
        found_by="a death is noticed before its losses are repaired",
    ),
    Fault("a repair is never over", Transfer, "on_repaired", "self._last_tx[page] = tx", "pass"),
    Fault(
        "repairs that nobody can decode",
        coding,
        "combine",
        "not taken & targets and ",
        "",
        found_by="one hangs, and the others go on",
    ),
    Fault(
        "coded for ever",
        Repairs,
        "_is_plain",
        "or self._attempts.get(page, 0) >= CODED_ATTEMPTS_MAX",
        "",
        found_by="they need different files, so that they cannot decode for each other",
    ),
    Fault(
        "the readiest target decides",
        Commits,
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
        Commits,
        "sit_out",
        "self._exceptions.add(index, index + 1)",
        "pass",
        found_by="files are sat out",
    ),
    Fault(
        "commits start where the first target stands",
        Commits,
        "update",
        "roster.lowest(lambda target: target.committed)",
        "max((target.committed for target in roster.live), default=0)",
        found_by="they need different files, so that they cannot decode for each other",
    ),
    Fault("exceptions are lost on the way", Grants, "take", "tuple(exceptions)", "()", found_by="files are sat out"),
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
        Caster,
        "_receive_report",
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
        found_by="each for itself: files are sat out and found changed, some only when a repair reads them again",
    ),
    Fault("nobody is asked", Schedule, "handle_timeout", "return True", "return False"),
    Fault(
        "the deaf clock the caster",
        Audience,
        "is_answering",
        "now - flow.answered_at < ANSWER_S + 2 * self.round_s",
        "True",
        found_by="one is isolated, and the others do not wait for it",
    ),
    Fault(
        "reports that speak of invented tx numbers are dropped",
        Caster,
        "_receive_report",
        "said, report = report, self._schedule.believable(report)",
        "said = report\n    if report.tx_seen > self._schedule.tx:\n        return",
        also=INVENTED_STAY,
        found_by="strangers invent packets",
    ),
    Fault(
        "a catcher that was stopped takes that for silence",
        Attention,
        "woke",
        "lapse > LAPSE_S",
        "False",
        found_by="all are stopped together, as in a machine that sleeps",
    ),
    Fault(
        "targets are judged before all that they said was read",
        Caster,
        "handle_timeout",
        "is_drained and timers.take_expired(Timer.LIVENESS",
        "timers.take_expired(Timer.LIVENESS",
        found_by="the master is stopped when its patience with one ends, and a hundred others speak meanwhile",
    ),
    Fault(
        "those who wait count as stuck",
        liveness,
        "overdue_reason",
        "not _is_behind(target, expected)",
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
        "the plan is made without the slowest",
        Caster,
        "_advance_comparing",
        "self.roster.every(lambda target: target.compared is not None)",
        "any(target.compared for target in self.roster.live)",
        found_by="one dies while it compares",
    ),
    Fault(
        "everything is cast before anyone knows",
        Caster,
        "_advance",
        "self.roster.every(lambda target: target.awaits(contents))",
        "True",
    ),
    Fault(
        "what nobody wants is cast all the same",
        Rounds,
        "skip_unwanted",
        "self._has_unwanted and",
        "False and",
        found_by="all of it was here before",
    ),
    Fault(
        "what the dead wanted is cast all the same",
        Endings,
        "forget",
        "self._rounds.note_wants()",
        "pass",
        found_by="one that lacks what the others have dies",
    ),
    Fault(
        "who says nothing wants nothing",
        Roster,
        "all_wants",
        "if target.wants is None]",
        "if False]",
        found_by="all of it was here before, but for one",
    ),
    Fault(
        "the dead are welcomed as who they were",
        Admission,
        "receive_hello",
        "target.hello.instance == hello.instance",
        "True",
        found_by="one starts again before the plan is made",
    ),
    Fault("what was not read yet is vouched for", Commits, "_span", "self._vouched", "self.file_count", found_by=EACH),
    Fault(
        "some files flip before all are ready",
        Commits,
        "update",
        "ready < self.file_count",
        "False",
        found_by="all or nothing: all",
    ),
    Fault(
        "all flip though one sits a file out",
        Commits,
        "veto",
        'return next(filter(None, map(_objection, roster)), "")',
        'return ""',
        found_by="all or nothing: one sits a file out",
    ),
    Fault(
        "all flip though one is gone",
        commits,
        "_objection",
        "if target.is_ended:",
        "if False:",
        found_by="all or nothing: one dies",
    ),
    Fault(
        "all flip though a file has changed",
        Commits,
        "invalidate",
        "self.changed.add(index)",
        "pass",
        found_by="all or nothing: a file changes",
    ),
    Fault(
        "nobody is told to withdraw",
        Grants,
        "take",
        "status.phase is Phase.WITHDRAWING",
        "False",
        found_by="all or nothing: one dies",
    ),
    Fault(
        "what changed is not cast again",
        Caster,
        "_advance_casting",
        "commits.changed and",
        "False and",
        found_by=AGAIN,
    ),
    Fault("what is cast again is not told of", Catcher, "_open_objects", ", ObjectKind.PLAN_AGAIN", "", found_by=AGAIN),
    Fault("what is cast again is granted to nobody", Commits, "cast_again", "+= file_count", "+= 0", found_by=AGAIN),
    Fault(
        "what changed is cast again before the rest has come",
        Caster,
        "_advance_casting",
        "target.ready >= files and target.frontier(contents) >= pages",
        "True",
        found_by=AGAIN,
    ),
    Fault(
        "all flip though a file vanished",
        Commits,
        "cast_again",
        "difference_update(files)",
        "clear()",
        found_by="all or nothing: a file vanishes",
    ),
    Fault(
        "pages go to where a stolen hello came from",
        Reach,
        "receive_hello",
        "elif hello.token == target.path.token:",
        "if True:",
        found_by="strangers steal hellos of the deaf",
    ),
    Fault(
        "who never heard the group is not served",
        Reach,
        "_judge",
        "self._serve(target, NEVER_HEARD, now)",
        "pass",
        found_by="one does not hear the group",
    ),
    Fault(
        "who went deaf for a while gets copies for ever",
        Reach,
        "look",
        "self._take_back(now)",
        "pass",
        found_by="no multicast gets through for a while, and then it does again",
    ),
    Fault(
        "noise narrows the window for good",
        Losses,
        "_judge_trial",
        "return LossFinding.NOISE",
        "return LossFinding.CONGESTION",
        found_by="a fifth of all packets is lost on a longer way, whatever is sent",
    ),
    Fault(
        "what is on the way counts as queueing in buffers",
        Window,
        "on_progress",
        "self._on_the_way = delay.floor_s",
        "self._on_the_way = 0",
        found_by="a long way is filled, though buffers are small",
    ),
    Fault(
        "who goes deaf is not told that the master lives",
        Reach,
        "unanswering",
        "now - target.flow.answered_at > patience_s",
        "False",
        found_by="one goes deaf, and gets the rest by unicast",
    ),
    Fault(
        "who is forgotten does not join again",
        Joining,
        "_handle_silent_group",
        "self._tell(GroupSilent(was_heard=True))",
        "pass",
        found_by="a switch forgets everyone",
    ),
    Fault(
        "packets are as large as reach someone",
        Reach,
        "fix",
        "most = min(",
        "most = max(",
        found_by="one path carries small packets only",
    ),
    Fault(
        "smaller packets are not tried",
        Reach,
        "probes",
        "if is_short",
        "if False",
        found_by="one path carries small packets only",
    ),
    Fault(
        "a path that carries nothing is taken for a good one",
        Reach,
        "fix",
        "return narrow",
        "return []",
        found_by="one path carries nothing",
    ),
    Fault(
        "a stranger's packets count as answers",
        Caster,
        "_receive_report",
        "is_believed=report is said",
        "is_believed=True",
        found_by="strangers steal hellos of the deaf",
    ),
)
