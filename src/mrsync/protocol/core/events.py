"""What the application learns from a core: past facts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from mrsync.protocol.core.ranges import RangeSet
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ChangesRecord, DeletionsRecord, Ending, ObjectKind, Peer, Phase, SealKind


@dataclass(frozen=True)
class PhaseEntered:
    """Caster: the session entered this phase."""

    phase: Phase


@dataclass(frozen=True)
class TargetJoined:
    """Caster: this target is on the roster now."""

    target: int


@dataclass(frozen=True)
class TargetRerouted:
    """Caster: this target is served by unicast from now on, or not any more, or at another address."""

    target: int


@dataclass(frozen=True)
class TargetEnded:
    """Caster: this target's part is over; its state and reason are on the roster."""

    target: int


@dataclass(frozen=True)
class ComparisonFinished:
    """Caster: the union of needs over all live targets, as manifest entries; answer with `offer_plan`.

    basis: entries of which some of them have older copies.
    """

    needs: RangeSet
    basis: RangeSet = field(default_factory=RangeSet)


@dataclass(frozen=True)
class FilesChanged:
    """Caster: all else was cast, and these plan files changed meanwhile; answer with `offer_plan_again`."""

    files: tuple[int, ...]


@dataclass(frozen=True)
class FileSatOut:
    """Caster: this target cannot take this plan file."""

    target: int
    index: int
    errno: int


@dataclass(frozen=True)
class ChangesTold:
    """Caster: a piece of what this target itemizes."""

    target: int
    record: ChangesRecord | DeletionsRecord


@dataclass(frozen=True)
class CastFinished:
    """Caster: over; nothing more will be sent."""

    phase: Phase


@dataclass(frozen=True)
class Welcomed:
    """Catcher: on the roster; the manifest will come."""


@dataclass(frozen=True)
class SessionOpened:
    """Catcher: welcomed; pages of this geometry and seal are to come."""

    session: int
    geometry: Geometry
    seal: SealKind


@dataclass(frozen=True)
class ObjectHeld:
    """Catcher: every page of this object is here and written."""

    object: ObjectKind


@dataclass(frozen=True)
class CommitGranted:
    """Catcher: plan files [first, end) go into place, but for the exceptions; answer with `set_progress`."""

    first: int
    end: int
    exceptions: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class FinishGranted:
    """Catcher: the rest of the work without contents may be done; answer with a ResultRecord."""


@dataclass(frozen=True)
class Withdrawn:
    """Catcher: nothing is to be changed here; drop what is staged and answer with a ResultRecord."""


@dataclass(frozen=True)
class GroupSilent:
    """Catcher: nothing comes from the group: leave it and join it again."""

    was_heard: bool  # before


@dataclass(frozen=True)
class GroupGivenUp:
    """Catcher: to join again did not help; the caster is asked to serve this target by unicast."""


@dataclass(frozen=True)
class PeersChanged:
    """Catcher: from now on these are the targets that pages may come from, and are passed on to."""

    parent: Peer | None
    child: Peer | None


@dataclass(frozen=True)
class SourceChanged:
    """Catcher: pages come from this target from now on; None: from the caster."""

    target: int | None


@dataclass(frozen=True)
class PageAsked:
    """Catcher: the child needs this page; answer with `page_found` or `page_gone`."""

    object: int
    page: int


@dataclass(frozen=True)
class SessionEnded:
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
