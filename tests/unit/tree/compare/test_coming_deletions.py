"""Most of a target is not deleted unasked, and a dry run tells what would go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.errors import DeletionsRefused
from mrsync.tree.compare.coming_deletions import UNGUARDED, check_deletions, foresee_deletions
from mrsync.tree.compare.compare import compare
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """A target with UNGUARDED entries that the source lacks: a directory and what is in it."""
    (tmp_path / "source").mkdir()
    (tmp_path / "dest" / "old").mkdir(parents=True)
    for number in range(UNGUARDED - 1):
        (tmp_path / "dest" / "old" / f"{number}").touch()
    return tmp_path


def compared(
    trees: Path, policy: Policy | None = None, *, is_dry_run: bool = False
) -> tuple[Destination, Comparison, Manifest]:
    manifest = Manifest.decode(scan(os.fsencode(trees / "source"), policy or Policy()).manifest.encode())
    destination = Destination(os.fsencode(trees / "dest"), is_dry_run=is_dry_run)
    return destination, compare(manifest, destination), manifest


def test_some_entries_may_always_go(trees: Path) -> None:
    destination, comparison, _ = compared(trees)
    check_deletions(destination, comparison, lambda count: None)


def test_most_entries_may_not_go(trees: Path) -> None:
    (trees / "dest" / "one more").touch()
    destination, comparison, _ = compared(trees)
    with pytest.raises(DeletionsRefused, match="refuses to delete 101 of 101 entries"):
        check_deletions(destination, comparison, lambda count: None)


def test_many_entries_may_go_if_as_many_stay(trees: Path) -> None:
    (trees / "dest" / "one more").touch()
    for tree in ("source", "dest"):
        for number in range(UNGUARDED + 1):
            (trees / tree / f"kept{number}").touch()
    destination, comparison, _ = compared(trees)
    check_deletions(destination, comparison, lambda count: None)


def test_a_dry_run_counts_what_would_be_refused(trees: Path) -> None:
    (trees / "dest" / "one more").touch()
    destination, comparison, _ = compared(trees, is_dry_run=True)
    check_deletions(destination, comparison, lambda count: None)
    assert destination.removals.deletions.skipped == UNGUARDED + 1


@pytest.mark.parametrize(("limit", "counts"), [(-1, (4, 0)), (2, (2, 1))])
def test_a_dry_run_lists_what_would_go_and_deletes_nothing(tmp_path: Path, limit: int, counts: tuple[int, int]) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "now a file").touch()
    (tmp_path / "dest" / "now a file" / "sub").mkdir(parents=True)
    (tmp_path / "dest" / "old" / "sub").mkdir(parents=True)
    (tmp_path / "dest" / "link").symlink_to("old")
    before = sorted(tmp_path.rglob("*"))
    destination, comparison, manifest = compared(tmp_path, Policy(itemizes=True, max_delete=limit), is_dry_run=True)
    assert foresee_deletions(manifest, destination, comparison) == []
    deletions = destination.removals.deletions
    assert (deletions.count, deletions.skipped) == counts  # what holds a skipped entry is not looked at
    if limit < 0:
        assert [path for _, path in deletions.listed()] == [b"link", b"now a file/sub/", b"old/sub/", b"old/"]
    assert sorted(tmp_path.rglob("*")) == before
