"""A tree is removed whole, but nothing behind links and mounts."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mrsync.tree.deletions import Deletions
from mrsync.tree.policy import Policy
from mrsync.tree.removal import remove_tree
from tests.trees import build_awkward_tree
from tests.unit.tree.syncing import as_nobody, nobodys_directory, small_file_system


def remove(path: Path) -> int:
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        deletions = Deletions(Policy())
        assert remove_tree(0, fd, os.fsencode(path.name), deletions)
        return deletions.count
    finally:
        os.close(fd)


def entries_below(path: Path) -> int:
    return sum(len(directories) + len(files) for _, directories, files, _ in os.fwalk(path))


def test_an_awkward_tree_is_removed_and_counted(tmp_path: Path) -> None:
    build_awkward_tree(tmp_path / "tree", 7)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    (tmp_path / "tree" / "random" / "out").symlink_to(tmp_path / "outside")
    expected = entries_below(tmp_path / "tree") + 1
    assert remove(tmp_path / "tree") == expected
    assert not (tmp_path / "tree").exists()
    assert (tmp_path / "outside" / "file").exists()


def test_locked_directories_of_ours_are_removed() -> None:
    def run(top: Path) -> None:
        build_awkward_tree(top / "tree", 8)
        for path in ("directories/read-only", "directories/private"):
            (top / "tree" / path).chmod(0)
        remove(top / "tree")
        assert not (top / "tree").exists()

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_a_link_is_no_tree(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    (tmp_path / "link").symlink_to("outside")
    with pytest.raises(NotADirectoryError):
        remove(tmp_path / "link")
    assert (tmp_path / "outside" / "file").exists()


def test_nothing_behind_a_mount_point_is_removed(tmp_path: Path) -> None:
    with small_file_system(1 << 20) as mount:
        (mount / "file").touch()
        (tmp_path / "tree" / "mount").mkdir(parents=True)
        if os.system(f"mount --bind {mount} {tmp_path / 'tree' / 'mount'}"):
            pytest.skip("needs the right to mount")
        try:
            with pytest.raises(OSError, match="busy") as caught:
                remove(tmp_path / "tree")
            assert caught.value.errno == errno.EBUSY
            assert (mount / "file").exists()
        finally:
            os.system(f"umount {tmp_path / 'tree' / 'mount'}")
