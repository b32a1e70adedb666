"""Random filter rules against the real rsync: what arrives and what is deleted; a seed is printed for what differs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rsync.cases import draw_case, draw_list_case
from tests.rsync.oracle import compare_all

SEEDS = 5000
LISTS = 1000
SEEDS_PER_TEST = 250

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory that no disk slows down, where there is one."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mrsync-test-", dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_PER_TEST))
def test_same_as_rsync(memory: Path, first: int) -> None:
    problems = list(compare_all(map(draw_case, range(first, first + SEEDS_PER_TEST)), memory))
    assert not problems, "\n\n".join(["python -m tests.rsync --first SEED --seeds 1", *problems])


@pytest.mark.parametrize("first", range(0, LISTS, SEEDS_PER_TEST))
def test_lists_and_sizes_same_as_rsync(memory: Path, first: int) -> None:
    problems = list(compare_all(map(draw_list_case, range(first, first + SEEDS_PER_TEST)), memory))
    assert not problems, "\n\n".join(["python -m tests.rsync --lists --first SEED --seeds 1", *problems])


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
