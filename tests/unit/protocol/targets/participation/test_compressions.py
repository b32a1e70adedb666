"""Compressions: which one a session uses, and who is refused for it."""

from __future__ import annotations

import pytest

from mrsync.protocol.targets.participation.compressions import Compressions
from mrsync.protocol.targets.roster import Roster
from mrsync.wire.messages import Compression
from tests.unit.protocol.builders import found, hello

DEFLATE, ZSTD = 1 << Compression.DEFLATE, 1 << Compression.ZSTD
BOTH = DEFLATE | ZSTD


def chosen(allowed: int, *there: int, are_all: bool = True) -> Compressions:
    """Return what is chosen for targets that can expand this."""
    known = Roster(dict(enumerate("abc")))
    for target, able in enumerate(there):
        known.admit(found(known, target), hello(target, compressions=able), "there", 0.0)
    compressions = Compressions(allowed)
    compressions.choose(known.live, are_all=are_all)
    return compressions


@pytest.mark.parametrize(
    ("allowed", "there", "are_all", "expected"),
    [
        (BOTH, (BOTH, BOTH), True, Compression.ZSTD),
        (BOTH, (BOTH, DEFLATE), True, Compression.DEFLATE),
        (BOTH, (BOTH, BOTH), False, Compression.DEFLATE),
        (DEFLATE, (BOTH, BOTH), True, Compression.DEFLATE),
        (ZSTD, (BOTH, BOTH), False, Compression.ZSTD),
        (0, (BOTH, BOTH), True, None),
    ],
)
def test_the_best_that_all_targets_can_expand_is_chosen(
    allowed: int, there: tuple[int, ...], are_all: bool, expected: Compression | None
) -> None:
    assert chosen(allowed, *there, are_all=are_all).chosen is expected


@pytest.mark.parametrize(
    ("allowed", "there", "is_refused"),
    [(BOTH, DEFLATE, False), (ZSTD, DEFLATE, True), (ZSTD, BOTH, False), (0, DEFLATE, False)],
)
def test_a_target_that_cannot_expand_zstd_is_refused(allowed: int, there: int, is_refused: bool) -> None:
    assert ("cannot expand zstd" in Compressions(allowed).refusal(hello(compressions=there))) is is_refused


def test_a_latecomer_must_expand_the_chosen_compression() -> None:
    assert "--compress-choice zlib does not" in chosen(BOTH, BOTH).refusal(hello(1, compressions=DEFLATE))
    assert chosen(BOTH, BOTH, are_all=False).refusal(hello(1, compressions=DEFLATE)) == ""
