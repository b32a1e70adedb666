"""Whole syncs between real trees: equal afterwards, and nothing left to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.tree.compare.compare import compare
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.source.scan import scan
from tests.trees import HUGE_BYTES, build_awkward_tree, differences, remove_tree
from tests.unit.tree.syncing import as_nobody, leftovers, nobodys_directory, sync


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "dest").mkdir()
    return tmp_path


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("page_bytes", [997, 62_000])
def test_awkward_tree_arrives_whole_and_a_second_run_finds_nothing(tmp_path: Path, seed: int, page_bytes: int) -> None:
    build_awkward_tree(tmp_path / "source", seed)
    try:
        outcome = sync(tmp_path / "source", tmp_path / "dest", seed=seed, page_bytes=page_bytes)
        assert outcome.failures == []
        assert outcome.sat_out == []
        assert outcome.changed == {}
        assert differences(tmp_path / "source", tmp_path / "dest") == []
        again = sync(tmp_path / "source", tmp_path / "dest")
        assert again.is_noop
        assert differences(tmp_path / "source", tmp_path / "dest") == []
    finally:
        remove_tree(tmp_path / "source")
        remove_tree(tmp_path / "dest")


@pytest.mark.parametrize("seed", range(4))
def test_one_awkward_tree_becomes_another(tmp_path: Path, seed: int) -> None:
    build_awkward_tree(tmp_path / "source", seed, 80)
    build_awkward_tree(tmp_path / "dest", seed + 100, 80)
    try:
        outcome = sync(tmp_path / "source", tmp_path / "dest", seed=seed, page_bytes=3001)
        assert outcome.failures == []
        assert outcome.result.deleted > 0
        assert outcome.result.mended > 0
        assert differences(tmp_path / "source", tmp_path / "dest") == []
        assert sync(tmp_path / "source", tmp_path / "dest").is_noop
    finally:
        remove_tree(tmp_path / "source")
        remove_tree(tmp_path / "dest")


def test_awkward_tree_in_directories_of_the_user_nobody() -> None:
    def run(top: Path) -> None:
        build_awkward_tree(top / "source", 5)
        build_awkward_tree(top / "dest", 6)
        outcome = sync(top / "source", top / "dest", seed=5)
        assert outcome.failures == []
        assert outcome.sat_out == []
        assert differences(top / "source", top / "dest") == []
        assert sync(top / "source", top / "dest").is_noop

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_a_target_that_is_not_root_leaves_owners_alone() -> None:
    def run(top: Path) -> None:
        outcome = sync(top / "source", top / "dest")
        assert outcome.failures == []
        assert differences(top / "source", top / "dest", with_owners=False) == []
        assert sync(top / "source", top / "dest").is_noop

    if os.geteuid():
        pytest.skip("needs root to make files of others")
    with nobodys_directory() as top:
        (top / "source" / "sub").mkdir(parents=True)
        (top / "source" / "sub" / "file").write_text("of root")
        (top / "source" / "link").symlink_to("sub/file")
        os.chmod(top / "source" / "sub" / "file", 0o4755)
        as_nobody(lambda: run(top))


REPLACEMENTS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda path: None,
    "file": lambda path: _write(path, "contents"),
    "other file": lambda path: _write(path, "other contents"),
    "empty directory": lambda path: path.mkdir(),
    "full directory": lambda path: _write_below(path),
    "link to a directory": lambda path: path.symlink_to("../outside"),
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "fifo": lambda path: os.mkfifo(path),
}


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, ns=(7, 7 + len(text)))


def _write_below(path: Path) -> None:
    (path / "sub").mkdir(parents=True)
    (path / "file").write_text("in a directory")
    (path / "sub" / "file").write_text("in a directory")


@pytest.mark.parametrize("there", REPLACEMENTS)
@pytest.mark.parametrize("here", [kind for kind in REPLACEMENTS if kind != "fifo"])
def test_every_kind_replaces_every_other(trees: Path, here: str, there: str) -> None:
    (trees / "outside").mkdir()
    (trees / "outside" / "file").write_text("not yours")
    REPLACEMENTS[here](trees / "source" / "x")
    REPLACEMENTS[there](trees / "dest" / "x")
    outcome = sync(trees / "source", trees / "dest")
    assert outcome.failures == []
    assert differences(trees / "source", trees / "dest") == []
    assert [path.name for path in (trees / "outside").iterdir()] == ["file"]
    assert (trees / "outside" / "file").read_text() == "not yours"
    assert sync(trees / "source", trees / "dest").is_noop


def test_nothing_changes_before_the_commit(trees: Path) -> None:
    for i in range(5):
        (trees / "source" / f"new{i}").mkdir()
        (trees / "source" / f"new{i}" / "file").write_text("new")
        (trees / "source" / f"both{i}").write_text("new")
        (trees / "dest" / f"both{i}").write_text("old")
        (trees / "dest" / f"extra{i}").write_text("old")

    def look(step: str) -> None:
        if step == "staged":
            seen = sorted(path.name for path in (trees / "dest").iterdir() if not path.name.startswith(".mrsync-"))
            assert seen == sorted([f"both{i}" for i in range(5)] + [f"extra{i}" for i in range(5)])
            assert {(trees / "dest" / f"both{i}").read_text() for i in range(5)} == {"old"}

    sync(trees / "source", trees / "dest", between=look)
    assert differences(trees / "source", trees / "dest") == []


def test_a_file_of_5_gb_that_is_nearly_all_hole(trees: Path) -> None:
    with open(trees / "source" / "huge", "wb") as file:
        for offset in (0, 1 << 32, HUGE_BYTES - 10):
            file.seek(offset)
            file.write(b"0123456789")
    outcome = sync(trees / "source", trees / "dest", page_bytes=62_000)
    assert outcome.plan.contents_bytes < 1 << 20
    assert (trees / "dest" / "huge").stat().st_blocks < 1 << 12
    assert differences(trees / "source", trees / "dest") == []


def test_without_deletes_extras_stay_and_a_full_directory_is_not_replaced(trees: Path) -> None:
    _write(trees / "source" / "x", "contents")
    _write(trees / "source" / "y", "contents")
    _write_below(trees / "dest" / "x")
    (trees / "dest" / "y").mkdir()
    (trees / "dest" / "extra").write_text("stays")
    (trees / "dest" / ".mrsync-00ff-12").write_text("of an earlier run")
    outcome = sync(trees / "source", trees / "dest", deletes=False)
    entries = [(outcome.manifest.path(outcome.plan.entries[file]), reason) for file, reason in outcome.sat_out]
    assert entries == [(b"x", errno.ENOTEMPTY)]
    assert outcome.failures == []
    assert (trees / "dest" / "x" / "sub" / "file").exists()
    assert (trees / "dest" / "y").read_text() == "contents"
    assert (trees / "dest" / "extra").read_text() == "stays"
    assert leftovers(trees / "dest") == []


def test_files_that_one_target_sits_out_are_not_replaced(trees: Path) -> None:
    for name in ("a", "b", "c", "d"):
        _write(trees / "source" / name, "contents")
        _write(trees / "dest" / name, "older contents")
    os.link(trees / "source" / "b", trees / "source" / "b link")
    sync(trees / "source", trees / "dest", exceptions=((1, 3),))
    texts = {path.name: path.read_text() for path in (trees / "dest").iterdir()}
    assert texts == {"a": "contents", "b": "older contents", "c": "older contents", "d": "contents"}


def test_directories_in_which_a_file_was_staged_for_nothing_keep_their_times(trees: Path) -> None:
    for tree, text in (("source", "contents"), ("dest", "older contents")):
        (trees / tree / "sub").mkdir()
        _write(trees / tree / "sub" / "a", text)
        for path in ("sub", ""):
            os.utime(trees / tree / path, ns=(0, 5))
    sync(trees / "source", trees / "dest", exceptions=((0, 1),))
    assert (trees / "dest" / "sub" / "a").read_text() == "older contents"
    assert (trees / "dest" / "sub").stat().st_mtime_ns == 5


def test_a_directory_that_appeared_meanwhile_is_used_and_brought_to_order() -> None:
    def run(top: Path) -> None:
        def make(step: str) -> None:
            if step == "staged":
                (top / "dest" / "sub").mkdir(mode=0o555)

        assert sync(top / "source", top / "dest", between=make).failures == []
        assert differences(top / "source", top / "dest") == []

    with nobodys_directory() as top:
        (top / "source" / "sub").mkdir(parents=True)
        (top / "source" / "sub" / "file").write_text("contents")
        (top / "dest").mkdir()
        for path in (top / "dest", *(top / "source").rglob("*"), top / "source"):
            if os.geteuid() == 0:
                os.chown(path, 65534, 65534)
        as_nobody(lambda: run(top))


def test_a_run_that_broke_anywhere_is_repaired_by_the_next(tmp_path: Path) -> None:
    build_awkward_tree(tmp_path / "source", 11, 30)
    build_awkward_tree(tmp_path / "dest", 12, 30)

    def break_at(wanted: str) -> Callable[[str], None]:
        def check(step: str) -> None:
            if step == wanted:
                raise KeyboardInterrupt

        return check

    try:
        for step in ("compared", "staged", "committed"):
            with pytest.raises(KeyboardInterrupt):
                sync(tmp_path / "source", tmp_path / "dest", between=break_at(step))
        assert sync(tmp_path / "source", tmp_path / "dest").failures == []
        assert differences(tmp_path / "source", tmp_path / "dest") == []
        assert sync(tmp_path / "source", tmp_path / "dest").is_noop
    finally:
        remove_tree(tmp_path / "source")
        remove_tree(tmp_path / "dest")


@pytest.mark.parametrize("step", ["compared", "staged", "committed"])
def test_a_directory_swapped_for_a_link_meanwhile_leads_nowhere(trees: Path, step: str) -> None:
    outside = trees / "outside"
    outside.mkdir()
    (outside / "secret").write_text("not yours")
    before = outside.stat()
    for name in ("sub", "sub/deeper"):
        (trees / "source" / name).mkdir()
        (trees / "dest" / name).mkdir()
        _write(trees / "source" / name / "secret", "contents")
        (trees / "source" / name / "link").symlink_to("secret")
        os.link(trees / "source" / name / "secret", trees / "source" / name / "hard")
        (trees / "dest" / name / "extra").write_text("old")

    def swap(now: str) -> None:
        if now == step:
            (trees / "dest" / "sub").rename(trees / "away")
            (trees / "dest" / "sub").symlink_to(outside)

    outcome = sync(trees / "source", trees / "dest", between=swap)
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_text() == "not yours"
    after = outside.stat()
    assert (after.st_mtime_ns, after.st_mode) == (before.st_mtime_ns, before.st_mode)
    # What went wrong is told, or nothing went wrong.
    assert outcome.failures or differences(trees / "source", trees / "dest") == []
    sync(trees / "source", trees / "dest")
    assert differences(trees / "source", trees / "dest") == []


def test_decoded_manifest_compares_equal_to_its_own_source(trees: Path) -> None:
    build_awkward_tree(trees / "source" / "tree", 3)
    try:
        source = os.fsencode(trees / "source")
        destination = Destination(source)
        comparison = compare(Manifest.decode(scan(source).manifest.encode()), destination)
        destination.close()
        assert comparison.needs == []
        assert comparison.changes == len(comparison.extraneous) == 0
    finally:
        remove_tree(trees / "source" / "tree")
