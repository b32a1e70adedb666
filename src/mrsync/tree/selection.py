"""The selection: what of the source is taken, and how it is changed on the way; known to the master only."""

from __future__ import annotations

from typing import NamedTuple


class Selection(NamedTuple):
    """keeps_hard_links: names of one file are sent as such, else as files of their own."""

    keeps_hard_links: bool = True
