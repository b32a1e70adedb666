"""Random lines of rsync, run by rsync and by mrsync with one target: equal trees, equal itemized lines."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rsync.lines import draw_line, run_both

# Lines that once differed: the rules of `known` were made for them, or a fault was mended.
ODD = (
    *(1009, 1053, 1105, 1140, 2066, 5002, 5012, 5128, 5134, 5290, 5385, 5408, 5414, 5487, 5705),
    *(910068, 910108, 920079, 970007, 970021, 970086, 881015, 881051, 881099, 771037, 771058, 772102),
)
LINES_PER_TEST = 15
SEEDS = [*range(300), *ODD] if os.environ.get("MRSYNC_ALL_LINES") else range(20)  # CI has no time for more

pytestmark = [pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync"), pytest.mark.many]


@pytest.fixture
def memory() -> Iterator[Path]:
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mrsync-test-", dir=shared if shared.is_dir() else None) as folder:
        yield Path(folder)


@pytest.mark.parametrize("first", range(0, len(SEEDS), LINES_PER_TEST))
def test_a_command_line_has_the_effect_that_it_has_with_rsync(memory: Path, first: int) -> None:
    port = random.randrange(20000, 32000, 2)
    seeds = SEEDS[first : first + LINES_PER_TEST]
    problems = [problem for seed in seeds if (problem := run_both(draw_line(seed), memory / "w", port))]
    assert not problems, "\n\n".join(problems)
