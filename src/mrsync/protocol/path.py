"""Path: by which way, and to which address, a target is reached."""

from __future__ import annotations

from dataclasses import dataclass

from mrsync.protocol.sends import Address


@dataclass
class Path:
    """What is known of one target's way; times in seconds of the caller's clock."""

    source: Address = None  # where its last report came from
    shortfalls: int = 0  # its hellos, one after another, that say late that what is needed does not come
    asked_at: Address = None  # where its last hello came from, and
    token: int = 0  # was answered to with this
    verified: Address = None  # an address that its hello repeated the token of
    why_unicast: str = ""  # pages come to `verified`; empty: to the group
    routed_at: float = 0.0  # when it changed
    copy_at: float = 0.0  # before that no status goes to it by unicast

    @property
    def is_unicast(self) -> bool:
        """Whether the target is sent by unicast what others hear on the group."""
        return bool(self.why_unicast)
