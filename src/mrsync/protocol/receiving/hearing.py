"""Hearing: what a catcher hears of its caster, on the group and by unicast, and what it tells of that in its hellos."""

from __future__ import annotations

from mrsync.protocol.core.timers import keepalive_s

SILENT_KEEPALIVES = 2  # of a group with 10 statuses/s: a switch has forgotten us
REJOINS_MAX = 2  # in vain; then the group is given up
COPIES_MAX = 1  # while a master is sought: who gets more, and nothing from the group, does not hear it any more
STATUS_COUNTS_AS = 1  # byte: it shows that something is heard, and nothing of larger packets

State = tuple[int, int, int]
NOTHING: State = (-1, 0, 0)  # was said yet


class Hearing:
    """The largest probes heard, the last token, what the caster is known to know of that, and the silence of the group.

    A catcher is deaf when it has not heard the group yet, or has given it up; then what comes by unicast counts.
    """

    def __init__(self) -> None:
        self.group_bytes = 0
        self.unicast_bytes = 0
        self.token = 0
        self._said: State = NOTHING
        self._said_since = 0  # counter of the first hello that said so
        self._known: State = NOTHING
        self._rejoins = 0
        self._copies = 0  # statuses by unicast since the group was heard last, or joined again

    @property
    def is_deaf(self) -> bool:
        return not self.group_bytes

    @property
    def has_news(self) -> bool:
        """Whether the caster has to hear again what is heard here."""
        return self._state() != self._known

    @property
    def lacks_probe(self) -> bool:
        """Whether nothing larger than a status was heard."""
        return (self.group_bytes or self.unicast_bytes) <= STATUS_COUNTS_AS

    @property
    def is_said(self) -> bool:
        """Whether the last hello said it; it may be under way."""
        return self._state() == self._said

    def hear_status(self, *, is_cast: bool) -> None:
        """A genuine status came."""
        self.hear_probe(STATUS_COUNTS_AS, is_cast=is_cast)
        if is_cast:
            self._rejoins = self._copies = 0
        else:
            self._copies += 1

    def hear_probe(self, size_bytes: int, *, is_cast: bool) -> None:
        """A genuine probe of this size came."""
        if is_cast:
            self.group_bytes = max(self.group_bytes, size_bytes)
        else:
            self.unicast_bytes = max(self.unicast_bytes, size_bytes)

    def say(self, counter: int) -> State:
        """group_bytes, unicast_bytes and token for the hello with this counter."""
        if not self.is_said:
            self._said, self._said_since = self._state(), counter
        return self.group_bytes, self.unicast_bytes, self.token

    def receive_welcome(self, hello: int, token: int) -> None:
        """The caster has the hello with that counter."""
        self.token = token or self.token
        if hello >= self._said_since:
            self._known = self._said

    def patience_s(self, ack_wait_s: float) -> float:
        """How long the group may be silent; in vain joined again it is given up before the caster's patience ends."""
        return (1 if self._rejoins else SILENT_KEEPALIVES) * keepalive_s(ack_wait_s)

    def fall_silent(self) -> bool:
        """Nothing came from the group for `patience_s`; True: join it again, False: it is given up."""
        if self._rejoins < REJOINS_MAX or not self._copies:
            self._rejoins += 1
            self._copies = 0
            return True
        self.group_bytes = 0
        return False

    def doubt_group(self) -> None:
        """Forget what came from the group before, if nothing but unicast came for a while. For who seeks a master."""
        if self._copies > COPIES_MAX:
            self.group_bytes = 0

    def _state(self) -> State:
        """What matters of it: who hears the group is served by that, whatever else reaches it."""
        return (self.group_bytes, 0, 0) if self.group_bytes else (0, self.unicast_bytes, self.token)
