"""The selection: what of the source is taken, and how it is changed on the way; known to the master only."""

from __future__ import annotations

from typing import NamedTuple

from mrsync.tree.modes import ModeChange
from mrsync.tree.owners import NewOwner


class Selection(NamedTuple):
    """mode_changes, user, group: what all entries get instead of their own (--chmod, --chown)."""

    mode_changes: tuple[ModeChange, ...] = ()
    user: NewOwner | None = None
    group: NewOwner | None = None
