"""Candidates: the sessions that a catcher hears of, until one of them has accepted it.

With a key file, the same secret serves many sessions, and anyone who recorded one can replay it. So a status only
proves that there was such a session. A welcome repeats this catcher's instance, which a recording cannot.
"""

from __future__ import annotations

import math

from mrsync.protocol.receiving.catcher_config import CatcherConfig
from mrsync.protocol.receiving.hearing import Hearing
from mrsync.wire.messages import Hello, Phase, Probe, Status

CANDIDATES_MAX = 64  # about 2 KB each; with more sessions, the oldest is dropped


class Candidate:
    """One session: its last status, what is received of it, and when the last hello was sent (seconds)."""

    def __init__(self, status: Status) -> None:
        self.session = status.session
        self.status = status
        self.evidence: Status | None = None  # the last status that shows which packets should have arrived
        self.hearing = Hearing()
        self.heard_at = -math.inf
        self.hello_at = -math.inf
        self.welcome_counter = 0  # of the last one received
        self.is_refused = False
        self._probe_counter = 0

    def receive_status(self, status: Status, now: float, *, is_cast: bool) -> None:
        """Take a newer status. If it came by unicast, it does not show which packets of the group were lost."""
        self.status = status
        self.heard_at = now
        if is_cast or self.hearing.is_deaf:
            self.evidence = status
        self.hearing.receive_status(is_cast=is_cast)

    def receive_probe(self, probe: Probe, *, is_cast: bool) -> bool:
        """Take a probe. Return False if it is not newer than the last one."""
        is_newer = probe.counter > self._probe_counter
        if is_newer:
            self._probe_counter = probe.counter
            self.hearing.receive_probe(probe.size_bytes, is_cast=is_cast)
        return is_newer

    def say_hello(self, config: CatcherConfig, counter: int) -> Hello:
        """Return a hello with what this catcher is, and what it receives of the session."""
        group_bytes, unicast_bytes, token = self.hearing.say(counter)
        return Hello(
            target=config.target,
            instance=config.instance,
            counter=counter,
            seals=config.seals,
            buffer_bytes=config.buffer_bytes,
            retained_pages=config.retained_pages,
            group_bytes=group_bytes,
            unicast_bytes=unicast_bytes,
            token=token,
            host=config.host,
            version=config.version,
            compressions=config.compressions,
        )


class Candidates:
    """At most CANDIDATES_MAX sessions by id. The one whose last new status is oldest is dropped first."""

    def __init__(self) -> None:
        self._known: dict[int, Candidate] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, session: int) -> bool:
        return session in self._known

    def find(self, session: int) -> Candidate | None:
        """Return the candidate with this session id, or None."""
        return self._known.get(session)

    def receive_status(self, status: Status, now: float, *, is_cast: bool) -> Candidate | None:
        """Take a status. Return the candidate, or None if the status is old or its session is over."""
        known = self._known.pop(status.session, None)
        if known is not None and status.counter <= known.status.counter:
            self._known[status.session] = known
            return None
        if status.phase in (Phase.DONE, Phase.ABORTED):
            return None
        candidate = self._known[status.session] = known or Candidate(status)
        candidate.receive_status(status, now, is_cast=is_cast)
        candidate.hearing.doubt_group()
        if len(self._known) > CANDIDATES_MAX:
            del self._known[next(iter(self._known))]
        return candidate

    def heard_since(self, since: float) -> list[Candidate]:
        """Return the sessions that have sent a new status since then, and have not refused this catcher."""
        return [found for found in self._known.values() if found.heard_at >= since and not found.is_refused]
