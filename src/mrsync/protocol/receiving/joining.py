"""Joining: find a session that accepts this catcher, and report on which paths it is heard."""

from __future__ import annotations

import math
from typing import Callable

from mrsync.protocol.core.events import CatcherEvent, GroupGivenUp, GroupSilent
from mrsync.protocol.core.sends import CatcherSend, SendKnock, SendMessage
from mrsync.protocol.core.timers import Timer, TimerTable
from mrsync.protocol.receiving.candidates import Candidate, Candidates
from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.wire.limits import CONTROL_BYTES_MAX
from mrsync.wire.messages import Knock, Probe, Status, Welcome

HELLO_S = 0.1
HELLO_GROWTH, HELLO_MAX_S = 1.5, 1.0  # of the time between two that say the same
DEAF_HELLO_S = 0.2  # between hellos to a session that is heard by unicast only: its statuses follow knocks
DOUBTS_S = 0.3  # repeat HELLO if no probe has arrived
KNOCK_S = 0.2  # a status is due every 0.02 s
KNOCK_MAX_S = 1.0
KNOCK_GROWTH = 1.5
RIVAL_S = 2.0  # wait only for sessions that sent a new status this recently, so that replays cause little traffic
SEEKING_REJOIN_S = 60.0  # switches forget a member after 260 s


class Joining:
    """The sessions that may accept this catcher, and then the one that did: `joined`.

    timers: KNOCK, HELLO and REJOIN are set here. next_counter: numbers messages. say, tell: take messages for the
    caster and events for the driver.
    """

    def __init__(
        self,
        config: CatcherConfig,
        timers: TimerTable,
        next_counter: Callable[[], int],
        say: Callable[[CatcherSend], None],
        tell: Callable[[CatcherEvent], None],
    ) -> None:
        self.joined: Candidate | None = None
        self._config = config
        self._timers = timers
        self._next_counter = next_counter
        self._say = say
        self._tell = tell
        self._candidates = Candidates()
        self._hello_s = HELLO_S  # until the next hello, if nothing answers
        self._knock_s = KNOCK_S if config.has_group else 0.0

    @property
    def hears_session(self) -> bool:
        """Whether any session is heard."""
        return self.joined is not None or len(self._candidates) > 0

    def start(self, now: float) -> None:
        """Start to look for a session."""
        if self._config.has_group:
            self._timers.set(Timer.REJOIN, now + SEEKING_REJOIN_S)
        if self._config.knows_master:
            self._timers.set(Timer.KNOCK, now + self._knock_s)

    def knows(self, session: int) -> bool:
        """Return whether messages of this session may still matter."""
        return session in self._candidates if self.joined is None else session == self.joined.session

    def find(self, session: int) -> Candidate | None:
        """Return the session with this id that has neither accepted this catcher nor been dropped, or None."""
        return self._candidates.find(session)

    def handle_timeout(self, now: float, *, is_drained: bool) -> None:
        """Do what is due. is_drained: all received datagrams were read; otherwise the group may not be silent."""
        if self._timers.take_expired(Timer.KNOCK, now):
            self._knock(now)
        if self._timers.take_expired(Timer.HELLO, now):
            self._repeat_hello(now)
        if is_drained and self._timers.take_expired(Timer.REJOIN, now):
            self._handle_silent_group(now)

    # before a session has accepted this catcher

    def seek(self, status: Status, now: float, *, is_cast: bool) -> None:
        """Send a hello to a session after a new status.

        Statuses of the group come again soon, so a lost hello is repeated after the next one, and replays cause no more
        traffic. One by unicast comes only after a knock.
        """
        candidate = self._candidates.receive_status(status, now, is_cast=is_cast)
        if candidate is None:
            return
        if is_cast and self._config.knows_master:
            self._timers.set(Timer.KNOCK, now + self._knock_s)
        if now - candidate.hello_at >= self._hello_s and not candidate.is_refused:
            self._say_hello(candidate, now)

    def join(self, candidate: Candidate, now: float) -> None:
        """Note that this session has accepted the catcher. Forget all others."""
        self.joined, self._candidates = candidate, Candidates()
        candidate.is_refused = False
        self._timers.stop(Timer.KNOCK)
        self.hear_group(candidate, now)
        self._timers.set(Timer.HELLO, candidate.hello_at + HELLO_S)

    def refuse(self, candidate: Candidate, now: float) -> bool:
        """Note that this session refuses the catcher. Return whether no other one may still accept it."""
        candidate.is_refused = True
        return not self._candidates.heard_since(now - RIVAL_S)

    # what a session sends

    def receive_probe(self, candidate: Candidate, probe: Probe, now: float, *, is_cast: bool) -> None:
        """Take a probe, and report it to the session unless that has refused this catcher."""
        if candidate.receive_probe(probe, is_cast=is_cast) and not candidate.is_refused:
            self.tell_hearing(candidate, now, may_doubt=False)

    def receive_welcome(self, joined: Candidate, welcome: Welcome, now: float) -> None:
        """Take a welcome that is newer than the last one: it acknowledges a hello."""
        joined.welcome_counter = welcome.counter
        joined.hearing.receive_welcome(welcome.hello, welcome.token)
        self._hello_s = HELLO_S
        if not joined.hearing.has_news:
            self._timers.stop(Timer.HELLO)
        self.tell_hearing(joined, now, may_doubt=False)

    def hear_group(self, joined: Candidate, now: float) -> None:
        """Note that the session is heard on the path that its pages take."""
        self._timers.set(Timer.REJOIN, now + joined.hearing.patience_s(joined.status.ack_wait_s))

    def tell_hearing(self, candidate: Candidate, now: float, *, may_doubt: bool) -> None:
        """Send a hello at once if the caster does not know what is received here, and no hello is under way.

        may_doubt: statuses arrive on a path on which probes do not, so the hello is repeated sooner.
        """
        hearing = candidate.hearing
        is_doubtful = may_doubt and hearing.lacks_probe and now - candidate.hello_at > DOUBTS_S
        if is_doubtful or (hearing.has_news and not hearing.is_said):
            self._say_hello(candidate, now)

    def _say_hello(self, candidate: Candidate, now: float) -> None:
        """Send a hello to this session. A timer repeats it if it has accepted us, or is heard by unicast only."""
        self._say(SendMessage(candidate.say_hello(self._config, self._next_counter()), candidate.session))
        if candidate.hello_at > -math.inf:
            self._hello_s = min(HELLO_MAX_S, HELLO_GROWTH * self._hello_s)
        candidate.hello_at = now
        if candidate is self.joined:
            self._timers.set(Timer.HELLO, now + self._hello_s)
        elif candidate.hearing.is_deaf:
            self._timers.set(Timer.HELLO, now + DEAF_HELLO_S)

    def _repeat_hello(self, now: float) -> None:
        """Repeat the hello: to the session that has accepted us, or else to all that may and are heard by unicast."""
        waiting = [self.joined] if self.joined else self._candidates.heard_since(now - RIVAL_S)
        for candidate in waiting:
            if candidate is self.joined or candidate.hearing.is_deaf:
                self._say_hello(candidate, now)

    def _knock(self, now: float) -> None:
        """Ask the master for a status, at growing intervals, while no session is heard."""
        knock = Knock(self._config.target, self._config.instance, self._next_counter(), CONTROL_BYTES_MAX)
        self._say(SendKnock(knock))
        self._knock_s = min(KNOCK_MAX_S, max(KNOCK_S, self._knock_s * KNOCK_GROWTH))
        self._timers.set(Timer.KNOCK, now + self._knock_s)

    def _handle_silent_group(self, now: float) -> None:
        """React to the silence of the group: join it again, give it up, or send a hello if unicast is expected."""
        joined = self.joined
        if joined is None:
            self._tell(GroupSilent(was_heard=False))  # a switch may have dropped our membership meanwhile
            self._timers.set(Timer.REJOIN, now + SEEKING_REJOIN_S)
            return
        if joined.hearing.is_deaf:
            self._say_hello(joined, now)
        elif joined.hearing.fall_silent():
            self._tell(GroupSilent(was_heard=True))
        else:
            self._tell(GroupGivenUp())
            self._say_hello(joined, now)
        self.hear_group(joined, now)
