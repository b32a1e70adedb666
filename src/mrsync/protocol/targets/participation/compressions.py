"""Compressions: how a session compresses pages, given what its catchers can expand."""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.protocol.targets.roster import Target
from mrsync.wire.messages import Compression, Hello

_PREFERENCE = (Compression.ZSTD, Compression.DEFLATE)


class Compressions:
    """Choose among what this end may use. allowed: bit set of 1 << Compression; 0: pages are not compressed."""

    def __init__(self, allowed: int) -> None:
        self.chosen: Compression | None = None
        self._allowed = allowed

    def refusal(self, hello: Hello) -> str:
        """Return why a catcher cannot expand the pages of this session, or "" if it can."""
        accepted = self._allowed if self.chosen is None else 1 << self.chosen
        if not accepted or accepted & hello.compressions:
            return ""
        return (
            "cannot expand zstd: it needs Python 3.14, or the Python package zstandard; --compress-choice zlib does not"
        )

    def choose(self, targets: Iterable[Target], *, are_all: bool) -> None:
        """Choose the best one for these targets, each of which was admitted.

        are_all: no other target will join. Otherwise only what every catcher can expand is chosen if there is a choice.
        """
        common = self._allowed
        for target in targets:
            common &= target.hello.compressions if target.hello else 0
        if not are_all and common & 1 << Compression.DEFLATE:
            common = 1 << Compression.DEFLATE
        self.chosen = next((each for each in _PREFERENCE if 1 << each & common), None)
