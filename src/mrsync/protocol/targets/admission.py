"""Admission: answer the hellos of catchers, and decide which of them take part."""

from __future__ import annotations

from typing import Callable

from mrsync.protocol.core.sends import Address
from mrsync.protocol.core.states import TargetTrigger
from mrsync.protocol.targets.endings import Endings
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.reach import Reach
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.messages import Hello

TAKEOVER_S = 2.0  # while its catcher was heard that recently, a target id is taken


class Admission:
    """Admit the catchers of targets that are expected, each once.

    is_closed: the plan is made for the targets that have joined by now, so no other process may replace one of them.
    refusal: returns why a catcher with this hello cannot take part, or "". on_joined: called with the target, its hello
    and the time when a target was admitted.
    """

    def __init__(
        self,
        roster: Roster,
        outbox: Outbox,
        reach: Reach,
        endings: Endings,
        refusal: Callable[[Hello], str],
        on_joined: Callable[[Target, Hello, float], None],
    ) -> None:
        self.is_closed = False
        self._roster = roster
        self._outbox = outbox
        self._reach = reach
        self._endings = endings
        self._refusal = refusal
        self._on_joined = on_joined

    def receive_hello(self, hello: Hello, source: Address, now: float) -> None:
        """Admit a catcher, confirm its hello if it was admitted before, or refuse it with the reason."""
        target = self._roster.find(hello.target)
        if target is None:
            self._outbox.refuse(hello, source, "this number is not on the caster's roster")
        elif target.is_ended or hello.instance in target.former:
            self._outbox.refuse(hello, source, target.reason or "another process has replaced this one")
        elif target.is_live and target.hello is not None and target.hello.instance == hello.instance:
            hello = hello._replace(
                seals=target.hello.seals, compressions=target.hello.compressions
            )  # it was admitted with these
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
        refusal = self._refusal(hello)
        if target.is_live:
            self._endings.forget(target, now)
            target = self._roster.renew(target)
        if refusal:
            self._endings.end(target, TargetTrigger.REFUSAL, refusal, now)
            self._outbox.refuse(hello, source, refusal)
            return
        self._roster.admit(target, hello, source, now)
        self._outbox.welcome(target, hello, source, self._reach.receive_hello(target, hello, source, now))
        self._on_joined(target, hello, now)


def is_taken(target: Target, now: float) -> bool:
    """Return whether another process is active under this target's id."""
    return target.is_live and now - target.progress.heard_at < TAKEOVER_S
