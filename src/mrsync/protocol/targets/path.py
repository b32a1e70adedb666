"""Path: by which way, and to which address, a target is reached."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mrsync.protocol.core.sends import Address


class Via(Enum):
    """Whom a target's pages come from."""

    CASTER = "caster"  # by the group, or by unicast
    RELAY = "relay"  # another target passes them on
    NOBODY = "nobody"  # it does not answer, or waits for another relay


@dataclass
class TargetPath:
    """What is known of one target's way; times in seconds of the caller's clock."""

    source: Address = None  # where its last report came from
    shortfalls: int = 0  # its hellos, one after another, that say late that what is needed does not come
    asked_at: Address = None  # where its last hello came from, and
    token: int = 0  # was answered to with this
    verified: Address = None  # an address that its hello repeated the token of
    why_unicast: str = ""  # pages come to `verified`; empty: to the group
    routed_at: float = 0.0  # when it changed
    copy_at: float = 0.0  # before that no status goes to it by unicast

    via: Via = Via.CASTER
    parent: str = ""  # name of the target that passes pages on to this one

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
        """Whether the target is sent by unicast what others hear on the group."""
        return bool(self.why_unicast)
