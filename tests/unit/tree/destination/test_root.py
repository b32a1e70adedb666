"""What a dry run can tell about a destination without changing it."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

import pytest

from mrsync.errors import FileError
from mrsync.tree.destination.root import (
    HOLES_BYTES,
    check_absent_root,
    check_not_file_system_root,
    check_room,
    holds_home,
    open_directory_from,
    open_root,
    path_below,
    place_from,
)
from mrsync.tree.fs.directories import Directories
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.source.scan import scan
from tests.unit.tree.syncing import as_nobody, small_file_system


def test_a_destination_needs_a_parent_directory(tmp_path: Path) -> None:
    check_absent_root(os.fsencode(tmp_path / "new"))
    check_absent_root(os.fsencode(tmp_path / "not" / "there" / "new"), makes_parents=True)
    with pytest.raises(FileError, match="its parent directory does not exist; --mkpath makes it"):
        check_absent_root(os.fsencode(tmp_path / "not" / "there"))


def test_the_root_of_all_is_known_by_whatever_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    for path in ("/", "//.", "/tmp/..", str(tmp_path / "link"), "../" * 40):
        with pytest.raises(FileError, match="is /, and all that SOURCE lacks"):
            check_not_file_system_root(os.fsencode(path))
    check_not_file_system_root(os.fsencode(tmp_path))
    check_not_file_system_root(b"/missing")


@pytest.mark.parametrize("is_made_meanwhile", [True, False])
def test_a_destination_that_another_program_makes_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_made_meanwhile: bool
) -> None:
    new, real = tmp_path / "new", os.mkdir

    def make(path: bytes, mode: int) -> None:
        if is_made_meanwhile:
            real(path, mode)
        else:
            new.symlink_to("nowhere")
        real(path, mode)

    monkeypatch.setattr(os, "mkdir", make)
    if is_made_meanwhile:
        fd, is_new = open_root(os.fsencode(new), makes_parents=False, is_only_read=False)
        os.close(fd)
        assert not is_new
    else:
        with pytest.raises(FileError, match="is a soft link to something that does not exist"):
            open_root(os.fsencode(new), makes_parents=False, is_only_read=False)


def test_a_working_directory_that_is_closed_ends_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a home on NFS, where root may do nothing."""
    tmp_path.chmod(0o777)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    (tmp_path / "home").chmod(0)
    real, looked = os.path.lexists, []

    def lexists(path: bytes) -> bool:
        looked.append(path)
        assert len(looked) < 100, "it goes on for ever"
        return real(path)

    monkeypatch.setattr(os.path, "lexists", lexists)

    def look() -> None:
        with pytest.raises(FileError, match="cannot use the destination a/b: Permission denied; with --sudo"):
            check_absent_root(b"a/b", makes_parents=True)

    try:
        as_nobody(look)
    finally:
        (tmp_path / "home").chmod(0o700)


def test_an_existing_name_is_not_an_absent_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name, reason in (("file", "is not a directory"), ("link", "is a soft link to something that does not exist")):
        for path in (os.fsencode(tmp_path / name), os.fsencode(tmp_path / name) + b"/"):
            with pytest.raises(FileError, match=f"{name}/? {reason}"):
                check_absent_root(path)
            with pytest.raises(FileError, match=f"{name}/? {reason}"):
                open_root(path, makes_parents=True, is_only_read=False)


def source_of(folder: Path, size: int) -> Manifest:
    """Return the manifest of a directory with one file of this size that takes no space."""
    folder.mkdir()
    with (folder / "file").open("wb") as file:
        file.truncate(size)
    return scan(os.fsencode(folder)).manifest


def test_needed_files_must_fit(tmp_path: Path) -> None:
    space = os.statvfs(tmp_path)
    total = space.f_blocks * space.f_frsize
    if total >= HOLES_BYTES:
        pytest.skip("the file system is too large for a file that does not fit")
    manifest = source_of(tmp_path / "source", total + 1)
    entry = manifest.find(b"file")
    check_room(os.fsencode(tmp_path), manifest, [], 1)
    with pytest.raises(FileError, match=re.escape(f"no room in the destination {tmp_path}: {total + 1} more bytes")):
        check_room(os.fsencode(tmp_path), manifest, [(entry, entry + 1)], 0)


def test_space_of_the_old_version_counts(tmp_path: Path) -> None:
    """It is looked at below the open destination, whatever the path of that leads to by now."""
    with small_file_system(1 << 20) as mounted:
        space = os.statvfs(mounted)
        size = space.f_blocks * space.f_frsize * 2 // 3
        (mounted / "file").write_bytes(bytes(size))
        manifest = source_of(tmp_path / "source", size)
        needs = [(manifest.find(b"file"), manifest.find(b"file") + 1)]
        fd = os.open(mounted, os.O_RDONLY)
        try:
            directories = Directories(fd, manifest.names, manifest.parents)
            check_room(b"elsewhere", manifest, needs, 0, directories)
            (mounted / "file").rename(mounted / "another")
            with pytest.raises(FileError, match=f"no room in the destination elsewhere: {size} more bytes"):
                check_room(b"elsewhere", manifest, needs, 0, directories)
        finally:
            os.close(fd)


def test_a_missing_destination_has_the_room_of_its_deepest_parent(tmp_path: Path) -> None:
    check_room(os.fsencode(tmp_path / "not" / "there" / "new"), source_of(tmp_path / "source", 0), [], 1)


def test_a_file_larger_than_any_disk_is_taken_for_sparse(tmp_path: Path) -> None:
    space = os.statvfs(tmp_path)
    manifest = source_of(tmp_path / "source", max(HOLES_BYTES, space.f_blocks * space.f_frsize) + 1)
    entry = manifest.find(b"file")
    check_room(os.fsencode(tmp_path / "dest"), manifest, [(entry, entry + 1)], 0)


def test_new_entries_need_inodes(tmp_path: Path) -> None:
    if not os.statvfs(tmp_path).f_files:
        pytest.skip("the file system does not count inodes")
    manifest = source_of(tmp_path / "source", 0)
    with pytest.raises(FileError, match="inodes are needed"):
        check_room(os.fsencode(tmp_path), manifest, [], 1 << 62)


def test_paths_below_the_root_directory() -> None:
    fd = os.open("/", os.O_RDONLY)
    try:
        found = [path_below(fd, path) for path in (b"/", b".", b"/old", b"old", b"../a//b/", b"//old/x/..")]
        assert found == [b"", b"", b"old", b"old", b"a/b", b"old"]
    finally:
        os.close(fd)


def test_a_path_out_of_the_root_follows_no_link_in_it(tmp_path: Path) -> None:
    (tmp_path / "far/goal").mkdir(parents=True)
    (tmp_path / "dest").mkdir()
    (tmp_path / "dest/sub").symlink_to(tmp_path / "far/goal")
    (tmp_path / "old").mkdir()
    root = os.fsencode(tmp_path)
    fd = os.open(tmp_path / "dest", os.O_RDONLY)
    try:
        for path in (b"sub/../../old", b"../dest/sub/../../old", root + b"/dest/sub/../../old"):
            assert place_from(fd, path) == (b"../old", False)
            found = open_directory_from(fd, path)
            assert os.path.samestat(os.fstat(found), os.stat(tmp_path / "old"))
            os.close(found)
    finally:
        os.close(fd)


def test_the_home_of_the_user_who_called_sudo_is_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = pwd.getpwuid(os.getuid())
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.delenv("SUDO_USER", raising=False)
    fd = os.open(user.pw_dir, os.O_RDONLY)
    try:
        assert not holds_home(fd)
        monkeypatch.setenv("SUDO_USER", user.pw_name)
        assert holds_home(fd)
        monkeypatch.setenv("SUDO_USER", "nobody-has-this-name")
        assert not holds_home(fd)
        (tmp_path / "link").symlink_to(user.pw_dir)
        monkeypatch.setenv("HOME", str(tmp_path / "link"))
        assert holds_home(fd)
    finally:
        os.close(fd)
