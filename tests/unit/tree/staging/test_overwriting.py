"""With --inplace, new versions are written into old ones, unless somebody or something else would suffer."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.tree.model.policy import Policy
from tests.unit.tree.breaking import PAGE, Session
from tests.unit.tree.syncing import leftovers

INPLACE = Policy(inplace=True)
OLD_TIME = 1_000_000_000


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """A source and a destination with two versions of `f`, and a directory outside."""
    for name in ("source", "dest", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "source/f").write_bytes(random.Random(1).randbytes(5 * PAGE))
    (tmp_path / "dest/f").write_bytes(random.Random(2).randbytes(7 * PAGE))
    os.utime(tmp_path / "dest/f", (OLD_TIME, OLD_TIME))
    return tmp_path


def session(trees: Path, policy: Policy = INPLACE) -> Session:
    return Session(trees / "source", trees / "dest", policy=policy)


def test_the_old_version_becomes_the_new_one(trees: Path) -> None:
    with open(trees / "dest/f", "rb") as reader:
        inode = os.fstat(reader.fileno()).st_ino
        assert session(trees).cast().finish().errors == 0
        assert os.stat(trees / "dest/f").st_ino == inode
        assert reader.read() == (trees / "source/f").read_bytes()
    assert os.stat(trees / "dest/f").st_mtime_ns == os.stat(trees / "source/f").st_mtime_ns


def _second_name(trees: Path) -> None:
    os.link(trees / "dest/f", trees / "outside/f")


def _link(trees: Path) -> None:
    (trees / "dest/f").rename(trees / "outside/f")
    (trees / "dest/f").symlink_to(trees / "outside/f")


def _readable_by_more(trees: Path) -> None:
    (trees / "dest/f").chmod(0o644)
    (trees / "source/f").chmod(0o600)


def _without_set_id(trees: Path) -> None:
    (trees / "source/f").chmod(0o4755)
    (trees / "dest/f").chmod(0o755)


def _of_another_user(trees: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(trees / "dest/f", 1000, 1000)


@pytest.mark.parametrize("change", [_second_name, _link, _readable_by_more, _without_set_id, _of_another_user])
def test_what_others_have_too_is_replaced(trees: Path, change: Callable[[Path], None]) -> None:
    change(trees)
    old = (trees / "dest/f").read_bytes()
    with open(trees / "dest/f", "rb") as reader:
        assert session(trees).cast().finish().errors == 0
        assert reader.read() == old
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    assert [path.read_bytes() for path in (trees / "outside").iterdir()] in ([], [old])


@pytest.mark.parametrize(
    "policy",
    [INPLACE._replace(backup=True, suffix="~"), INPLACE._replace(update=True), INPLACE._replace(size_only=True)],
    ids=["backup", "update", "size_only"],
)
def test_files_are_replaced_where_a_torn_one_would_not_be_noticed_or_is_kept(trees: Path, policy: Policy) -> None:
    old = (trees / "dest/f").read_bytes()
    with open(trees / "dest/f", "rb") as reader:
        assert session(trees, policy).cast().finish().errors == 0
        assert reader.read() == old


def test_a_run_that_breaks_leaves_a_torn_file_and_the_next_one_mends_it(trees: Path) -> None:
    torn = session(trees)
    torn.cast(torn.pages[:2]).break_off()
    assert (trees / "dest/f").read_bytes()[: 2 * PAGE] == (trees / "source/f").read_bytes()[: 2 * PAGE]
    assert (trees / "dest/f").stat().st_size == 7 * PAGE
    assert leftovers(trees / "dest") == []
    assert session(trees).cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()


def test_what_the_old_version_has_in_holes_of_the_new_one_goes(trees: Path) -> None:
    with open(trees / "source/f", "wb") as new:
        new.write(b"first")
        new.seek(1 << 20)
        new.write(b"last")
    (trees / "dest/f").write_bytes(b"x" * (2 << 20))
    inode = os.stat(trees / "dest/f").st_ino
    assert session(trees).cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    assert os.stat(trees / "dest/f").st_ino == inode


@pytest.mark.parametrize("shift", [0, 3 * PAGE, -PAGE])
def test_with_delta_blocks_of_the_old_version_stay_or_move(trees: Path, shift: int) -> None:
    data = random.Random(3).randbytes(400 * PAGE)
    (trees / "dest/f").write_bytes(data)
    moved = b"n" * shift + data if shift >= 0 else data[-shift:]
    (trees / "source/f").write_bytes(moved[: 200 * PAGE] + b"changed" + moved[200 * PAGE + 7 :])
    inode = os.stat(trees / "dest/f").st_ino
    run = session(trees, INPLACE._replace(delta=True))
    if shift == 0:
        assert run.pages == [200]
    assert run.cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    assert os.stat(trees / "dest/f").st_ino == inode
