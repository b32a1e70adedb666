"""Hearing: what a catcher receives from its caster, by multicast and unicast, and what its hellos say about that."""

from __future__ import annotations

from mrsync.protocol.core.timers import keepalive_s

SILENT_KEEPALIVES = 2  # silence of a group with 10 statuses/s: a switch has dropped our membership
REJOINS_MAX = 2  # without success; then the group is given up
COPIES_MAX = 1  # with more statuses by unicast, and none from the group, a catcher without a session is deaf
STATUS_COUNTS_AS = 1  # byte: it shows that something arrives, and nothing about larger packets

State = tuple[int, int, int]
NOTHING: State = (-1, 0, 0)  # before the first hello


class Hearing:
    """The largest probes received, the last token, what the caster knows of that, and the silence of the group.

    A catcher is deaf if it has received nothing from the group, or has given it up. Then unicast counts.
    """

    def __init__(self) -> None:
        self.group_bytes = 0
        self.unicast_bytes = 0
        self.token = 0
        self._said: State = NOTHING
        self._said_since = 0  # counter of the first hello that said it
        self._known: State = NOTHING
        self._rejoins = 0
        self._copies = 0  # statuses by unicast since something last came from the group, or it was joined again

    @property
    def is_deaf(self) -> bool:
        return not self.group_bytes

    @property
    def has_news(self) -> bool:
        """Whether the caster does not know yet what arrives here."""
        return self._state() != self._known

    @property
    def lacks_probe(self) -> bool:
        """Whether nothing larger than a status was received."""
        return (self.group_bytes or self.unicast_bytes) <= STATUS_COUNTS_AS

    @property
    def is_said(self) -> bool:
        """Whether the last hello, which may still be under way, reported the present state."""
        return self._state() == self._said

    def receive_status(self, *, is_cast: bool) -> None:
        """Take an authentic status."""
        self.receive_probe(STATUS_COUNTS_AS, is_cast=is_cast)
        if is_cast:
            self._rejoins = self._copies = 0
        else:
            self._copies += 1

    def receive_probe(self, size_bytes: int, *, is_cast: bool) -> None:
        """Take an authentic probe of this size."""
        if is_cast:
            self.group_bytes = max(self.group_bytes, size_bytes)
        else:
            self.unicast_bytes = max(self.unicast_bytes, size_bytes)

    def say(self, counter: int) -> State:
        """Return group_bytes, unicast_bytes and token for the hello with this counter."""
        if not self.is_said:
            self._said, self._said_since = self._state(), counter
        return self.group_bytes, self.unicast_bytes, self.token

    def receive_welcome(self, hello: int, token: int) -> None:
        """Note that the caster has the hello with that counter."""
        self.token = token or self.token
        if hello >= self._said_since:
            self._known = self._said

    def patience_s(self, ack_wait_s: float) -> float:
        """Return how many seconds the group may be silent.

        If joining it again does not help, it is given up before the caster's ack wait ends.
        """
        return (1 if self._rejoins else SILENT_KEEPALIVES) * keepalive_s(ack_wait_s)

    def fall_silent(self) -> bool:
        """Note that the group was silent for patience_s. Return True to join it again, False if it is given up."""
        if self._rejoins < REJOINS_MAX or not self._copies:
            self._rejoins += 1
            self._copies = 0
            return True
        self.group_bytes = 0
        return False

    def doubt_group(self) -> None:
        """Forget the group, if only unicast has arrived for a while. For catchers without a session."""
        if self._copies > COPIES_MAX:
            self.group_bytes = 0

    def _state(self) -> State:
        """Return what matters to the caster: with multicast, unicast does not matter."""
        return (self.group_bytes, 0, 0) if self.group_bytes else (0, self.unicast_bytes, self.token)
