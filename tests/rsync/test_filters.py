"""Random filter rules against the real rsync: what arrives and what is deleted; a seed is printed for what differs."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.rsync.cases import Case, draw_case, draw_list_case, draw_rule_text
from tests.rsync.oracle import compare_all

SEEDS, LISTS = (5000, 1000) if os.environ.get("MRSYNC_ALL_SEEDS") else (250, 100)  # CI has no time for more
TEXTS = 200
SEEDS_PER_TEST = 100

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory that no disk slows down, where there is one."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mrsync-test-", dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)


def batches(count: int) -> list[ParameterSet]:
    """The first seed of every batch; only the first batch is for quick checks."""
    marks: list[tuple[pytest.MarkDecorator, ...]] = [(), (pytest.mark.many,)]
    return [pytest.param(first, marks=marks[first > 0]) for first in range(0, count, SEEDS_PER_TEST)]


@pytest.mark.parametrize("first", batches(SEEDS))
def test_same_as_rsync(memory: Path, first: int) -> None:
    problems = list(compare_all(map(draw_case, range(first, first + SEEDS_PER_TEST)), memory))
    assert not problems, "\n\n".join(["python -m tests.rsync --first SEED --seeds 1", *problems])


@pytest.mark.parametrize("first", batches(LISTS))
def test_lists_and_sizes_same_as_rsync(memory: Path, first: int) -> None:
    problems = list(compare_all(map(draw_list_case, range(first, first + SEEDS_PER_TEST)), memory))
    assert not problems, "\n\n".join(["python -m tests.rsync --lists --first SEED --seeds 1", *problems])


def test_invalid_rules_are_invalid_for_rsync_too(memory: Path) -> None:
    cases = []
    for seed in range(TEXTS):
        text = draw_rule_text(random.Random(seed))
        cases.append(Case(seed, {b"foo": b""}, {}, {}, [b"--filter=" + text]))
    (memory / "rules").write_bytes(b"")
    assert list(compare_all(cases, memory)) == []


def test_seeds_draw_every_kind_of_option() -> None:
    drawn = b"\n".join(b" ".join(draw_case(seed).options) for seed in range(1000))
    for option in (
        b"--exclude-from=",
        b"--include=",
        b"-F",
        b"-C",
        b"--delete-excluded",
        b"--filter=:",
        b"--filter=. ",
    ):
        assert option in drawn
