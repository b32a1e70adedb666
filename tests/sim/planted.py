"""Faults to plant in the cores, to see that the checkers find them; each replaces one piece of one function."""

from __future__ import annotations

import inspect
import textwrap
from dataclasses import dataclass
from typing import Any

from mrsync.protocol import coding, liveness
from mrsync.protocol.assembly import Assembly
from mrsync.protocol.caster import Caster
from mrsync.protocol.catcher import Catcher
from mrsync.protocol.commits import Commits
from mrsync.protocol.log import LogReader
from mrsync.protocol.reception import Reception
from mrsync.protocol.repairs import Repairs
from mrsync.protocol.roster import Roster, Target
from mrsync.protocol.schedule import Schedule
from mrsync.protocol.transfer import Transfer


@dataclass(frozen=True)
class Fault:
    """In `owner`'s function `name`, `right` becomes `wrong`; seeds from `seed` on find it."""

    what: str
    owner: Any
    name: str
    right: str
    wrong: str
    seed: int = 0

    def planted(self) -> Any:
        """The function with the fault in it."""
        function: Any = inspect.getattr_static(self.owner, self.name)
        plain = function.fget if isinstance(function, property) else function
        source = textwrap.dedent(inspect.getsource(plain))
        assert source.count(self.right) == 1, f"{self.right!r} is not where {self.what!r} is to be planted"
        namespace: dict[str, Any] = {}
        exec(source.replace(self.right, self.wrong), plain.__globals__, namespace)
        return namespace[self.name]


FAULTS = (
    Fault("a packet counts for two", Assembly, "receive_packet", "~(1 << index)", "~(3 << index)"),
    Fault("opened pages count as written", Assembly, "frontier", "== HELD", ">= OPENED"),
    Fault("spoilt pages are not asked for again", Assembly, "rejected", "= ABSENT", "= OPENED"),
    Fault("a rejected page keeps its packets", Assembly, "rejected", "self._partial.pop(page, None)", "pass"),
    Fault("the highest generation wins", Assembly, "receive_packet", "known[0] != generation", "known[0] < generation"),
    Fault("pages under way count as lost", Transfer, "receive_claim", ">= tx_seen", "> tx_seen"),
    Fault("claims are believed at once", Transfer, "receive_claim", "self._last_tx[page] >= tx_seen", "False"),
    Fault(
        "what a target got meanwhile is repaired all the same", Transfer, "receive_claim", "if page < end:", "if False:"
    ),
    Fault("repairs for targets that are lost", Caster, "_forget", "self._schedule.transfer.forget_target", "id"),
    Fault("a repair is never over", Transfer, "on_repaired", "= tx", "= self._last_tx[page]"),
    Fault("a repair is over before it is sent", Transfer, "take", "self._last_tx[page] = PLANNED", "pass"),
    Fault("repairs that nobody can decode", coding, "combine", "not taken & targets and ", ""),
    Fault("coded for ever", Repairs, "_is_plain", "or self._attempts.get(page, 0) >= CODED_ATTEMPTS_MAX", ""),
    Fault(
        "the readiest target decides",
        Commits,
        "update",
        "roster.lowest(lambda target: target.ready)",
        "max((target.ready for target in roster.live), default=0)",
    ),
    Fault(
        "ready is believed before sit-outs are known", Target, "ready", "self.report.log_end > self.log.offset", "False"
    ),
    Fault("sit-outs are forgotten", Commits, "except_file", "self._exceptions.add(index, index + 1)", "pass"),
    Fault(
        "commits start where the first target stands",
        Commits,
        "update",
        "roster.lowest(lambda target: target.committed)",
        "max((target.committed for target in roster.live), default=0)",
    ),
    Fault("a catcher commits what it is told", Catcher, "_grant", "min(span.end, self._reporter.ready)", "span.end"),
    Fault("exceptions are lost on the way", Catcher, "_grant", "tuple(exceptions)", "()"),
    Fault("old statuses count", Catcher, "_receive_status", "status.counter <= self._status.counter", "False"),
    Fault("old reports count", Caster, "_receive_report", "report.counter <= old.counter", "False"),
    Fault("log pieces are taken twice", LogReader, "feed", "piece[-fresh:]", "piece"),
    Fault("nobody is asked", Schedule, "handle_timeout", "return True", "return False"),
    Fault("a closed window stays closed", Schedule, "handle_timeout", "self._is_probing = True", "pass"),
    Fault(
        "the deaf clock the caster",
        Roster,
        "is_answering",
        "now - target.answered_at < ANSWER_S + 2 * self.round_s",
        "True",
    ),
    Fault(
        "invented tx numbers stay",
        Reception,
        "believe",
        "self.tx_seen = status.tx",
        "self.tx_seen = max(self.tx_seen, status.tx)",
    ),
    Fault("invented tx numbers count", Caster, "_believable", "report.tx_done <= report.tx_seen <= tx", "True"),
    Fault("the silent are waited for", liveness, "overdue_reason", "now - target.heard_at > ack_wait_s", "False"),
    Fault("those who wait count as stuck", liveness, "overdue_reason", "not _is_behind(target, expected)", "False"),
    Fault(
        "results are not waited for",
        Caster,
        "_advance",
        "lambda target: target.result is not None",
        "lambda target: True",
    ),
    Fault(
        "the plan is made without the slowest",
        Caster,
        "_advance",
        "self.roster.every(lambda target: target.compared is not None)",
        "any(target.compared for target in self.roster.live)",
    ),
    Fault("everything is cast before anyone knows", Caster, "_advance", "self.roster.every(_awaits_contents)", "True"),
    Fault(
        "the dead are welcomed as who they were",
        Caster,
        "_receive_hello",
        "target.hello.instance == hello.instance",
        "True",
    ),
)
