"""What the application learns from a core: past facts."""

from __future__ import annotations

from typing import NamedTuple, Union

from mrsync.protocol.core.ranges import RangeSet
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ChangesRecord, DeletionsRecord, Ending, ObjectKind, Peer, Phase, SealKind


class PhaseEntered(NamedTuple):
    """Caster: the session entered this phase."""

    phase: Phase


class TargetJoined(NamedTuple):
    """Caster: this target is on the roster now."""

    target: int


class TargetRerouted(NamedTuple):
    """Caster: this target is served by unicast from now on, or not any more, or at another address."""

    target: int


class TargetEnded(NamedTuple):
    """Caster: this target's part is over; its state and reason are on the roster."""

    target: int


class ComparisonFinished(NamedTuple):
    """Caster: the union of needs over all live targets, as manifest entries; answer with `offer_plan`.

    basis: entries of which some of them have older copies.
    """

    needs: RangeSet
    basis: RangeSet


class FilesChanged(NamedTuple):
    """Caster: all else was cast, and these plan files changed meanwhile; answer with `offer_plan_again`."""

    files: tuple[int, ...]


class FileSatOut(NamedTuple):
    """Caster: this target cannot take this plan file."""

    target: int
    file: int
    errno: int


class ChangesTold(NamedTuple):
    """Caster: a piece of what this target itemizes."""

    target: int
    record: ChangesRecord | DeletionsRecord


class CastFinished(NamedTuple):
    """Caster: over; nothing more will be sent."""

    phase: Phase


class Welcomed(NamedTuple):
    """Catcher: on the roster; the manifest will come."""


class SessionOpened(NamedTuple):
    """Catcher: welcomed; pages of this geometry and seal are to come."""

    session: int
    geometry: Geometry
    seal: SealKind


class ObjectHeld(NamedTuple):
    """Catcher: every page of this object is here and written."""

    object: ObjectKind


class CommitGranted(NamedTuple):
    """Catcher: plan files [first, end) go into place, but for the exceptions; answer with `set_progress`."""

    first: int
    end: int
    exceptions: tuple[tuple[int, int], ...]


class FinishGranted(NamedTuple):
    """Catcher: the rest of the work without contents may be done; answer with a ResultRecord."""


class Withdrawn(NamedTuple):
    """Catcher: nothing is to be changed here; drop what is staged and answer with a ResultRecord."""


class GroupSilent(NamedTuple):
    """Catcher: nothing comes from the group: leave it and join it again."""

    was_heard: bool  # before


class GroupGivenUp(NamedTuple):
    """Catcher: to join again did not help; the caster is asked to serve this target by unicast."""


class PeersChanged(NamedTuple):
    """Catcher: from now on these are the targets that pages may come from, and are passed on to."""

    parent: Peer | None
    child: Peer | None


class SourceChanged(NamedTuple):
    """Catcher: pages come from this target from now on; None: from the caster."""

    target: int | None


class PageAsked(NamedTuple):
    """Catcher: the child needs this page; answer with `page_found` or `page_gone`."""

    object: int
    page: int


class SessionEnded(NamedTuple):
    """Catcher: over, and why."""

    ending: Ending
    reason: str


CasterEvent = Union[
    PhaseEntered,
    TargetJoined,
    TargetRerouted,
    TargetEnded,
    ComparisonFinished,
    FilesChanged,
    FileSatOut,
    ChangesTold,
    CastFinished,
]
CatcherEvent = Union[
    Welcomed,
    SessionOpened,
    ObjectHeld,
    CommitGranted,
    FinishGranted,
    Withdrawn,
    GroupSilent,
    GroupGivenUp,
    PeersChanged,
    SourceChanged,
    PageAsked,
    SessionEnded,
]
