"""What a dry run can tell about a destination without changing it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from mrsync.errors import FileError
from mrsync.tree.destination.root import (
    check_absent_root,
    check_not_file_system_root,
    holds_home,
    open_directory_from,
    open_root,
    path_below,
    place_from,
)
from tests.unit.tree.syncing import as_nobody


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
