"""What a --files-from list takes; random lists are held against rsync in tests/rsync."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.files_from import normalized
from mrsync.tree.source.modes import parse_mode_changes
from mrsync.tree.source.scan import scan
from mrsync.tree.source.scanner import Scan
from mrsync.tree.source.selection import OMITS_MOUNTS, Selection
from tests.unit.tree.syncing import small_file_system, sync


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    for name in ("a", "d/1", "d/e/2", "d/e/f/3", "x/4"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "ld").symlink_to("d")
    return root


def scanned(source: Path, *files: bytes, is_recursive: bool = False, one_file_system: int = 0) -> Scan:
    selection = Selection(files=files, is_recursive=is_recursive, one_file_system=one_file_system)
    found = scan(os.fsencode(source), Policy(), selection)
    Manifest.decode(found.manifest.encode())
    return found


def paths(found: Scan) -> list[bytes]:
    return sorted(map(found.manifest.path, range(1, len(found.manifest))))


@pytest.mark.parametrize(
    ("files", "taken"),
    [
        ([], []),
        ([b"a"], [b"a"]),
        ([b"d"], [b"d"]),
        ([b"d/"], [b"d", b"d/1", b"d/e"]),
        ([b"d/e/2", b"d/e/2"], [b"d", b"d/e", b"d/e/2"]),
        ([b"./d//e/../1", b"/a", b"../../x/."], [b"a", b"d", b"d/1", b"x", b"x/4"]),
        ([b"."], [b"a", b"d", b"ld", b"x"]),
        ([b"ld"], [b"ld"]),
        ([b"ld/e/2", b"ld"], [b"ld", b"ld/e", b"ld/e/2"]),  # rsync makes a directory of such a link
    ],
)
def test_listed_paths_and_the_way_to_them(source: Path, files: list[bytes], taken: list[bytes]) -> None:
    assert paths(scanned(source, *files)) == taken


def test_a_new_dest_gets_the_mode_of_source_only_if_that_is_listed(source: Path, tmp_path: Path) -> None:
    source.chmod(0o700)
    changes = parse_mode_changes("a-x", 0)
    for name, files, mode in (("one", (b"a",), 0o755), ("two", (b"a", b"./d"), 0o600)):
        sync(source, tmp_path / name, selection=Selection(files=files, mode_changes=changes))
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_recursive_lists_take_whole_directories(source: Path) -> None:
    assert paths(scanned(source, b"d/e", is_recursive=True)) == [b"d", b"d/e", b"d/e/2", b"d/e/f", b"d/e/f/3"]
    assert len(paths(scanned(source, b".", is_recursive=True))) == 10
    below = [path for path in paths(scanned(source, b".", b"ld/1", is_recursive=True)) if path.startswith(b"ld/")]
    assert below == [b"ld/1"]  # and nothing else that the link leads to


def test_missing_paths_and_paths_through_files_are_errors(source: Path) -> None:
    found = scanned(source, b"nowhere", b"a/b", b"x/4")
    assert paths(found) == [b"x", b"x/4"]
    assert [(failure.errno, failure.path) for failure in found.errors] == [
        (errno.ENOENT, b"nowhere"),
        (errno.ENOTDIR, b"a/b"),
    ]


def test_deletions_need_a_complete_list(source: Path, tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    for name in ("old", "d/old", "d/e/old", "x/old"):
        (dest / name).parent.mkdir(parents=True, exist_ok=True)
        (dest / name).touch()
    dest.chmod(0o700)
    outcome = sync(source, dest, selection=Selection(files=(b"d/e/", b"x", b"a")))
    assert outcome.failures == []
    assert sorted(str(path.relative_to(dest)) for path in dest.rglob("*")) == [
        "a", "d", "d/e", "d/e/2", "d/e/f", "d/old", "old", "x", "x/old",
    ]  # fmt: skip
    assert dest.stat().st_mode & 0o777 == 0o700
    sync(source, dest, selection=Selection(files=(b".", b"x/")))
    assert sorted(os.listdir(dest)) == ["a", "d", "ld", "x"]
    assert os.listdir(dest / "x") == ["4"]
    assert dest.stat().st_mode == source.stat().st_mode


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (b"a/b", (b"a/b", False)),
        (b"/a//b/", (b"a/b", True)),
        (b"a/.", (b"a", True)),
        (b"a/..", (b"", True)),
        (b"../../a", (b"a", False)),
        (b".", (b"", True)),
        (b".../..a", (b".../..a", False)),
    ],
)
def test_paths_are_normalized_and_trailing_slashes_noted(entry: bytes, expected: tuple[bytes, bool]) -> None:
    assert normalized(entry) == expected


def test_directories_on_other_file_systems_are_taken_empty(tmp_path: Path) -> None:
    with small_file_system(1 << 20) as mounted:
        (mounted / "in").mkdir()
        (mounted / "in/file").touch()
        source, dest = mounted.parent, tmp_path / "dest"
        name = os.fsencode(mounted.name)
        (dest / mounted.name / "kept").mkdir(parents=True)
        listed = scanned(source, name, is_recursive=True, one_file_system=1)
        assert len(paths(listed)) == 3  # who names it wants it
        whole = scan(os.fsencode(tmp_path), Policy(), Selection(one_file_system=1))
        assert whole.manifest.incomplete == set()
        (tmp_path / "source/mount").mkdir(parents=True)
        if os.system(f"mount --bind {mounted} {tmp_path}/source/mount"):
            pytest.skip("cannot bind a mount")
        try:
            found = scan(os.fsencode(tmp_path / "source"), Policy(), Selection(one_file_system=1))
            assert paths(found) == [b"mount"]
            omitted = Selection(one_file_system=OMITS_MOUNTS)
            assert paths(scan(os.fsencode(tmp_path / "source"), Policy(), omitted)) == []
            (dest / "mount/kept").mkdir(parents=True)
            sync(tmp_path / "source", dest, selection=Selection(one_file_system=1))
            assert (dest / "mount/kept").exists()
        finally:
            os.system(f"umount {tmp_path}/source/mount")
