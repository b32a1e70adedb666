"""The clear part of a control message: what is authenticated, but never encrypted."""

from __future__ import annotations

from mrsync.tuples import NamedTuple


class Clear(NamedTuple):
    """The fields outside the body: those of the header, and the prefix after it."""

    kind: int
    sender: int  # CASTER_ID, or the id of a target
    counter: int
    tx: int  # STATUS only, else 0
    instance: int  # of the catcher that sends or receives it; 0: sent to all
