"""The comparison names exactly what differs, and nothing else."""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.tree.compare.compare import compare
from mrsync.tree.compare.prefetch import Prefetch
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.scan import scan
from tests.unit.tree.syncing import as_nobody, nobodys_directory

Named = dict[str, set[bytes]]


@pytest.fixture(params=["read now", "surveyed"])
def named(request: pytest.FixtureRequest) -> Callable[..., Named]:
    """The comparison of two trees as paths by category; the surveyed way must give the same."""

    def run(source: Path, dest: Path, *, deletes: bool = True) -> Named:
        manifest = Manifest.decode(scan(os.fsencode(source), Policy(deletes=deletes)).manifest.encode())
        prefetch = Prefetch()
        if request.param == "surveyed":
            prefetch.read(os.fsencode(dest), lambda entries: None)
        destination = Destination(os.fsencode(dest))
        comparison = compare(manifest, destination, prefetch=prefetch)
        destination.close()
        assert comparison.failures == []
        return by_category(manifest, comparison)

    return run


def by_category(manifest: Manifest, comparison: Comparison) -> Named:
    needed = [entry for first, end in comparison.needs for entry in range(first, end)]
    assert comparison.files_needed == len(needed)
    assert comparison.bytes_needed == sum(manifest.sizes[entry] for entry in needed)
    assert all(manifest.has_contents(entry) for entry in needed)
    assert needed == sorted(set(needed))
    found = {
        "needed": {manifest.path(entry) for entry in needed},
        "made": {manifest.path(entry) for entry in comparison.made},
        "linked": {manifest.path(entry) for entry in comparison.linked},
        "mended": {manifest.path(entry) for entry in comparison.mended},
        "extra": {os.path.join(manifest.path(directory), name) for directory, name in comparison.extraneous},
        "stale": {os.path.join(manifest.path(directory), name) for directory, name in comparison.stale},
    }
    assert comparison.changes == sum(len(found[what]) for what in ("made", "linked", "mended"))
    return {what: paths for what, paths in found.items() if paths}


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """source/ and dest/, equal: files a, sub/b, sub/c, a link and an empty directory."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "empty").mkdir()
    for name in ("a", "sub/b", "sub/c"):
        (source / name).write_text(f"contents of {name}")
    (source / "sub" / "link").symlink_to("b")
    shutil.copytree(source, tmp_path / "dest", symlinks=True)
    return tmp_path


def keep_time(path: Path, change: Callable[[], object]) -> None:
    """Change something in a directory without changing its time."""
    before = path.stat().st_mtime_ns
    change()
    os.utime(path, ns=(before, before))


def test_equal_trees_need_nothing(trees: Path, named: Callable[..., Named]) -> None:
    assert named(trees / "source", trees / "dest") == {}


def test_an_empty_destination_needs_everything(tmp_path: Path, named: Callable[..., Named], trees: Path) -> None:
    (tmp_path / "none").mkdir()
    shutil.copystat(trees / "source", tmp_path / "none")
    assert named(trees / "source", tmp_path / "none") == {
        "needed": {b"a", b"sub/b", b"sub/c"},
        "made": {b"sub", b"empty", b"sub/link"},
    }


def _touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def _grow_silently(path: Path) -> None:
    before = path.stat().st_mtime_ns
    path.write_text("something longer than it was before")
    os.utime(path, ns=(0, before))


ALTERATIONS: dict[str, tuple[Callable[[Path], object], Named]] = {
    "a nanosecond": (lambda dest: _touch(dest / "sub" / "b"), {"needed": {b"sub/b"}}),
    "size only": (lambda dest: _grow_silently(dest / "sub" / "b"), {"needed": {b"sub/b"}}),
    "file mode": (lambda dest: (dest / "sub" / "b").chmod(0o4711), {"mended": {b"sub/b"}}),
    "directory mode": (lambda dest: (dest / "sub").chmod(0o500), {"mended": {b"sub"}}),
    "directory time": (lambda dest: _touch(dest / "empty"), {"mended": {b"empty"}}),
    "root time": (_touch, {"mended": {b""}}),
    "root mode": (lambda dest: dest.chmod(0o711), {"mended": {b""}}),
    "missing file": (
        lambda dest: keep_time(dest / "sub", (dest / "sub" / "b").unlink),
        {"needed": {b"sub/b"}},
    ),
    "missing link": (lambda dest: keep_time(dest / "sub", (dest / "sub" / "link").unlink), {"made": {b"sub/link"}}),
    "missing directory": (
        lambda dest: keep_time(dest, lambda: shutil.rmtree(dest / "sub")),
        {"made": {b"sub", b"sub/link"}, "needed": {b"sub/b", b"sub/c"}},
    ),
    "extra file": (lambda dest: keep_time(dest / "empty", (dest / "empty" / "x").touch), {"extra": {b"empty/x"}}),
    "extra directory": (
        lambda dest: keep_time(dest, lambda: (dest / "x" / "y").mkdir(parents=True)),
        {"extra": {b"x"}},
    ),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_one_difference_is_named(trees: Path, named: Callable[..., Named], what: str) -> None:
    alter, expected = ALTERATIONS[what]
    alter(trees / "dest")
    assert named(trees / "source", trees / "dest") == expected


def test_another_link_target_is_named(trees: Path, named: Callable[..., Named]) -> None:
    link = trees / "dest" / "sub" / "link"
    before = link.lstat().st_mtime_ns

    def swap() -> None:
        link.unlink()
        link.symlink_to("c")
        os.utime(link, ns=(before, before), follow_symlinks=False)

    keep_time(link.parent, swap)
    assert named(trees / "source", trees / "dest") == {"made": {b"sub/link"}}


def test_another_link_time_is_named(trees: Path, named: Callable[..., Named]) -> None:
    os.utime(trees / "dest" / "sub" / "link", ns=(1, 1), follow_symlinks=False)
    assert named(trees / "source", trees / "dest") == {"mended": {b"sub/link"}}


@pytest.mark.parametrize("name", ["a", "sub", "sub/link"])
def test_another_owner_is_named(trees: Path, named: Callable[..., Named], name: str) -> None:
    if os.geteuid():
        pytest.skip("needs root to give files away")
    os.chown(trees / "dest" / name, 1, -1, follow_symlinks=False)
    way = "needed" if name == "a" else "mended"  # what it holds may be theirs, too
    assert named(trees / "source", trees / "dest") == {way: {name.encode()}}
    os.chown(trees / "dest" / name, 0, 1, follow_symlinks=False)
    assert named(trees / "source", trees / "dest") == {"mended": {name.encode()}}


def test_without_deletions_only_leftovers_of_sessions_are_extraneous(trees: Path, named: Callable[..., Named]) -> None:
    empty = trees / "dest" / "empty"
    left = (".mrsync-0123456789abcdef-17", ".mrsync-ff-l3", ".mrsync-0a.journal")
    others = ("x", ".mrsync-notes", ".mrsync-ff-12.txt")
    for name in (*left, *others):
        keep_time(empty, (empty / name).touch)
    keep_time(empty, (empty / ".mrsync-ff-99").mkdir)
    stale = {b"empty/" + name.encode() for name in left}
    extra = {b"empty/" + name.encode() for name in (*others, ".mrsync-ff-99")}
    assert named(trees / "source", trees / "dest", deletes=False) == {"stale": stale}
    assert named(trees / "source", trees / "dest") == {"stale": stale, "extra": extra}


def link_group(trees: Path) -> None:
    """In the source a, sub/b and sub/member are one file; dest starts as an equal copy."""
    source = trees / "source"
    (source / "sub" / "b").unlink()
    os.link(source / "a", source / "sub" / "b")
    os.link(source / "a", source / "sub" / "member")
    shutil.rmtree(trees / "dest")
    os.system(f"cp -a {source} {trees / 'dest'}")


def test_an_equal_group_needs_nothing(trees: Path, named: Callable[..., Named]) -> None:
    link_group(trees)
    assert named(trees / "source", trees / "dest") == {}


def test_a_missing_member_is_linked_to_its_unchanged_leader(trees: Path, named: Callable[..., Named]) -> None:
    link_group(trees)
    keep_time(trees / "dest" / "sub", (trees / "dest" / "sub" / "member").unlink)
    assert named(trees / "source", trees / "dest") == {"linked": {b"sub/member"}}


def test_a_missing_leader_is_linked_to_a_member_that_is_here(trees: Path, named: Callable[..., Named]) -> None:
    link_group(trees)
    keep_time(trees / "dest", (trees / "dest" / "a").unlink)
    assert named(trees / "source", trees / "dest") == {"linked": {b"a"}}


def test_all_members_follow_a_leader_that_is_needed(trees: Path, named: Callable[..., Named]) -> None:
    link_group(trees)
    keep_time(trees / "dest", (trees / "dest" / "a").unlink)
    keep_time(trees / "dest" / "sub", (trees / "dest" / "sub" / "b").unlink)
    _touch(trees / "dest" / "sub" / "member")
    assert named(trees / "source", trees / "dest") == {"needed": {b"a"}, "linked": {b"sub/b", b"sub/member"}}


def test_a_group_changed_as_a_whole_needs_its_leader_once(trees: Path, named: Callable[..., Named]) -> None:
    link_group(trees)
    _touch(trees / "dest" / "a")
    assert named(trees / "source", trees / "dest") == {"needed": {b"a"}, "linked": {b"sub/b", b"sub/member"}}


def test_a_group_is_mended_once(trees: Path, named: Callable[..., Named]) -> None:
    link_group(trees)
    (trees / "dest" / "a").chmod(0o600)
    assert named(trees / "source", trees / "dest") == {"mended": {b"a"}}


def test_equal_copies_that_should_be_one_file_are_linked(trees: Path, named: Callable[..., Named]) -> None:
    link_group(trees)
    member = trees / "dest" / "sub" / "member"

    def separate() -> None:
        shutil.copy2(member, member.with_name("copy"))
        member.with_name("copy").rename(member)

    keep_time(member.parent, separate)
    assert named(trees / "source", trees / "dest") == {"linked": {b"sub/member"}}


def test_files_that_share_an_inode_only_here_are_separated(trees: Path, named: Callable[..., Named]) -> None:
    for top in ("source", "dest"):
        for name in ("b", "c"):
            (trees / top / "sub" / name).write_text("the same")
            os.utime(trees / top / "sub" / name, ns=(0, 10**18))

    def join() -> None:
        (trees / "dest" / "sub" / "c").unlink()
        os.link(trees / "dest" / "sub" / "b", trees / "dest" / "sub" / "c")

    keep_time(trees / "dest" / "sub", join)
    assert named(trees / "source", trees / "dest") == {"needed": {b"sub/c"}}


def test_two_groups_that_are_one_here_are_separated(tmp_path: Path, named: Callable[..., Named]) -> None:
    for top in ("source", "dest"):
        (tmp_path / top).mkdir()
        (tmp_path / top / "a").write_text("the same")
        os.utime(tmp_path / top / "a", ns=(0, 10**18))
    for name in ("a2", "b", "b2"):
        os.link(tmp_path / "dest" / "a", tmp_path / "dest" / name)
    os.link(tmp_path / "source" / "a", tmp_path / "source" / "a2")
    shutil.copy2(tmp_path / "source" / "a", tmp_path / "source" / "b")
    os.link(tmp_path / "source" / "b", tmp_path / "source" / "b2")
    for top in ("source", "dest"):
        os.utime(tmp_path / top, ns=(0, 0))
    assert named(tmp_path / "source", tmp_path / "dest") == {"needed": {b"b"}, "linked": {b"b2"}}


def test_specials_are_neither_made_nor_deleted(trees: Path, named: Callable[..., Named]) -> None:
    for name in ("fifo", "gone"):
        keep_time(trees / "source" / "sub", lambda name=name: os.mkfifo(trees / "source" / "sub" / name))  # type: ignore[misc]
    keep_time(trees / "dest" / "sub", (trees / "dest" / "sub" / "fifo").touch)
    assert named(trees / "source", trees / "dest") == {}


@pytest.mark.parametrize("seed", range(5))
def test_random_trees_compare_as_a_plain_walk_does(tmp_path: Path, named: Callable[..., Named], seed: int) -> None:
    chance = random.Random(seed)
    for top in ("source", "dest"):
        for i in range(60):
            directory = tmp_path / top / chance.choice(("", "x", "y", "x/z"))
            directory.mkdir(parents=True, exist_ok=True)
            if chance.random() < 0.7:
                path = directory / f"f{i}"
                path.write_bytes(b"x" * chance.choice((3, 3, 3, 4)))
                os.utime(path, ns=(0, chance.choice((1, 1, 1, 2))))
                path.chmod(chance.choice((0o644, 0o644, 0o600)))
        for path in [tmp_path / top, *(tmp_path / top).rglob("*")]:
            if path.is_dir():
                os.utime(path, ns=(0, 9))
    found = named(tmp_path / "source", tmp_path / "dest")
    files = [
        {os.fsencode(path.relative_to(tmp_path / top)): path.stat() for path in (tmp_path / top).rglob("f*")}
        for top in ("source", "dest")
    ]
    same = {
        path
        for path, status in files[0].items()
        if path in files[1]
        and (files[1][path].st_size, files[1][path].st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    }
    assert found.get("needed", set()) == files[0].keys() - same
    assert found.get("mended", set()) == {path for path in same if files[0][path].st_mode != files[1][path].st_mode}
    extraneous = {path for path in found.get("extra", set()) if os.path.basename(path).startswith(b"f")}
    assert extraneous == {
        path for path in files[1].keys() - files[0].keys() if (tmp_path / "source" / os.fsdecode(path)).parent.is_dir()
    }


def test_our_own_locked_directory_is_read_and_left_as_it_was() -> None:
    def run(top: Path) -> None:
        (top / "source" / "locked" / "below").mkdir(parents=True)
        (top / "source" / "locked" / "below" / "file").write_text("x")
        os.system(f"cp -a {top / 'source'} {top / 'dest'}")
        (top / "dest" / "locked" / "below" / "extra").touch()
        for mode in (0o000, 0o444, 0o300):
            os.chmod(top / "dest" / "locked" / "below", mode)
            os.chmod(top / "dest" / "locked", mode)
            manifest = scan(os.fsencode(top / "source")).manifest
            destination = Destination(os.fsencode(top / "dest"))
            comparison = compare(manifest, destination)
            destination.close()
            assert comparison.failures == []
            assert by_category(manifest, comparison) == {
                "mended": {b"locked", b"locked/below"},
                "extra": {b"locked/below/extra"},
            }
            assert stat.S_IMODE(os.stat(top / "dest" / "locked").st_mode) == mode
            os.chmod(top / "dest" / "locked", 0o755)
            assert stat.S_IMODE(os.stat(top / "dest" / "locked" / "below").st_mode) == mode

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_an_unreadable_directory_is_reported_and_counts_as_needed() -> None:
    def run(top: Path) -> None:
        manifest = scan(os.fsencode(top / "source")).manifest
        destination = Destination(os.fsencode(top / "dest"))
        comparison = compare(manifest, destination)
        destination.close()
        assert [(failure.path, failure.errno) for failure in comparison.failures] == [(b"locked", errno.EACCES)]
        assert by_category(manifest, comparison)["needed"] == {b"locked/file"}

    if os.geteuid():
        pytest.skip("needs root to make directories of others")
    with nobodys_directory() as top:
        for tree in ("source", "dest"):
            (top / tree / "locked").mkdir(parents=True)
            (top / tree / "locked" / "file").write_text("x")
            os.chown(top / tree, 65534, 65534)
        os.chmod(top / "dest" / "locked", 0o700)
        as_nobody(lambda: run(top))


def test_activity_is_reported_in_thousands(tmp_path: Path) -> None:
    for i in range(25):
        (tmp_path / f"d{i}").mkdir()
        for j in range(100):
            (tmp_path / f"d{i}" / str(j)).touch()
    destination = Destination(os.fsencode(tmp_path))
    told: list[int] = []
    compare(scan(os.fsencode(tmp_path)).manifest, destination, told.append)
    destination.close()
    assert told == [1025, 1000]
