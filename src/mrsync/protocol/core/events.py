"""Events: facts that a core reports to the application."""

from __future__ import annotations

from typing import Union

from mrsync.ranges import RangeSet
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import Ending, ObjectKind, Peer, Phase, SealKind
from mrsync.wire.records import ChangesRecord, DeletionsRecord


class PhaseEntered(NamedTuple):
    """Caster: the session entered this phase."""

    phase: Phase


class TargetJoined(NamedTuple):
    """Caster: this target has joined the session."""

    target: int


class TargetRerouted(NamedTuple):
    """Caster: this target's unicast route was added, removed or changed."""

    target: int


class TargetShed(NamedTuple):
    """Caster: this target alone held back all others, and is served after them."""

    target: int


class TargetEnded(NamedTuple):
    """Caster: this target has ended. Its state and the reason are on the roster."""

    target: int


class ComparisonFinished(NamedTuple):
    """Caster: the manifest entries that any live target needs. Answer with `offer_plan`.

    basis: those of which any target has an older copy.
    """

    needs: RangeSet
    basis: RangeSet


class FilesChanged(NamedTuple):
    """Caster: these plan files changed while the others were cast. Answer with `offer_plan_again`."""

    files: tuple[int, ...]


class FileSatOut(NamedTuple):
    """Caster: this target sits out this plan file."""

    target: int
    file: int
    errno: int


class ChangesReported(NamedTuple):
    """Caster: some of the changes that this target itemizes."""

    target: int
    record: ChangesRecord | DeletionsRecord


class CastFinished(NamedTuple):
    """Caster: the session is over. Nothing more will be sent."""

    phase: Phase


class Welcomed(NamedTuple):
    """Catcher: the caster has accepted this target. The manifest comes next."""


class SessionOpened(NamedTuple):
    """Catcher: pages of this geometry and seal will arrive."""

    session: int
    geometry: Geometry
    seal: SealKind


class ObjectHeld(NamedTuple):
    """Catcher: all pages of this object are written."""

    object: ObjectKind


class CommitGranted(NamedTuple):
    """Catcher: commit the plan files [first, end) except `exceptions`. Answer with `set_progress`."""

    first: int
    end: int
    exceptions: tuple[tuple[int, int], ...]


class FinishGranted(NamedTuple):
    """Catcher: do the remaining work, which needs no contents. Answer with a ResultRecord."""


class Withdrawn(NamedTuple):
    """Catcher: change nothing, and drop what is staged. Answer with a ResultRecord."""


class GroupSilent(NamedTuple):
    """Catcher: nothing arrives from the group. Leave it and join it again."""

    was_heard: bool  # something arrived from it before


class GroupGivenUp(NamedTuple):
    """Catcher: joining again did not help. The caster is asked to serve this target by unicast."""


class PeersChanged(NamedTuple):
    """Catcher: from now on, pages may come from this parent and are forwarded to this child.

    island: where the parent casts pages to or, if its target is this one, where to cast them to.
    """

    parent: Peer | None
    child: Peer | None
    island: Peer | None = None


class SourceChanged(NamedTuple):
    """Catcher: from now on, pages come from this target. None: from the caster."""

    target: int | None


class PageAsked(NamedTuple):
    """Catcher: the child needs this page. Answer with `page_found` or `page_gone`."""

    object: int
    page: int


class SessionEnded(NamedTuple):
    """Catcher: the session is over for this target."""

    ending: Ending
    reason: str


CasterEvent = Union[
    PhaseEntered,
    TargetJoined,
    TargetRerouted,
    TargetShed,
    TargetEnded,
    ComparisonFinished,
    FilesChanged,
    FileSatOut,
    ChangesReported,
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
