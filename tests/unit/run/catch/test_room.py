"""A dry run tells of what will not fit, as the run would."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mrsync.run.catch.room import HOLES_BYTES, Room
from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from tests.unit.tree.syncing import small_file_system

KB = 1024


def source_of(folder: Path, **sizes: int) -> Manifest:
    """Return the manifest of a directory with files of these sizes that take no space."""
    folder.mkdir()
    for name, size in sizes.items():
        with (folder / name).open("wb") as file:
            file.truncate(size)
    return scan(os.fsencode(folder)).manifest


def unfit(dest: Path, manifest: Manifest, *, made: int = 0) -> list[bytes]:
    """Return the names of files that do not fit, if all are needed. made: how many of them have no contents."""
    fd = os.open(dest, os.O_RDONLY)
    try:
        directories = Directories(fd, manifest.names, manifest.parents)
        end = len(manifest)
        found = dict(Room(b"elsewhere", manifest, directories).lacking([(1, end - made)], range(end - made, end)))
    finally:
        os.close(fd)
    assert all(failure.errno == errno.ENOSPC for failure in found.values())
    return [failure.path for failure in found.values()]


def free_of(dest: Path) -> int:
    return os.statvfs(dest).f_bfree * os.statvfs(dest).f_frsize


def test_what_is_larger_than_the_rest_does_not_fit_and_smaller_files_do(tmp_path: Path) -> None:
    with small_file_system(1 << 20) as mounted:
        free = free_of(mounted)
        manifest = source_of(tmp_path / "source", a=free // 2, b=free, c=free // 3, d=free // 3)
        assert unfit(mounted, manifest) == [b"b", b"d"]
        assert unfit(mounted, source_of(tmp_path / "all", a=free)) == []


@pytest.mark.parametrize(
    ("policy", "expected"),
    [({}, []), ({"inplace": True}, []), ({"commit": "end"}, [b"b"]), ({"commit": "job", "durable": True}, [b"b"])],
)
def test_space_of_old_versions_is_free_when_new_ones_are_in_place(
    tmp_path: Path, policy: dict[str, bool], expected: list[bytes]
) -> None:
    with small_file_system(1 << 20) as mounted:
        size = free_of(mounted) // 3 & ~4095
        manifest = source_of(tmp_path / "source", a=size, b=size)
        manifest.policy = Policy(**policy)  # type: ignore[arg-type]
        for name in ("a", "b"):
            (mounted / name).write_bytes(bytes(size - 8 * KB if name == "b" else size))
        assert unfit(mounted, manifest) == expected


def test_old_and_new_version_are_there_together_unless_the_old_one_is_overwritten(tmp_path: Path) -> None:
    with small_file_system(1 << 20) as mounted:
        size = free_of(mounted) * 2 // 3
        manifest = source_of(tmp_path / "source", a=size)
        (mounted / "a").write_bytes(bytes(size))
        assert unfit(mounted, manifest) == [b"a"]
        for field in ("inplace", "remove_first"):
            manifest.policy = Policy(**{field: True})  # type: ignore[arg-type]
            assert unfit(mounted, manifest) == []


def test_a_missing_destination_has_the_room_of_its_deepest_parent(tmp_path: Path) -> None:
    manifest = source_of(tmp_path / "source", a=1)
    assert not dict(Room(os.fsencode(tmp_path / "not" / "there"), manifest).lacking([(1, 2)], []))


def test_a_file_larger_than_any_disk_is_taken_for_sparse(tmp_path: Path) -> None:
    space = os.statvfs(tmp_path)
    manifest = source_of(tmp_path / "source", a=max(HOLES_BYTES, space.f_blocks * space.f_frsize) + 1)
    assert unfit(tmp_path, manifest) == []


def test_new_entries_need_inodes(tmp_path: Path) -> None:
    with small_file_system(1 << 20, inodes=8) as mounted:
        for number in range(os.statvfs(mounted).f_ffree - 2):
            (mounted / f"old{number}").touch()
        manifest = source_of(tmp_path / "source", a=0, b=0, c=0, d=0)
        for made in (0, 2, 4):
            assert unfit(mounted, manifest, made=made) == [b"c", b"d"]
