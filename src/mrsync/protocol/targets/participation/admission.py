"""Admission: decide which catchers take part, and with which seal, compression and packets.

Catchers join until all targets are compared. But the seal, the compression and the size of packets are chosen once,
when the manifest is to be cast: those that all targets present by then can use (`settle`). A late target is admitted
only if it can use them, too. When the plan is made (`close`), absent targets are given up, and no other process may
replace a target any more, because it might need files that were not planned.
"""

from __future__ import annotations

from typing import Callable

from mrsync.protocol.core.sends import Address
from mrsync.protocol.core.states import TargetTrigger
from mrsync.protocol.targets.endings import Endings
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.participation.compressions import Compressions
from mrsync.protocol.targets.participation.seals import Seals
from mrsync.protocol.targets.reach import Reach
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.messages import Hello

WELCOME_S = 0.2  # until a target is welcomed again that has not reported; half of the time since, later on
TAKEOVER_S = 2.0  # while its catcher was heard that recently, a target id is taken


class Admission:
    """Admit the catchers of targets that are expected, each once.

    is_closed: no more targets are admitted. on_joined: called with the target, its hello and the time when a target was
    admitted.
    """

    def __init__(
        self,
        roster: Roster,
        outbox: Outbox,
        reach: Reach,
        endings: Endings,
        seals: Seals,
        compressions: Compressions,
        on_joined: Callable[[Target, Hello, float], None],
    ) -> None:
        self.is_closed = False
        self._roster = roster
        self._outbox = outbox
        self._reach = reach
        self._endings = endings
        self._seals = seals
        self._compressions = compressions
        self._on_joined = on_joined

    def receive_hello(self, hello: Hello, source: Address, now: float) -> None:
        """Admit a catcher, confirm its hello if it was admitted before, or refuse it with the reason."""
        target = self._roster.find(hello.target)
        if target is None:
            self._outbox.refuse(hello, source, "this number is not on the caster's roster")
        elif target.is_ended or hello.instance in target.former:
            self._outbox.refuse(hello, source, target.reason or "another process has replaced this one")
        elif target.is_live and target.hello is not None and target.hello.instance == hello.instance:
            # It was admitted with these.
            hello = hello._replace(seals=target.hello.seals, compressions=target.hello.compressions)
            self._outbox.welcome(target, hello, source, self._reach.receive_hello(target, hello, source, now))
        elif is_taken(target, now):
            self._outbox.refuse(hello, source, f"another catcher answers as number {target.id} already")
        elif self.is_closed:  # and it is live: all others have ended
            self._endings.end(
                target, TargetTrigger.FAILURE, "came back as another process after the plan was fixed", now
            )
            self._outbox.refuse(hello, source, target.reason)
        else:
            self._admit(target, hello, source, now)

    def _admit(self, target: Target, hello: Hello, source: Address, now: float) -> None:
        refusal = self._seals.refusal(hello) or self._compressions.refusal(hello)
        if target.is_live:
            self._endings.forget(target, now)
            target = self._roster.renew(target)
        if refusal:
            self._endings.end(target, TargetTrigger.REFUSAL, refusal, now)
            self._outbox.refuse(hello, source, refusal)
            return
        self._roster.admit(target, hello, source, now)
        self._outbox.welcome(target, hello, source, self._reach.receive_hello(target, hello, source, now))
        target.path.welcome_at = now + WELCOME_S
        self._on_joined(target, hello, now)

    def repeat_welcomes(self, now: float) -> None:
        """Welcome those again that have not reported yet: the welcome may be lost, and so may all hellos since."""
        for target in self._roster.live:
            path = target.path
            if target.report is None and target.hello is not None and now >= path.welcome_at:
                path.welcome_at = now + max(WELCOME_S, (now - target.joined_at) / 2)
                self._outbox.welcome(target, target.hello, path.asked_at, path.token)

    def settle(self, now: float, *, is_last_call: bool) -> None:
        """Choose what all live targets can use, and refuse those that even the smallest packets do not reach.

        is_last_call: end targets that are absent; they also end if no target is live. Afterwards all may have ended.
        """
        if is_last_call or not self._roster.live:
            self._endings.end_absent(now)
        for target in self._reach.fix():
            self._endings.refuse_narrow(target, self._reach.least_mtu, now)
        if self._roster.live:
            self._outbox.seal = self._seals.choose(self._roster.live)
            self._compressions.choose(self._roster.live, are_all=not self._roster.expected)
            self._outbox.geometry = self._reach.step.geometry

    def close(self, now: float, reason: str = "") -> None:
        """Admit no more targets, and end absent ones, for this reason or because they are too late."""
        self.is_closed = True
        self._endings.end_absent(now, reason)


def is_taken(target: Target, now: float) -> bool:
    """Return whether another process is active under this target's id."""
    return target.is_live and now - target.progress.heard_at < TAKEOVER_S
