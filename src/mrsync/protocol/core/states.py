"""All states and transitions of the protocol. A transition that is not in these tables is illegal."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

from mrsync.wire.messages import Phase


class Trigger(Enum):
    """Causes for the session to enter another phase."""

    GATHERED = "everyone expected is present, or the wait is over and someone is"
    PLANNED = "all have compared and some contents are needed"
    NOTHING_PLANNED = "all have compared and no contents are needed"
    PLAN_HELD = "every live target holds the plan and waits for contents"
    CHANGED = "every live target holds the contents, and some of the source had changed by then"
    COMMITTED = "every live target has committed every planned file"
    VETOED = "all or nothing was asked for, and a target or a file has failed"
    RESULTS_KNOWN = "the result of every live target is known"
    ABANDONED = "a signal, no target left, or a bad target under --quit-on-bad"


class RosterState(Enum):
    """State of a target on the roster. All but the first two are final."""

    EXPECTED = "not heard of yet"
    PRESENT = "welcomed and answering"
    DONE = "its result is known"
    LOST = "silent, stuck or failed during the session"
    UNREACHABLE = "not heard of in time"
    REFUSED = "turned away"


class TargetTrigger(Enum):
    """Causes for a target to enter another state."""

    HELLO = "it said hello"
    RESULT = "its result came in and the session ends"
    SILENCE = "nothing was heard, or nothing got done, for the ack wait"
    FAILURE = "it reported that it cannot go on, or came back as another process"
    REFUSAL = "it cannot take part in this session"
    ABSENCE = "the plan is fixed, and it has not come"
    ABORT = "the session was aborted"


class CatcherState(Enum):
    """State of a catcher."""

    SEEKING = "says hello to every session that it hears of"
    JOINED = "takes part in the session that welcomed it"
    ENDED = "the session is over for this target"


class CatcherTrigger(Enum):
    """Causes for a catcher to enter another state."""

    WELCOME = "the caster repeated our instance"
    FAREWELL = "the caster said farewell to our instance, or the session's status says done or aborted"
    MASTER_SILENT = "nothing genuine was heard for too long"
    STOP = "stopped from outside"


PHASES: Mapping[Phase, Mapping[Trigger, Phase]] = {
    Phase.GATHERING: {Trigger.GATHERED: Phase.COMPARING, Trigger.ABANDONED: Phase.ABORTED},
    Phase.COMPARING: {
        Trigger.PLANNED: Phase.PLANNING,
        Trigger.NOTHING_PLANNED: Phase.FINISHING,
        Trigger.VETOED: Phase.WITHDRAWING,
        Trigger.ABANDONED: Phase.ABORTED,
    },
    Phase.PLANNING: {
        Trigger.PLAN_HELD: Phase.CASTING,
        Trigger.VETOED: Phase.WITHDRAWING,
        Trigger.ABANDONED: Phase.ABORTED,
    },
    Phase.CASTING: {
        Trigger.CHANGED: Phase.PLANNING,
        Trigger.COMMITTED: Phase.FINISHING,
        Trigger.VETOED: Phase.WITHDRAWING,
        Trigger.ABANDONED: Phase.ABORTED,
    },
    Phase.FINISHING: {Trigger.RESULTS_KNOWN: Phase.DONE, Trigger.ABANDONED: Phase.ABORTED},
    Phase.WITHDRAWING: {Trigger.RESULTS_KNOWN: Phase.DONE, Trigger.ABANDONED: Phase.ABORTED},
    Phase.DONE: {},
    Phase.ABORTED: {},
}

TARGETS: Mapping[RosterState, Mapping[TargetTrigger, RosterState]] = {
    RosterState.EXPECTED: {
        TargetTrigger.HELLO: RosterState.PRESENT,
        TargetTrigger.REFUSAL: RosterState.REFUSED,
        TargetTrigger.FAILURE: RosterState.UNREACHABLE,
        TargetTrigger.ABSENCE: RosterState.UNREACHABLE,
        TargetTrigger.ABORT: RosterState.UNREACHABLE,
    },
    RosterState.PRESENT: {
        TargetTrigger.RESULT: RosterState.DONE,
        TargetTrigger.SILENCE: RosterState.LOST,
        TargetTrigger.FAILURE: RosterState.LOST,
        TargetTrigger.REFUSAL: RosterState.REFUSED,
        TargetTrigger.ABORT: RosterState.LOST,
    },
    RosterState.DONE: {},
    RosterState.LOST: {},
    RosterState.UNREACHABLE: {},
    RosterState.REFUSED: {},
}

CATCHERS: Mapping[CatcherState, Mapping[CatcherTrigger, CatcherState]] = {
    CatcherState.SEEKING: {
        CatcherTrigger.WELCOME: CatcherState.JOINED,
        CatcherTrigger.FAREWELL: CatcherState.ENDED,
        CatcherTrigger.MASTER_SILENT: CatcherState.ENDED,
        CatcherTrigger.STOP: CatcherState.ENDED,
    },
    CatcherState.JOINED: {
        CatcherTrigger.FAREWELL: CatcherState.ENDED,
        CatcherTrigger.MASTER_SILENT: CatcherState.ENDED,
        CatcherTrigger.STOP: CatcherState.ENDED,
    },
    CatcherState.ENDED: {},
}

S = TypeVar("S", bound=Enum)
T = TypeVar("T", bound=Enum)


def step(table: Mapping[S, Mapping[T, S]], state: S, trigger: T) -> S:
    """Return the next state. Raise RuntimeError for an illegal transition, which is a bug."""
    try:
        return table[state][trigger]
    except KeyError:
        raise RuntimeError(f"{trigger} is illegal in {state}") from None
