"""A name that could not be replaced is found before anything changes, and its file is sat out."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mrsync.tree.model.policy import Policy
from tests.unit.tree.syncing import Outcome, as_nobody, nobodys_directory, sync


@contextmanager
def flagged(path: Path, flag: str) -> Iterator[None]:
    """flag: i for immutable, a for append-only."""
    done = subprocess.run(["chattr", f"+{flag}", str(path)], capture_output=True)
    if done.returncode:
        pytest.skip("needs root and a file system with chattr")
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{flag}", str(path)], check=True)


@contextmanager
def mounted_over(path: Path, other: Path) -> Iterator[None]:
    """Bind other to path."""
    if os.geteuid() or subprocess.run(["mount", "--bind", str(other), str(path)], capture_output=True).returncode:
        pytest.skip("needs root and the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    for tree in ("source", "dest"):
        (tmp_path / tree / "d").mkdir(parents=True)
        (tmp_path / tree / "d" / "file").write_text(tree)
        os.utime(tmp_path / tree / "d", ns=(0, 10**18))
    return tmp_path


def refused(outcome: Outcome) -> list[tuple[bytes, int]]:
    entries = outcome.plan.entries
    return [(outcome.scan.manifest.path(entries[file]), reason) for file, reason in outcome.sat_out]


def check(trees: Path, reason: int, path: bytes = b"d/file") -> None:
    """The file is sat out for this reason; nothing is tried, nothing else is told, and all stays."""
    before = sorted((trees / "dest").rglob("*"))
    done = sync(trees / "source", trees / "dest")
    assert refused(done) == [(path, reason)]
    assert done.commit_failures == []
    assert sorted((trees / "dest").rglob("*")) == before


@pytest.mark.parametrize("flag", ["i", "a"])
def test_a_file_with_flags_cannot_be_replaced(trees: Path, flag: str) -> None:
    with flagged(trees / "dest" / "d" / "file", flag):
        check(trees, errno.EPERM)
    assert (trees / "dest" / "d" / "file").read_text() == "dest"


def test_directory_from_which_nothing_can_be_removed(trees: Path) -> None:
    (trees / "dest" / "d" / "file").unlink()
    with flagged(trees / "dest" / "d", "a"):
        done = sync(trees / "source", trees / "dest")
        assert refused(done) == [(b"d/file", errno.EPERM)]
        assert done.commit_failures == []
    assert sync(trees / "source", trees / "dest").failures == []
    assert os.listdir(trees / "dest" / "d") == ["file"]


def test_a_file_that_cannot_become_a_directory(trees: Path) -> None:
    (trees / "dest" / "d" / "file").unlink()
    (trees / "dest" / "d").rmdir()
    (trees / "dest" / "d").write_text("a file")
    with flagged(trees / "dest" / "d", "i"):
        done = sync(trees / "source", trees / "dest")
        assert refused(done) == [(b"d/file", errno.EPERM)]
        assert done.commit_failures == []


def test_a_file_that_is_a_mount_point(trees: Path) -> None:
    (trees / "mounted").write_text("mounted")
    with mounted_over(trees / "dest" / "d" / "file", trees / "mounted"):
        check(trees, errno.EBUSY)


def hold_an_immutable_file(top: Path, stack: ExitStack) -> None:
    stack.enter_context(flagged(top / "sub" / "inner", "i"))


def hold_a_mount(top: Path, stack: ExitStack) -> None:
    (top.parent.parent.parent / "mounted").mkdir()
    stack.enter_context(mounted_over(top / "sub", top.parent.parent.parent / "mounted"))


@pytest.mark.parametrize(("make", "reason"), [(hold_an_immutable_file, errno.EPERM), (hold_a_mount, errno.EBUSY)])
def test_a_directory_in_the_way_that_cannot_go(
    trees: Path, make: Callable[[Path, ExitStack], None], reason: int
) -> None:
    way = trees / "dest" / "d" / "file"
    way.unlink()
    (way / "sub").mkdir(parents=True)
    (way / "sub" / "inner").touch()
    (way / "other").touch()
    with ExitStack() as stack:
        make(way, stack)
        check(trees, reason)
    assert sync(trees / "source", trees / "dest").failures == []
    assert way.read_text() == "source"


def test_a_directory_in_the_way_goes_as_far_as_it_may(trees: Path) -> None:
    way = trees / "dest" / "d" / "file"
    way.unlink()
    way.mkdir()
    (way / "kept").touch()
    (way / "other").touch()
    done = sync(trees / "source", trees / "dest", policy=Policy(rules=("P kept",)))
    assert refused(done) == [(b"d/file", errno.ENOTEMPTY)]
    assert os.listdir(way) == ["kept"]


def test_a_directory_in_the_way_stays_where_nothing_is_deleted(trees: Path) -> None:
    way = trees / "dest" / "d" / "file"
    way.unlink()
    way.mkdir()
    (way / "kept").touch()
    assert refused(sync(trees / "source", trees / "dest", deletes=False)) == [(b"d/file", errno.ENOTEMPTY)]


def test_a_file_of_somebody_else_in_a_sticky_directory() -> None:
    def run(top: Path) -> None:
        done = sync(top / "source", top / "dest")
        assert refused(done) == [(b"file", errno.EPERM)]
        assert done.commit_failures == []

    if os.geteuid():
        pytest.skip("needs root to make files of others")
    with nobodys_directory() as top:
        for tree in ("source", "dest"):
            (top / tree).mkdir()
            (top / tree / "file").write_text(tree)
        (top / "source").chmod(0o1777)
        (top / "dest").chmod(0o1777)
        as_nobody(lambda: run(top))
