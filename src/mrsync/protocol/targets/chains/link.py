"""Link: how pages get from one target to another."""

from __future__ import annotations

from collections.abc import Sequence

from mrsync.protocol.targets.chains.islands import Island
from mrsync.protocol.targets.roster import Target


class Link:
    """A link from a parent to a child. island: pages are cast to it; None: they are sent to this child alone."""

    is_fed: bool = False
    has_fed: bool = False  # at some time
    known_since: float | None = None  # when both ends had confirmed it
    doubted_at: float | None = None  # since when it fails, while both ends are asked
    quiet: Sequence[Target] = ()  # others that are asked then, as their silence would hold up the next link
    is_stalled: bool = False  # nothing arrives, or too little, whatever the child reports
    is_slow: bool = False  # that is so because pages pass through it much more slowly than through others
    frontier: tuple[int, int] = (0, 0)  # object and pages that the child held when it was looked at last
    activity: int = 0  # pages that it has written, by its own count
    pause_s: float = 0.0  # for how long it held no more than before, although its parent did, smoothed

    def __init__(
        self, number: int, parent: Target, child: Target, since: float, was_fed: bool, island: Island | None = None
    ) -> None:
        self.number = number
        self.parent = parent
        self.child = child
        self.since = since
        self.was_fed = was_fed  # right before, the child was fed by any parent
        self.island = island
        self.moved_at = since  # when the child held more than before
        self.written_at = since  # when it wrote the last page, or the link was made
        self.supplied_at = since  # when it last lacked nothing that was sent, or could not expect it from the parent

    @property
    def is_on_trial(self) -> bool:
        """Whether it is not known yet if the link works."""
        return not self.is_fed and self.doubted_at is None
