"""Everything that reads bytes from a network, a disk or a user, and what inputs to begin with."""

from __future__ import annotations

from functools import cache

from tests.fuzz.decoder import Decoder, uncompressed
from tests.fuzz.text_decoders import list_decoders, report_decoders, settings_decoders
from tests.fuzz.tree_decoders import tree_decoders
from tests.fuzz.wire_decoders import wire_decoders


@cache
def decoders() -> dict[str, Decoder]:
    """Return all of them by name."""
    with uncompressed():
        return {**wire_decoders(), **tree_decoders(), **list_decoders(), **settings_decoders(), **report_decoders()}
