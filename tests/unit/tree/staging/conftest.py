"""Trees for tests of resuming: a source, a destination, and what a killed session left there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrsync.tree.staging import journal as journal_module
from tests.unit.tree.breaking import in_a_process_that_is_killed
from tests.unit.tree.staging.resuming import (
    BIG_PAGES,
    SHORT_TICK_NS,
    fill,
    session,
)


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    fill(tmp_path / "source")
    (tmp_path / "dest").mkdir()
    return tmp_path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have notes written at once, and short ticks of the clock for changes of files."""
    monkeypatch.setattr(journal_module, "FLUSH_S", 0.0)
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", SHORT_TICK_NS)


@pytest.fixture
def broken(trees: Path) -> Path:
    """The large file is complete, but not committed; others have not begun."""
    in_a_process_that_is_killed(lambda: session(trees).cast(range(BIG_PAGES + 1)))
    return trees
