"""LossVerdict: what the losses of one listener are taken for."""

from __future__ import annotations

from enum import Enum


class LossVerdict(Enum):
    """How to answer losses."""

    NOTHING = "no more is lost than was known"
    SUSPICION = "more is lost: send less, and see"
    CONGESTION = "sending less helped"
    NOISE = "sending less did not help"
