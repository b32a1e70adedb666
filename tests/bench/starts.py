"""Starting catchers on many targets over ssh: how long until the first page is on its way."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure
from tests.netns.lab import Lab
from tests.remote.estate import Estate
from tests.trees import build_awkward_tree, remove_tree

TARGETS = 32
GOAL_S = 15.0


def many_targets() -> Iterator[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="mrsync-bench-"))
    folder.chmod(0o755)
    try:
        with Lab(TARGETS) as lab:
            yield first_page(Estate(lab, folder))
    finally:
        remove_tree(folder)


def first_page(estate: Estate) -> Figure:
    """Return the seconds from the command to the first page, which goes out as soon as all have joined."""
    build_awkward_tree(estate.source, seed=TARGETS)
    estate.serve_all()
    started = time.monotonic()
    run = estate.start("-v", "2")
    run.wait_for("phase comparing", timeout_s=120)
    seconds = time.monotonic() - started
    if status := run.wait(timeout_s=120):
        raise RuntimeError(f"mrsync ended with {status}: {run.output}")
    return Figure(f"{TARGETS} targets over ssh: first page after", seconds, "s", GOAL_S, is_less_better=True)
