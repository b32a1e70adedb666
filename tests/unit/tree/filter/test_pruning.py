"""Which directories --prune-empty-dirs omits; random trees are compared with rsync in tests/rsync."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mrsync.tree.compare.compare import compare_with_nothing
from mrsync.tree.filter.pruning import find_pruned
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Selection
from tests.unit.tree.syncing import sync


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("full/deep", "empty/deep/deeper", "linked"):
        (tmp_path / "source" / name).mkdir(parents=True)
    (tmp_path / "source/full/deep/file").touch()
    (tmp_path / "source/linked/link").symlink_to("nowhere")
    return tmp_path / "source"


def manifest_of(source: Path, *rules: str) -> Manifest:
    return scan(os.fsencode(source), Policy(prunes_empty=True, rules=rules)).manifest


def test_directories_of_empty_directories_are_pruned(source: Path) -> None:
    manifest = manifest_of(source)
    assert {manifest.path(entry) for entry in find_pruned(manifest)} == {
        b"empty", b"empty/deep", b"empty/deep/deeper",
    }  # fmt: skip
    assert len(compare_with_nothing(manifest).made) == 4


def test_protected_directories_stay_with_those_above(source: Path) -> None:
    manifest = manifest_of(source, "-r deep/")
    assert {manifest.path(entry) for entry in find_pruned(manifest)} == {b"empty/deep/deeper"}


def test_listed_directories_without_listed_files_are_omitted(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    files = (b"full/", b"empty/deep/", b"linked/link")
    outcome = sync(source, dest, policy=Policy(prunes_empty=True), selection=Selection(files=files))
    assert (outcome.failures, sorted(os.listdir(dest))) == ([], ["linked"])


def test_a_target_deletes_pruned_directories(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    (dest / "empty/deep").mkdir(parents=True)
    (dest / "empty/old").touch()
    outcome = sync(source, dest, policy=Policy(prunes_empty=True))
    assert outcome.failures == []
    assert sorted(os.listdir(dest)) == ["full", "linked"]
    assert sync(source, dest, policy=Policy(prunes_empty=True)).is_noop
    (dest / "empty").write_text("in the way of nothing")
    sync(source, dest, policy=Policy(prunes_empty=True, deletes=False))
    assert (dest / "empty").is_file()


def test_a_backup_directory_is_pruned_as_all_others(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    policy = Policy(prunes_empty=True, deletes=False, backup=True, suffix="", backup_dir="empty")
    assert sync(source, dest, policy=policy).failures == []
    assert sorted(os.listdir(dest)) == ["full", "linked"]
