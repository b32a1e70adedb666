"""Backups, compared with what rsync makes of the same trees and options; links, copies, directories and patterns."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mrsync.errors import ProtocolDataError
from mrsync.tree.destination.backup import Backups, Fate
from mrsync.tree.model.policy import Policy
from tests.trees import differences
from tests.unit.tree.syncing import as_nobody, leftovers, nobodys_directory, small_file_system, sync

needs_rsync = pytest.mark.skipif(shutil.which("rsync") is None, reason="there is no rsync to compare with")


def make_trees(top: Path) -> tuple[Path, Path]:
    """A source, and a destination in which everything is old, another kind of thing, or too much."""
    source, dest = top / "source", top / "dest"
    for tree in (source, dest):
        (tree / "dir" / "deep").mkdir(parents=True)
    write(
        source, {"f": "new", "dir/deep/f": "new", "same": "same", "link to file": "new", "h1": "hard", "empty dir": "x"}
    )
    (source / "h2").hardlink_to(source / "h1")
    (source / "link").symlink_to("new")
    (source / "file to link").symlink_to("new")
    write(source, {"file to dir/in": "new"})
    write(dest, {"f": "older", "f~": "oldest", "dir/deep/f": "older", "same": "same", "file to link": "old"})
    write(dest, {"file to dir": "old", "h1": "old 1", "h2": "old 2", "gone": "old", "dir/gone": "old"})
    write(dest, {"extra/a": "a", "extra/sub/b": "b", "dir/deep/extra/c": "c"})
    (dest / "empty dir").mkdir()
    (dest / "link").symlink_to("old")
    (dest / "link to file").symlink_to("old")
    (dest / "gone link").symlink_to("old")
    os.mkfifo(dest / "gone fifo")
    (dest / "f").chmod(0o640)
    (dest / "extra" / "sub").chmod(0o751)
    shutil.copystat(source / "same", dest / "same")
    (dest / "same").chmod(0o600)
    for path in (*dest.rglob("*"), *source.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name != "same":
            os.utime(path, (1e9, 1e9 + len(path.read_text())))
    return source, dest


def write(tree: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def backup_policy(**fields: Any) -> Policy:
    return Policy(**{"backup": True, "suffix": "" if fields.get("backup_dir") else "~", **fields})


@needs_rsync
@pytest.mark.parametrize("deletes", [True, False])
@pytest.mark.parametrize(
    ("suffix", "directory"),
    [("~", ""), (".old", ""), ("", "bak"), ("", "deep/bak"), (".old", "bak"), ("", "../bak")],
)
def test_trees_equal_those_of_rsync(tmp_path: Path, suffix: str, directory: str, deletes: bool) -> None:
    """Twice, with another version in between: backups of the first run survive the second, or are replaced."""
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    source, dest = make_trees(tmp_path / "ours")
    subprocess.run(["cp", "-a", f"{tmp_path}/ours/.", tmp_path / "theirs"], check=True)
    options = ["--backup", *([f"--suffix={suffix}"] if suffix else []), *(["--delete"] if deletes else [])]
    options += [f"--backup-dir={directory}"] if directory else []
    if directory and not directory.startswith(".."):
        options += [f"--filter=P /{directory}/***"]  # which mrsync adds by itself
    for version in (1, 2):
        outcome = sync(source, dest, policy=backup_policy(suffix=suffix, backup_dir=directory, deletes=deletes))
        assert outcome.failures == []
        subprocess.run(["rsync", "-aH", *options, f"{source}/", tmp_path / "theirs" / "dest"], check=True)
        for name in ("dest", "bak") if directory.startswith("..") else ("dest",):
            # rsync leaves the times of directories when it makes backups beside files; made ones have that of now
            found = differences(tmp_path / "theirs" / name, tmp_path / "ours" / name)
            assert [line for line in found if not line.startswith("time of")] == [], version
        assert leftovers(tmp_path / "ours") == []
        write(source, {"f": f"version {version}", "new": "new"})
        (source / "dir" / "deep" / "f").unlink(missing_ok=True)


def test_a_directory_that_is_replaced_is_kept_whole(tmp_path: Path) -> None:
    """rsync gives up here, as the backups in the directory keep it from going."""
    source, dest = tmp_path / "source", tmp_path / "dest"
    write(source, {"a": "file now"})
    (source / "b").symlink_to("link now")
    write(dest, {"a/in/it": "old", "b/it": "old"})
    outcome = sync(source, dest, policy=backup_policy())
    assert outcome.failures == []
    assert (dest / "a").read_text() == "file now"
    assert (dest / "a~" / "in" / "it").read_text() == (dest / "b~" / "it").read_text() == "old"


def test_without_deletion_a_directory_is_not_replaced(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    write(source, {"a": "file now"})
    write(dest, {"a/in": "old"})
    (failure,) = sync(source, dest, policy=backup_policy(deletes=False)).failures
    assert (failure.errno, failure.path) == (errno.ENOTEMPTY, b"a")
    assert (dest / "a" / "in").read_text() == "old"


@pytest.mark.parametrize("directory", ["", "bak"])
def test_only_paths_that_a_pattern_describes_are_kept(tmp_path: Path, directory: str) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    write(source, {"etc/a.conf": "new", "etc/a.txt": "new", "usr/etc/a.conf": "new"})
    write(
        dest, {"etc/a.conf": "old", "etc/a.txt": "old", "usr/etc/a.conf": "old", "etc/gone.conf": "old", "gone": "old"}
    )
    patterns = (r"top/etc/.*\.conf$", r"top/none")
    policy = backup_policy(backup_patterns=patterns, backup_base="top/", backup_dir=directory)
    assert sync(source, dest, policy=policy).failures == []
    kept = {str(path.relative_to(dest)) for path in dest.rglob("*") if path.is_file() and path.read_text() == "old"}
    wanted = {"etc/a.conf", "etc/gone.conf"}
    assert kept == ({f"bak/{name}" for name in wanted} if directory else {f"{name}~" for name in wanted})


@pytest.mark.parametrize(
    ("suffix", "other"), [("_mcast_bak01020304", "x_mcast_bak12311159"), ("~[*]", "x~[*]"), ("\\", "x\\")]
)
def test_backups_of_other_runs_are_safe_from_deletion(tmp_path: Path, suffix: str, other: str) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    write(dest, {other: "old", f"extra/{other}": "old", "x": "old"})
    sync(source, dest, policy=backup_policy(suffix=suffix))
    kept = {str(path.relative_to(dest)) for path in dest.rglob("*") if path.is_file()}
    assert kept == {other, f"extra/{other}", f"x{suffix}"}
    sync(source, dest, policy=Policy())
    assert list(dest.iterdir()) == []


def test_a_name_that_gets_too_long_keeps_the_old_file(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    write(source, {"n" * 250: "new"})
    write(dest, {"n" * 250: "old"})
    (failure,) = sync(source, dest, policy=backup_policy(suffix="_mcast_bak01020304")).failures
    assert (failure.errno, failure.action) == (errno.ENAMETOOLONG, "replace")
    assert (dest / ("n" * 250)).read_text() == "old"
    assert leftovers(dest) == []


def test_backups_on_another_file_system_are_copies(tmp_path: Path) -> None:
    with small_file_system(8 << 20) as mount:
        source, dest = make_trees(tmp_path)
        with open(dest / "f", "r+b") as file:
            file.truncate(1 << 20)
        os.setxattr(dest / "f", "user.kept", b"too")
        before = {name: os.lstat(dest / name) for name in ("f", "link", "gone fifo", "gone", "extra/sub")}
        policy = backup_policy(backup_dir=str(mount / "{host}" / "bak"))
        assert sync(source, dest, policy=policy, host="node1").failures == []
        kept = mount / "node1" / "bak"
        for name, status in before.items():
            now = os.lstat(kept / name)
            assert (now.st_mode, now.st_uid) == (status.st_mode, status.st_uid), name
            if not stat.S_ISDIR(now.st_mode):
                assert (now.st_size, now.st_mtime_ns) == (status.st_size, status.st_mtime_ns), name
        assert os.lstat(kept / "f").st_blocks < 64
        assert os.getxattr(kept / "f", "user.kept") == b"too"
        assert os.readlink(kept / "link") == "old"
        assert leftovers(mount) == []


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on vfat: os.link refuses; no such file system can be mounted everywhere."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    yield
    monkeypatch.undo()


def test_where_there_are_no_hard_links_old_files_are_copied(tmp_path: Path, no_links: None) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    write(source, {"a": "new"})
    write(dest, {"a": "old", "a~": "older"})
    seen = os.stat(dest / "a").st_ino
    assert sync(source, dest, policy=backup_policy()).failures == []
    assert {path.name: path.read_text() for path in dest.iterdir()} == {"a": "new", "a~": "old"}
    assert os.stat(dest / "a~").st_ino != seen


def test_backups_without_root_in_read_only_directories() -> None:
    with nobodys_directory() as top:

        def keep() -> None:
            source, dest = top / "source", top / "dest"
            write(source, {"locked/a": "new"})
            write(dest, {"locked/a": "old", "locked/gone": "old"})
            for tree in (source, dest):
                (tree / "locked").chmod(0o555)
            for directory in ("../bak", ""):
                for text in ("new", "newer"):
                    (source / "locked").chmod(0o755)
                    write(source, {"locked/a": text})
                    (source / "locked").chmod(0o555)
                    assert sync(source, dest, policy=backup_policy(backup_dir=directory)).failures == []
            assert stat.S_IMODE((top / "bak" / "locked").stat().st_mode) == 0o555
            assert (top / "bak" / "locked" / "gone").read_text() == "old"
            assert (dest / "locked" / "a~").read_text() == "new"

        as_nobody(keep)


def test_a_link_in_the_backup_directory_is_not_followed(tmp_path: Path) -> None:
    source, dest, outside = tmp_path / "source", tmp_path / "dest", tmp_path / "outside"
    write(source, {"d/a": "new"})
    write(dest, {"d/a": "old"})
    outside.mkdir()
    (dest / "bak").mkdir()
    (dest / "bak" / "d").symlink_to(outside)
    assert sync(source, dest, policy=backup_policy(backup_dir="bak")).failures == []
    assert list(outside.iterdir()) == []
    assert (dest / "bak" / "d" / "a").read_text() == "old"


def test_the_root_of_backups_below_the_destination_is_not_a_link(tmp_path: Path) -> None:
    source, dest, outside = tmp_path / "source", tmp_path / "dest", tmp_path / "outside"
    write(source, {"a": "new"})
    write(dest, {"a": "old"})
    outside.mkdir()
    (dest / "bak").symlink_to(outside)
    failures = sync(source, dest, policy=backup_policy(backup_dir="bak")).failures
    assert [(failure.errno, failure.path) for failure in failures] == [(errno.ENOTDIR, b"a"), (errno.ENOTDIR, b"bak")]
    assert list(outside.iterdir()) == []
    assert (dest / "a").read_text() == "old"


@pytest.mark.parametrize(
    "policy",
    [
        Policy(backup=True),
        backup_policy(suffix="/x"),
        backup_policy(suffix="\0"),
        backup_policy(backup_dir="."),
        backup_policy(backup_dir="a/.."),
        backup_policy(backup_patterns=("(",)),
        backup_policy(backup_patterns=("a" * 70_000,)),
    ],
    ids=str,
)
def test_invalid_backup_policies_are_refused(tmp_path: Path, policy: Policy) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(ProtocolDataError):
            Backups(policy, fd, os.fsencode(tmp_path))
    finally:
        os.close(fd)


def test_a_directory_below_the_destination_is_known_by_any_name(tmp_path: Path) -> None:
    """It is protected from deletion, and no link leads out of the destination."""
    (tmp_path / "dest").mkdir()
    (tmp_path / "alias").symlink_to("dest")
    fd = os.open(tmp_path / "dest", os.O_RDONLY)
    try:
        for dest, directory in (("alias", "dest"), ("dest", "alias"), ("dest", "missing/../dest")):
            policy = backup_policy(backup_dir=str(tmp_path / directory / "old"))
            backups = Backups(policy, fd, os.fsencode(tmp_path / dest))
            assert (backups.outside_path, backups.rules) == (b"", ("P /old/***",))
    finally:
        os.close(fd)


@pytest.mark.parametrize("directory", ["../bak", "bak", "f/../bak", "f/../../bak", "../a/bak"])
@pytest.mark.parametrize("dest", ["x/l", "x/l/../a"])
def test_a_directory_is_found_from_the_destination_that_is_open(tmp_path: Path, dest: str, directory: str) -> None:
    write(tmp_path, {"x/a/f": "other", "y/a/f": "old", "source/f": "new"})
    (tmp_path / "x/l").symlink_to("../y/a")
    assert sync(tmp_path / "source", tmp_path / dest, policy=backup_policy(backup_dir=directory)).failures == []
    assert (tmp_path / os.path.normpath(f"y/a/{directory}") / "f").read_text() == "old"
    assert sorted(os.listdir(tmp_path / "x")) == ["a", "l"]
    assert os.listdir(tmp_path / "x/a") == ["f"]


def test_a_target_may_have_a_suffix_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        backups = Backups(backup_policy(), fd, os.fsencode(tmp_path), suffix=".mine")
        assert backups.move(fd, b"a", b"a") is Fate.RENAMED
        assert backups.move(fd, b"a.mine", b"a.mine") is Fate.NOT_KEPT  # one of ours
    finally:
        os.close(fd)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mine"]
