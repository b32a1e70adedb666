"""Estates for tests: labs whose hosts can be reached over ssh."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab, _requirement, make_lab
from tests.remote.estate import Estate, missing_program
from tests.trees import remove_tree

__all__ = ["_requirement", "make_lab"]  # fixtures

MakeEstate = Callable[[int], Estate]


@pytest.fixture
def make_estate(make_lab: MakeLab) -> Iterator[MakeEstate]:
    """An estate with that many targets; what runs there ends with the test, what it wrote goes."""
    if (missing := missing_program()) is not None:
        pytest.skip(missing)
    folders: list[Path] = []

    def make(target_count: int) -> Estate:
        folder = Path(tempfile.mkdtemp(prefix="mrsync-estate-"))
        folders.append(folder)
        folder.chmod(0o755)
        return Estate(make_lab(target_count), folder)

    yield make
    for folder in folders:
        remove_tree(folder)
