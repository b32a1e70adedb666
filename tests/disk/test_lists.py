"""Syncs of what a list names: rsync's dry run as a list makes a target equal, and no list does more than it says."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from mrsync.tree.lists.rsync_output import translate
from mrsync.tree.lists.synclist import Instruction, Item
from mrsync.tree.model.policy import Policy
from tests.awful import AwfulPair
from tests.trees import build_awkward_tree, differences, remove_tree
from tests.unit.tree.syncing import leftovers, sync

needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")


def dry_run(source: Path, dest: Path) -> list[Item]:
    command = ["rsync", "-avWHi", "--dry-run", "--delete", "--modify-window=-1", f"{source}/", f"{dest}/"]
    done = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "LC_ALL": "C"})
    found = translate([line + b"\n" for line in done.stdout.split(b"\n")[:-1]], os.fsencode(source), is_itemized=True)
    assert found.doubts == []
    return found.items


@needs_rsync
@pytest.mark.parametrize("seed", range(25))
def test_output_of_rsync_makes_the_target_equal(tmp_path: Path, seed: int) -> None:
    AwfulPair(bytes(tmp_path), seed)
    items = dry_run(tmp_path / "source", tmp_path / "dest")
    outcome = sync(tmp_path / "source", tmp_path / "dest", items=items, seed=seed)
    assert outcome.failures == []
    assert differences(tmp_path / "source", tmp_path / "dest") == []
    assert leftovers(tmp_path) == []
    again = sync(tmp_path / "source", tmp_path / "dest", items=dry_run(tmp_path / "source", tmp_path / "dest"))
    assert again.is_noop
    assert len(again.scan.manifest) == 1


@needs_rsync
@pytest.mark.parametrize("seed", range(4))
def test_one_awkward_tree_becomes_another(tmp_path: Path, seed: int) -> None:
    build_awkward_tree(tmp_path / "source", seed, 60)
    build_awkward_tree(tmp_path / "dest", seed + 100, 60)
    for tree in ("source", "dest"):
        remove_tree(tmp_path / tree / ("deep" * 60))  # rsync knows no paths beyond PATH_MAX
    try:
        items = dry_run(tmp_path / "source", tmp_path / "dest")
        outcome = sync(tmp_path / "source", tmp_path / "dest", items=items, seed=seed)
        assert outcome.failures == []
        assert differences(tmp_path / "source", tmp_path / "dest") == []
    finally:
        remove_tree(tmp_path / "source")
        remove_tree(tmp_path / "dest")


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    for name in ("source", "dest"):
        (tmp_path / name / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "source" / "sub" / "deep" / "f").write_text("new")
    (tmp_path / "source" / "other").write_text("other")
    os.chmod(tmp_path / "source" / "sub", 0o751)
    os.utime(tmp_path / "source" / "sub", (1, 1))
    return tmp_path


def names(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*")}


def state(directory: Path) -> tuple[int, ...]:
    """What a change of a directory shows. Reading it changes other times."""
    status = directory.stat()
    return status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns


def test_only_listed_entries_are_touched(trees: Path) -> None:
    dest = trees / "dest"
    (dest / "extra").write_text("stays")
    before = state(dest), state(dest / "sub")
    outcome = sync(trees / "source", dest, items=[Item(Instruction.FILE, b"sub/deep/f")])
    assert outcome.failures == []
    assert names(dest) == {"extra", "sub", "sub/deep", "sub/deep/f"}
    assert before == (state(dest), state(dest / "sub"))
    assert (dest / "sub" / "deep").stat().st_mtime_ns == (trees / "source" / "sub" / "deep").stat().st_mtime_ns


def test_missing_directories_are_made_like_those_of_the_source(trees: Path) -> None:
    shutil.rmtree(trees / "dest")
    outcome = sync(trees / "source", trees / "dest", items=[Item(Instruction.FILE, b"sub/deep/f")])
    assert outcome.failures == []
    assert stat.S_IMODE((trees / "dest" / "sub").stat().st_mode) == 0o751
    assert stat.S_IMODE((trees / "dest").stat().st_mode) == stat.S_IMODE((trees / "source").stat().st_mode)
    assert (trees / "dest" / "sub").stat().st_mtime == 1
    assert names(trees / "dest") == {"sub", "sub/deep", "sub/deep/f"}


def test_a_listed_file_is_sent_even_if_it_looks_equal(trees: Path) -> None:
    path = trees / "dest" / "other"
    path.write_text("OTHER")
    times = (trees / "source" / "other").stat()
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    sync(trees / "source", trees / "dest", items=[Item(Instruction.ATTRIBUTES, b"other")])
    assert path.read_text() == "OTHER"
    sync(trees / "source", trees / "dest", items=[Item(Instruction.FILE, b"other")])
    assert path.read_text() == "other"


def test_a_target_that_lacks_an_entry_to_be_updated_gets_it(trees: Path) -> None:
    outcome = sync(trees / "source", trees / "dest", items=[Item(Instruction.ATTRIBUTES, b"other")])
    assert outcome.failures == []
    assert (trees / "dest" / "other").read_text() == "other"


def test_a_listed_tree_is_copied_whole_and_deletes_nothing(trees: Path) -> None:
    (trees / "dest" / "sub" / "mine").touch()
    outcome = sync(
        trees / "source", trees / "dest", items=[Item(Instruction.TREE, b"sub"), Item(Instruction.FILE, b"sub/deep/f")]
    )
    assert outcome.failures == []
    assert names(trees / "dest") == {"sub", "sub/deep", "sub/deep/f", "sub/mine"}
    assert stat.S_IMODE((trees / "dest" / "sub").stat().st_mode) == 0o751
    whole = sync(trees / "source", trees / "dest", items=[Item(Instruction.TREE, b"")])
    assert whole.failures == []
    assert names(trees / "dest") == {"other", "sub", "sub/deep", "sub/deep/f", "sub/mine"}


@pytest.mark.parametrize("is_there", [True, False])
def test_a_hard_link_to_a_file_that_is_not_listed(trees: Path, is_there: bool) -> None:
    source, dest = trees / "source", trees / "dest"
    os.link(source / "other", source / "another")
    os.link(source / "other", source / "sub" / "third")
    if is_there:
        shutil.copy2(source / "other", dest / "other")
        os.chown(dest / "other", os.getuid(), os.getgid())
    items = [Item(Instruction.HARDLINK, b"another", b"other"), Item(Instruction.HARDLINK, b"sub/third", b"other")]
    outcome = sync(source, dest, items=items)
    assert outcome.failures == []
    assert outcome.plan.contents_bytes == (0 if is_there else len("other"))  # this target lacks its leader
    assert len({(dest / name).stat().st_ino for name in ("other", "another", "sub/third")}) == 1


def test_a_file_that_is_no_longer_a_hard_link_is_sent(trees: Path) -> None:
    (trees / "source" / "another").write_text("alone")
    items = [Item(Instruction.HARDLINK, b"another", b"other"), Item(Instruction.HARDLINK, b"sub/deep/f", b"gone")]
    outcome = sync(trees / "source", trees / "dest", items=items)
    assert outcome.failures == []
    assert names(trees / "dest") == {"another", "sub", "sub/deep", "sub/deep/f"}
    items = [Item(Instruction.HARDLINK, b"other", b"another")]
    os.unlink(trees / "source" / "another")
    os.link(trees / "source" / "other", trees / "source" / "another")
    sync(trees / "source", trees / "dest", items=items, policy=Policy(hard_links=False))
    assert (trees / "dest" / "other").stat().st_nlink == 1


def test_listed_deletions_are_made(trees: Path) -> None:
    dest = trees / "dest"
    (dest / "full" / "in").mkdir(parents=True)
    (dest / "full" / "in" / "kept").touch()
    (dest / "full" / "gone").touch()
    (dest / "outside").mkdir()
    (dest / "link").symlink_to("outside")
    (dest / "outside" / "precious").touch()
    (dest / "sub" / "deep" / "g").touch()
    times = (dest / "sub" / "deep").stat().st_mtime_ns
    paths = (b"full/gone", b"full/in", b"full", b"link/precious", b"link", b"nowhere/x", b"sub/deep/g", b"sub/deep/f")
    outcome = sync(
        trees / "source",
        dest,
        items=[*(Item(Instruction.DELETING, path) for path in paths), Item(Instruction.FILE, b"sub/deep/f")],
    )
    assert [(failure.path, failure.action) for failure in outcome.failures] == [
        (b"full/in", "delete"),
        (b"full", "delete"),
    ]
    assert outcome.result.deleted == 3
    assert names(dest) == {
        "full",
        "full/in",
        "full/in/kept",
        "outside",
        "outside/precious",
        "sub",
        "sub/deep",
        "sub/deep/f",
    }
    assert (dest / "sub" / "deep").stat().st_mtime_ns == (trees / "source" / "sub" / "deep").stat().st_mtime_ns != times


def test_a_directory_in_the_way_goes_only_if_all_in_it_is_listed(trees: Path) -> None:
    dest = trees / "dest"
    (dest / "other" / "a" / "b").mkdir(parents=True)
    doomed = [Item(Instruction.DELETING, b"other/a/b"), Item(Instruction.DELETING, b"other/a")]
    outcome = sync(trees / "source", dest, items=[Item(Instruction.FILE, b"other"), doomed[1]])
    assert [failure.path for failure in outcome.failures] == [b"other"]
    assert (dest / "other" / "a" / "b").is_dir()
    outcome = sync(trees / "source", dest, items=[Item(Instruction.FILE, b"other"), *doomed])
    assert outcome.failures == []
    assert (dest / "other").read_text() == "other"


def test_a_link_in_the_way_of_a_directory_is_removed_but_not_its_target(trees: Path) -> None:
    dest, outside = trees / "dest", trees / "outside"
    outside.mkdir()
    shutil.rmtree(dest / "sub")
    (dest / "sub").symlink_to(outside)
    outcome = sync(
        trees / "source", dest, items=[Item(Instruction.FILE, b"sub/deep/f"), Item(Instruction.DELETING, b"sub/mine")]
    )
    assert outcome.failures == []
    assert list(outside.iterdir()) == []
    assert (dest / "sub" / "deep" / "f").is_file()


def test_entries_missing_in_the_source_are_reported(trees: Path) -> None:
    items = [Item(Instruction.FILE, path) for path in (b"no", b"no/such", b"other/below", b"other", b"sub/deep/no")]
    outcome = sync(trees / "source", trees / "dest", items=[*items, Item(Instruction.DELETING, b"sub/deep/x")])
    assert {failure.path for failure in outcome.scan.errors} == {b"no", b"other", b"sub/deep/no"}
    assert names(trees / "dest") == {"other", "sub", "sub/deep"}


def test_unreadable_entries_suppress_deletions(trees: Path) -> None:
    (trees / "dest" / "extra").touch()
    items = [Item(Instruction.FILE, b"other/below"), Item(Instruction.DELETING, b"extra")]
    outcome = sync(trees / "source", trees / "dest", items=items)
    assert [failure.path for failure in outcome.scan.errors] == [b"other"]
    assert outcome.scan.manifest.listed is not None
    assert outcome.scan.manifest.listed.deletions == []
    assert (trees / "dest" / "extra").exists()
