"""Listed paths are deleted one by one: never through a link, and no directory that is not empty."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.destination.listed_deletions import ListedDeletions
from mrsync.tree.lists.scan_synclist import scan_synclist
from mrsync.tree.lists.synclist import Instruction, Item
from mrsync.tree.model.policy import Policy

PATHS = (b"sub/deep/f", b"sub/deep", b"sub/g", b"sub")


class Listed:
    """The deletions of PATHS in a directory `dest`, from a source that has none of them."""

    def __init__(self, top: Path, *, is_dry_run: bool = False, max_delete: int = -1) -> None:
        (top / "source").mkdir()
        items = [Item(Instruction.DELETING, path) for path in PATHS]
        manifest = scan_synclist(os.fsencode(top / "source"), items).manifest
        self.limit = DeletionLimit(Policy(itemizes=True, max_delete=max_delete))
        self.root = os.open(top / "dest", os.O_RDONLY | os.O_DIRECTORY)
        self.deletions = ListedDeletions(self.root, manifest, self.limit, self._remove, is_dry_run=is_dry_run)

    def _remove(self, fd: int, name: bytes, path: bytes) -> None:
        os.unlink(name, dir_fd=fd)


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "dest" / "sub" / "deep").mkdir(parents=True)
    for name in ("sub/deep/f", "sub/g"):
        (tmp_path / "dest" / name).touch()
    return tmp_path / "dest"


def test_listed_paths_are_deleted_in_their_order(dest: Path) -> None:
    listed = Listed(dest.parent)
    assert listed.deletions.existing() == list(PATHS)
    assert [listed.deletions.delete(path) for path in PATHS] == [True] * 4
    assert os.listdir(dest) == []
    assert (listed.limit.count, listed.deletions.restore()) == (4, [])
    assert not listed.deletions.delete(b"sub")


def test_a_directory_that_is_not_empty_stays(dest: Path) -> None:
    (dest / "sub" / "unlisted").touch()
    listed = Listed(dest.parent)
    listed.deletions.delete(b"sub/deep/f")
    with pytest.raises(OSError, match="not empty"):
        listed.deletions.delete(b"sub")
    assert sorted(os.listdir(dest / "sub")) == ["deep", "g", "unlisted"]


def test_nothing_is_deleted_through_a_link(dest: Path) -> None:
    os.rename(dest / "sub", dest.parent / "outside")
    (dest / "sub").symlink_to("../outside")
    listed = Listed(dest.parent)
    assert listed.deletions.existing() == [b"sub"]
    assert not listed.deletions.delete(b"sub/g")
    listed.deletions.delete_below(b"sub")
    assert sorted(os.listdir(dest.parent / "outside")) == ["deep", "g"]
    assert listed.deletions.delete(b"sub")  # the link itself
    assert os.listdir(dest) == []


def test_what_is_listed_below_a_path_goes_deepest_first(dest: Path) -> None:
    listed = Listed(dest.parent)
    listed.deletions.delete_below(b"sub")
    assert os.listdir(dest / "sub") == []
    assert [path for _, path in listed.limit.listed()] == [b"sub/deep/f", b"sub/deep/", b"sub/g"]


def test_a_dry_run_only_counts(dest: Path) -> None:
    listed = Listed(dest.parent, is_dry_run=True, max_delete=3)
    assert [listed.deletions.delete(path) for path in PATHS] == [True, True, True, False]
    assert (listed.limit.count, listed.limit.skipped) == (3, 1)
    assert sorted(os.listdir(dest / "sub")) == ["deep", "g"]
