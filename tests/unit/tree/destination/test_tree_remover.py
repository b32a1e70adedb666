"""A tree is removed whole, but nothing behind links and mounts."""

from __future__ import annotations

import errno
import os
import tracemalloc
from pathlib import Path

import pytest

from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.destination import tree_remover
from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.destination.tree_remover import TreeRemover
from mrsync.tree.fs.mounts import _statx_mount_id
from mrsync.tree.model.policy import Policy
from tests.trees import build_awkward_tree
from tests.unit.tree.syncing import as_nobody, nobodys_directory, small_file_system


def remove(path: Path) -> int:
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        deletions = DeletionLimit(Policy())
        assert TreeRemover(deletions).remove(0, fd, os.fsencode(path.name))
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


def test_our_own_locked_directories_are_removed() -> None:
    def run(top: Path) -> None:
        build_awkward_tree(top / "tree", 8)
        for path in ("directories/read-only", "directories/private"):
            (top / "tree" / path).chmod(0)
        remove(top / "tree")
        assert not (top / "tree").exists()

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_directories_that_stay_keep_their_modes(tmp_path: Path) -> None:
    (tmp_path / "tree" / "above" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "other").mkdir()
    for path in ("above/below/1", "above/below/2", "other/3"):
        (tmp_path / "tree" / path).touch()
    modes = {"above/below": 0o500, "above": 0o300, "other": 0o1500, ".": 0o550}
    for path, mode in modes.items():
        (tmp_path / "tree" / path).chmod(mode)
    fd = os.open(tmp_path, os.O_RDONLY)
    assert not TreeRemover(DeletionLimit(Policy(max_delete=1))).remove(0, fd, b"tree")
    os.close(fd)
    assert {path: (tmp_path / "tree" / path).stat().st_mode & 0o7777 for path in modes} == modes
    assert entries_below(tmp_path / "tree") == 5


def test_a_link_is_not_a_tree(tmp_path: Path) -> None:
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
            (tmp_path / "tree" / "gone").mkdir()
            above = os.open(tmp_path, os.O_RDONLY)
            assert not TreeRemover(DeletionLimit(Policy()), spares_mounts=True).remove(0, above, b"tree")
            os.close(above)
            assert [path.name for path in (tmp_path / "tree").iterdir()] == ["mount"]
            assert (mount / "file").exists()
        finally:
            os.system(f"umount {tmp_path / 'tree' / 'mount'}")


@pytest.mark.parametrize("has_proc", [True, False])
def test_a_bind_mount_of_the_same_file_system_is_not_emptied(
    tmp_path: Path, has_proc: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_proc:
        monkeypatch.setattr(tree_remover, "mount_id", _statx_mount_id)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    (tmp_path / "tree" / "mount").mkdir(parents=True)
    if os.geteuid() or os.system(f"mount --bind {tmp_path / 'data'} {tmp_path / 'tree' / 'mount'}"):
        pytest.skip("needs root and the right to mount")
    try:
        with pytest.raises(OSError, match="busy"):
            remove(tmp_path / "tree")
        assert (tmp_path / "data" / "file").exists()
    finally:
        os.system(f"umount {tmp_path / 'tree' / 'mount'}")


def tree_of(path: Path) -> list[str]:
    return sorted(str(below.relative_to(path)) for below in path.rglob("*"))


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 5, 9])
def test_no_more_goes_than_is_allowed(tmp_path: Path, limit: int) -> None:
    for name in ("tree/a", "tree/sub/b", "tree/sub/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    before = tree_of(tmp_path)
    fd = os.open(tmp_path, os.O_RDONLY)
    dry, deletions = (DeletionLimit(Policy(max_delete=limit, itemizes=True)) for _ in range(2))
    try:
        is_gone = [TreeRemover(dry, is_dry_run=True).remove(7, fd, b"tree")]
        assert tree_of(tmp_path) == before
        is_gone.append(TreeRemover(deletions).remove(7, fd, b"tree"))
    finally:
        os.close(fd)
    assert is_gone == [limit >= len(before)] * 2
    assert deletions.count == min(limit, len(before)) == len(before) - len(tree_of(tmp_path))
    assert (deletions.skipped > 0) is (limit < len(before))
    told = [list(one.listed()) for one in (dry, deletions)]
    assert told[0] == told[1]
    gone = sorted((7, os.fsencode(name) + (b"/" if name in ("tree", "tree/sub") else b"")) for name in before)
    assert set(told[0]) <= set(gone)


def test_what_cannot_be_removed_keeps_nothing_else(tmp_path: Path) -> None:
    """Nor does what somebody else removes at the same time."""
    for name in ("tree/a", "tree/kept", "tree/sub/b", "tree/sub/gone", "tree/sub/kept", "tree/sub/z", "tree/other/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    def remove_entry(fd: int, name: bytes, path: bytes) -> bool:
        if name == b"kept":
            raise PermissionError(errno.EPERM, "Operation not permitted")
        if name in (b"b", b"z"):
            (tmp_path / "tree/sub/gone").unlink(missing_ok=True)
        os.unlink(name, dir_fd=fd)
        return False

    failures: list[bytes] = []
    fd = os.open(tmp_path, os.O_RDONLY)
    deletions = DeletionLimit(Policy())
    remover = TreeRemover(deletions, remove_entry=remove_entry, on_failure=lambda error, path: failures.append(path))
    try:
        assert not remover.remove(0, fd, b"tree")
    finally:
        os.close(fd)
    assert sorted(failures) == [b"tree/kept", b"tree/sub/kept"]
    assert sorted(tree_of(tmp_path)) == ["tree", "tree/kept", "tree/sub", "tree/sub/kept"]
    assert deletions.count in (5, 6)  # "gone" is one of them if its turn came first


def test_an_obstacle_does_not_count_as_a_deletion(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").touch()
    fd = os.open(tmp_path, os.O_RDONLY)
    deletions = DeletionLimit(Policy(max_delete=1, itemizes=True))
    try:
        assert TreeRemover(deletions).remove(0, fd, b"tree", is_obstacle=True)
    finally:
        os.close(fd)
    assert list(deletions.listed()) == [(0, b"tree/file")]
    assert tree_of(tmp_path) == []


def test_removing_empty_directories_is_activity(tmp_path: Path) -> None:
    """A tree of directories only may take long to go, and whoever made it must not get the target dropped."""
    (tmp_path / "d" / "e" / "f").mkdir(parents=True)
    told: list[int] = []
    fd = os.open(tmp_path, os.O_RDONLY)
    assert TreeRemover(DeletionLimit(Policy())).remove(0, fd, b"d", told.append)
    os.close(fd)
    assert told == [2, 2, 1, *[1] * 3]


def test_memory_does_not_grow_with_the_square_of_the_depth(tmp_path: Path) -> None:
    depth, name = 1500, b"n" * 250
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    prefetch = Prefetch()
    tracemalloc.start()
    try:
        prefetch.read(os.fsencode(tmp_path), lambda entries: None)
        remove(tmp_path / os.fsdecode(name))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < depth * 12 * len(name)  # paths of all would be sixty times that
    assert os.listdir(tmp_path) == []
