"""A second look at files that changed: what they are now, or why they cannot be cast again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.errors import SelectionError
from mrsync.tree.model.failure import Fault
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.modes import parse_mode_changes
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.rescan import rescan
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Selection
from tests.unit.tree.syncing import as_nobody, nobodys_directory


def test_rescan_applies_the_selection_again(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    selection = Selection(mode_changes=parse_mode_changes("F600", 0))
    found = scan(os.fsencode(tmp_path), Policy(), selection)
    (tmp_path / "a").chmod(0o777)
    rescan(found, selection, [1])
    assert found.manifest.modes[1] & 0o7777 == 0o600


def test_holes_come_and_go(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    os.truncate(tmp_path / "b", 1 << 20)
    found = scan(os.fsencode(tmp_path))
    assert found.sparse == {2}
    os.truncate(tmp_path / "a", 1 << 20)
    (tmp_path / "b").write_text("none")
    assert rescan(found, Selection(), [1, 2]).scan.sparse == {1}


def test_all_names_of_a_file_are_amended(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "z").hardlink_to(tmp_path / "a")
    found = scan(os.fsencode(tmp_path))
    (tmp_path / "z").write_text("12345")
    for asked in (1, 2):
        looked = rescan(found, Selection(), [asked])
        assert list(looked.patch.entries) == [1, 2]
    assert list(found.manifest.sizes[1:]) == [5, 5]


def _vanish(path: Path) -> None:
    path.unlink()


def _become_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _become_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("b")


def _leave_the_group(path: Path) -> None:
    path.unlink()
    path.write_text("1")


@pytest.mark.parametrize("change", [_vanish, _become_a_directory, _become_a_fifo, _become_a_link])
def test_rows_of_refused_files_stay_unchanged(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    found = scan(os.fsencode(tmp_path))
    change(tmp_path / "a")
    (tmp_path / "b").write_text("345")
    looked = rescan(found, Selection(), [1, 2])
    assert list(looked.patch.entries) == [2]
    assert list(looked.refused) == [1]
    assert not looked.refused[1].is_unreadable
    assert list(found.manifest.sizes[1:]) == [1, 3]


@pytest.mark.parametrize("name", ["a", "b", "c"])
@pytest.mark.parametrize("change", [_vanish, _become_a_directory, _become_a_fifo, _become_a_link, _leave_the_group])
def test_a_file_is_taken_by_the_names_that_it_still_has(
    tmp_path: Path, change: Callable[[Path], None], name: str
) -> None:
    (tmp_path / "a").write_text("1")
    for other in ("b", "c"):
        (tmp_path / other).hardlink_to(tmp_path / "a")
    policy = Policy(checksum=True, xattrs=True)
    found = scan(os.fsencode(tmp_path), policy)
    inodes = {1: os.stat(tmp_path / "a").st_ino}
    change(tmp_path / name)
    (tmp_path / ("b" if name != "b" else "c")).write_text("123")
    looked = rescan(found, Selection(), [1], inodes=inodes)
    assert (list(looked.patch.entries), looked.refused) == ([1, 2, 3], {})
    assert list(looked.lost) == [found.manifest.find(name.encode())]
    assert list(found.manifest.sizes[1:]) == [3, 3, 3]
    assert len({found.manifest.digest(entry) for entry in (1, 2, 3)}) == 1
    plan = build_plan(looked.scan, [(1, 2)])
    reader = ContentsReader(looked.scan.roots, found.manifest, plan, looked.prefixes)
    assert (reader.read(0, 3), reader.changed) == (b"123", {})
    reader.close()


def test_all_names_of_a_file_that_is_gone_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    found = scan(os.fsencode(tmp_path))
    _vanish(tmp_path / "a")
    _become_a_fifo(tmp_path / "b")
    looked = rescan(found, Selection(), [1])
    assert (list(looked.refused), looked.lost) == ([1, 2], {})


def test_unreadable_files_are_refused() -> None:
    with nobodys_directory() as tree:

        def look() -> None:
            (tree / "a").write_text("1")
            found = scan(os.fsencode(tree))
            (tree / "a").chmod(0)
            assert rescan(found, Selection(), [1]).refused == {1: Fault("Permission denied", is_unreadable=True)}

        as_nobody(look)


@pytest.mark.parametrize("is_link", [False, True], ids=["directory", "followed link"])
def test_a_directory_that_took_the_place_of_another_is_not_looked_into(tmp_path: Path, is_link: bool) -> None:
    """A closed one, perhaps: targets would give its files to all, as the scan saw an open one."""
    tree, aside = tmp_path / "tree", tmp_path / "aside"
    tree.mkdir()
    for folder, mode in ((tree / "open", 0o755), (tree / "closed", 0o700)):
        folder.mkdir(mode)
        (folder / "file").write_text(folder.name)
    tree.chmod(0o777)
    if is_link:
        (tree / "open").rename(aside)
        (tree / "open").symlink_to("../aside")
    found = scan(os.fsencode(tree), selection=Selection(copies_links=is_link))
    entry = found.manifest.find(b"open/file")
    (tree / "open").rename(tmp_path / "away")
    (tree / "closed").rename(tree / "open")
    looked = rescan(found, Selection(copies_links=is_link), [entry])
    assert [fault.reason for fault in looked.refused.values()] == ["another directory took its place"]
    assert found.manifest.sizes[entry] == len("open")


def test_missing_source_is_reported(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").touch()
    found = scan(os.fsencode(tmp_path / "source"))
    shutil.rmtree(tmp_path / "source")
    with pytest.raises(SelectionError, match="source"):
        rescan(found, Selection(), [1])


def test_a_file_that_is_being_written_to_is_taken_as_it_is_now(tmp_path: Path) -> None:
    for name in ("grown", "rotated", "same size"):
        (tmp_path / name).write_text("12345")
    (tmp_path / "z name").hardlink_to(tmp_path / "grown")
    found = scan(os.fsencode(tmp_path))
    (tmp_path / "grown").write_text("1234567")
    (tmp_path / "rotated").write_text("1")
    (tmp_path / "same size").write_text("abcde")
    looked = rescan(found, Selection(), [1, 2, 3])
    assert {entry: prefix.size for entry, prefix in looked.prefixes.items()} == {1: 7, 2: 1, 4: 7}


def test_holes_are_not_read_for_it(tmp_path: Path) -> None:
    (tmp_path / "image").touch()
    found = scan(os.fsencode(tmp_path))
    os.truncate(tmp_path / "image", 1 << 40)
    assert rescan(found, Selection(), [1]).prefixes == {}
