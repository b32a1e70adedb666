"""Directories are opened by entry, few at a time, never through a link, and locked ones of ours only for a time."""

from __future__ import annotations

import errno
import os
import stat
from array import array
from pathlib import Path

import pytest

from mrsync.tree.fs.directories import DIRECTORIES_OPEN_MAX, Directories, follow_beneath
from tests.unit.tree.syncing import as_nobody, nobodys_directory

DEPTH = DIRECTORIES_OPEN_MAX + 50


def chain(root: Path, depth: int, *, is_loosening: bool = False) -> Directories:
    """root/d/d/d/...: entry i is i deep."""
    names = [b"", *[b"d"] * depth]
    parents = array("I", [0, *range(depth)])
    return Directories(os.open(root, os.O_RDONLY), names, parents, is_loosening=is_loosening)


def is_same(fd: int, path: Path) -> bool:
    return os.path.samestat(os.fstat(fd), path.stat())


def open_count() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_every_directory_is_found_and_few_are_open(tmp_path: Path) -> None:
    (tmp_path / "/".join("d" * DEPTH)).mkdir(parents=True)
    directories = chain(tmp_path, DEPTH)
    before = open_count()
    for entry in (DEPTH, 1, DEPTH // 2, 0, DEPTH, DEPTH - 1):
        assert is_same(directories.open(entry), tmp_path / "/".join("d" * entry))
        assert open_count() <= before + DIRECTORIES_OPEN_MAX
    directories.close()
    assert open_count() == before


def test_the_way_upwards_is_not_walked_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depth = 3 * DIRECTORIES_OPEN_MAX
    path = tmp_path / "/".join("d" * depth)
    path.mkdir(parents=True)
    directories = chain(tmp_path, depth)
    directories.open(depth)
    real, opened = os.open, 0

    def counted(name: bytes, flags: int, **more: int) -> int:
        nonlocal opened
        opened += 1
        return real(name, flags, **more)

    monkeypatch.setattr(os, "open", counted)
    for entry in range(depth, 0, -1):
        assert is_same(directories.open(entry), path)
        path = path.parent
    assert opened < 2 * depth  # from the root each time it would be depth * 3 / 2 more
    directories.close()


def test_a_deep_directory_that_was_moved_leads_nowhere_else(tmp_path: Path) -> None:
    """Then what is above it is another directory."""
    depth = 2 * DIRECTORIES_OPEN_MAX
    path = tmp_path / "/".join("d" * depth)
    path.mkdir(parents=True)
    directories = chain(tmp_path, depth)
    directories.open(depth)
    lowest = depth - DIRECTORIES_OPEN_MAX + 1  # that is open
    moved = tmp_path / "/".join("d" * lowest)
    (tmp_path / "other").mkdir()
    moved.rename(tmp_path / "other" / "d")
    assert is_same(directories.open(lowest - 1), moved.parent)
    directories.close()


def test_a_pair_is_good_at_the_same_time_however_deep(tmp_path: Path) -> None:
    for top in ("a", "b"):
        (tmp_path / top / "/".join("d" * DEPTH)).mkdir(parents=True)
    names = [b"", b"a", b"b", *[b"d"] * (2 * DEPTH)]
    parents = array("I", [0, 0, 0, 1, *range(3, DEPTH + 2), 2, *range(DEPTH + 3, 2 * DEPTH + 2)])
    directories = Directories(os.open(tmp_path, os.O_RDONLY), names, parents)
    a, b = DEPTH + 2, 2 * DEPTH + 2
    for one, other in ((a, b), (b, a), (a, a), (0, b), (b, 0)):
        fds = directories.pair(one, other)
        for fd, entry in zip(fds, (one, other), strict=True):
            top = "b" if entry == b else "a"
            assert is_same(fd, tmp_path if not entry else tmp_path / top / "/".join("d" * DEPTH))
    directories.close()


@pytest.mark.parametrize("what", ["missing", "file", "link", "dangling link", "link above"])
def test_only_directories_are_opened(tmp_path: Path, what: str) -> None:
    outside = tmp_path / "outside"
    (outside / "d").mkdir(parents=True)
    root = tmp_path / "root"
    root.mkdir()
    if what == "file":
        (root / "d").touch()
    elif what == "link":
        (root / "d").symlink_to(outside)
    elif what == "dangling link":
        (root / "d").symlink_to("nowhere")
    elif what == "link above":
        (root / "d").symlink_to(outside)
    directories = chain(root, 2, is_loosening=True)
    with pytest.raises(OSError, match=r"Not a directory|No such file") as caught:
        directories.open(2 if what == "link above" else 1)
    assert caught.value.errno == (errno.ENOENT if what == "missing" else errno.ENOTDIR)
    directories.close()


def test_our_own_locked_directories_are_opened_for_a_time() -> None:
    def run(top: Path) -> None:
        (top / "d" / "d" / "d").mkdir(parents=True)
        modes = {}
        for depth, mode in ((3, 0o000), (2, 0o400), (1, 0o2300)):
            path = top / "/".join("d" * depth)
            path.chmod(mode)
            modes[depth] = stat.S_IMODE(mode)
        with pytest.raises(PermissionError):
            chain(top, 3).open(3)
        directories = chain(top, 3, is_loosening=True)
        os.mkdir("new", dir_fd=directories.open(3))
        os.rmdir("new", dir_fd=directories.open(3))
        assert [directories.original_mode(depth) for depth in (0, 1, 2, 3)] == [None, 0o2300, 0o400, 0o000]
        assert directories.restore() == []
        for depth in (1, 2, 3):
            path = top / "/".join("d" * depth)
            assert stat.S_IMODE(path.stat().st_mode) == modes[depth]
            path.chmod(0o700)

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_settled_directories_are_not_restored() -> None:
    def run(top: Path) -> None:
        (top / "d").mkdir(mode=0o500)
        directories = chain(top, 1, is_loosening=True)
        assert directories.loosen(1)
        assert not directories.loosen(1)
        os.fchmod(directories.open(1), 0o711)
        directories.settled(1)
        assert directories.restore() == []
        assert stat.S_IMODE((top / "d").stat().st_mode) == 0o711

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_restoring_finds_its_way_through_directories_that_are_locked_again() -> None:
    def run(top: Path) -> None:
        (top / "d" / "d").mkdir(parents=True)
        (top / "d" / "d").chmod(0o000)
        (top / "d").chmod(0o000)
        directories = chain(top, 2, is_loosening=True)
        directories.open(2)
        os.fchmod(directories.open(1), 0o000)
        directories.settled(1)
        directories.close()
        assert directories.restore() == []
        assert stat.S_IMODE((top / "d").stat().st_mode) == 0
        (top / "d").chmod(0o700)
        assert stat.S_IMODE((top / "d" / "d").stat().st_mode) == 0

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_modes_that_cannot_be_restored_are_reported() -> None:
    def run(top: Path) -> None:
        (top / "d").mkdir(mode=0o500)
        directories = chain(top, 1, is_loosening=True)
        assert directories.loosen(1)
        directories.close()
        (top / "d").rmdir()
        assert directories.restore() == [(1, errno.ENOENT)]

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_a_directory_that_others_may_rename_stays_the_one_that_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrsync.tree.fs.directories.DIRECTORIES_OPEN_MAX", 1)
    names, parents = [b"", b"open", b"a", b"b"], [0, 0, 1, 1]
    for name in ("a", "b"):
        (tmp_path / "open" / name).mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    root_fd = os.open(tmp_path, os.O_RDONLY)
    directories = Directories(root_fd, names, parents)
    directories.open(2)
    directories.open(3)  # closes the other one
    (tmp_path / "open" / "a").rename(tmp_path / "open" / "aside")
    (tmp_path / "open" / "b").rename(tmp_path / "open" / "a")
    with pytest.raises(OSError, match="another directory"):
        directories.open(2)
    (tmp_path / "open" / "a").rename(tmp_path / "open" / "b")
    (tmp_path / "open" / "aside").rename(tmp_path / "open" / "a")
    directories.open(2)
    directories.close()
    os.close(root_fd)


def test_a_directory_that_takes_the_place_of_a_new_one_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir(mode=0o700)
    (tmp_path / "new" / "secret").touch()
    root_fd = os.open(tmp_path, os.O_RDONLY)
    directories = Directories(root_fd, [b"", b"new"], [0, 0])
    with pytest.raises(OSError, match="another directory"):
        directories.open_made(1)
    directories.close()
    os.close(root_fd)


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        ("a/b", "a/b"),
        ("./a/../a//b/", "a/b"),
        ("a/up", ""),
        ("a/up/a/up/a/b", "a/b"),
        ("chain3", "a/b"),
        ("..", errno.EXDEV),
        ("../top/a", errno.EXDEV),
        ("a/../..", errno.EXDEV),
        ("/", errno.EXDEV),
        ("loop", errno.ELOOP),
        ("missing/a", errno.ENOENT),
        ("file", errno.ENOTDIR),
        ("file/..", errno.ENOTDIR),
    ],
)
def test_links_are_followed_unless_they_lead_out(tmp_path: Path, goal: str, expected: str | int) -> None:
    top = tmp_path / "top"
    (top / "a/b").mkdir(parents=True)
    (top / "file").touch()
    for name, to in {"a/up": "..", "chain1": "a/b", "chain2": "chain1", "chain3": "chain2", "loop": "loop"}.items():
        (top / name).symlink_to(to)
    (top / "l").symlink_to(goal)
    root = os.open(top, os.O_RDONLY)
    try:
        if isinstance(expected, int):
            with pytest.raises(OSError, match=rf"Errno {expected}"):
                follow_beneath(root, [b"l"])
            return
        found = follow_beneath(root, [b"l"])
        assert b"/".join(found.path) == os.fsencode(expected)
        assert os.path.samestat(os.fstat(found.fd), (top / expected).stat())
        os.close(found.fd)
    finally:
        os.close(root)
