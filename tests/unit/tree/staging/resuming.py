"""A session that breaks, and one that resumes: a source to sync, and what the second one wants of it."""

from __future__ import annotations

import random
import time
from pathlib import Path

from mrsync.tree.model.policy import Policy
from tests.trees import differences
from tests.unit.tree.breaking import PAGE, Session
from tests.unit.tree.syncing import leftovers

BIG_PAGES = 40
SHORT_TICK_NS = 20_000_000


def let_it_settle() -> None:
    """Until no change of now can be mistaken for one that was seen."""
    time.sleep(2 * SHORT_TICK_NS / 1e9)


def fill(source: Path) -> None:
    """A large file, one with a hole, small ones, an empty one."""
    chance = random.Random(7)
    (source / "sub").mkdir(parents=True)
    (source / "big").write_bytes(chance.randbytes(BIG_PAGES * PAGE + 17))
    for number in range(20):
        (source / "sub" / f"small{number}").write_bytes(chance.randbytes(250))
    (source / "sub" / "empty").touch()
    with open(source / "sparse", "wb") as file:
        file.write(chance.randbytes(3000))
        file.seek(1 << 20)
        file.write(chance.randbytes(3000))
        file.truncate(2 << 20)
    let_it_settle()


def session(trees: Path, policy: Policy = Policy()) -> Session:  # noqa: B008
    return Session(trees / "source", trees / "dest", policy=policy)


def missing_pages(trees: Path) -> list[int]:
    """As of a session that did nothing."""
    run = session(trees)
    run.break_off()
    return run.pages


def finish(trees: Path, run: Session) -> None:
    """The rest comes: then the trees are equal, and nothing is left."""
    assert run.cast().finish().failures == []
    assert differences(trees / "source", trees / "dest") == []
    assert leftovers(trees / "dest") == []


def staged(trees: Path, size: int) -> Path:
    (found,) = [path for path in leftovers(trees / "dest") if path.suffix != ".journal" and path.stat().st_size == size]
    return found


def wants_big(trees: Path) -> bool:
    run = session(trees)
    finish(trees, run)
    return bool(set(range(BIG_PAGES)) & set(run.pages))
