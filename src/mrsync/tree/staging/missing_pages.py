"""Compute which pages of the contents a target still needs after a resume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mrsync.tree.model.spans import Span, clipped, merged, total, without
from mrsync.tree.staging.stage import WHOLE, Stage


def missing_pages(
    stage: Stage, needs: Iterable[Span], held: Mapping[int, Sequence[Span]], page_bytes: int
) -> list[Span]:
    """Return the ranges [a, b) of pages with bytes that are needed and not yet staged.

    needs: ranges of manifest entries. held: for each incomplete plan file, the spans of its bytes that are staged.
    A page that is requested is written completely, including bytes that are already held, so the stage is told how
    many bytes of each held file to expect.
    """
    plan = stage.plan
    starts = plan.starts
    needed = merged((starts[plan.first_file(first)], starts[plan.first_file(end)]) for first, end in needs)
    here = [(starts[file], starts[file + 1]) for file, state in enumerate(stage.states) if state == WHOLE]
    for file, spans in held.items():
        here += plan.place_of(file, spans)
    pages = merged((first // page_bytes, -(-end // page_bytes)) for first, end in without(needed, merged(here)))
    coming = [(first * page_bytes, end * page_bytes) for first, end in pages]
    for file in held:
        stage.expect(file, total(clipped(coming, starts[file], starts[file + 1])))
    return pages
