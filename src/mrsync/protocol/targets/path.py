"""Path: how, and at which address, a target is reached."""

from __future__ import annotations

from enum import Enum

from mrsync.protocol.core.sends import Address


class Via(Enum):
    """Where a target's pages come from."""

    CASTER = "caster"  # by multicast or unicast
    RELAY = "relay"  # another target forwards them
    NOBODY = "nobody"  # nowhere: it does not answer, or waits for another relay


class TargetPath:
    """The path to one target. Times are seconds of the caller's clock."""

    source: Address = None  # address of its last report
    shortfalls: int = 0  # consecutive hellos that say, after some time, that the needed probes do not arrive
    asked_at: Address = None  # address of its last hello
    token: int = 0  # sent to asked_at
    verified: Address = None  # the address whose token it has repeated
    why_unicast: str = ""  # why it is served by unicast, at `verified`; empty: it is not
    routed_at: float = 0.0  # when why_unicast changed
    copy_at: float = 0.0  # no status is copied to it before
    welcome_at: float = 0.0  # it is not welcomed again before

    via: Via = Via.CASTER
    parent: str = ""  # name of the target that forwards pages to this one

    @property
    def is_copied(self) -> bool:
        """Whether the caster sends a copy of every page to this target alone."""
        return self.is_unicast and self.is_direct

    @property
    def is_direct(self) -> bool:
        """Whether its pages come from the caster."""
        return self.via is Via.CASTER

    @property
    def is_unicast(self) -> bool:
        """Whether it is served by unicast what others receive from the group."""
        return bool(self.why_unicast)
