"""Destinations on file systems that keep less than the source has: contents arrive, and what is lost is reported."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from mrsync.tree.compare.compare import compare
from mrsync.tree.destination.destination import Destination
from mrsync.tree.source.scan import scan
from tests.disk import mounts
from tests.unit.tree.syncing import Outcome, leftovers, small_file_system, sync


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files, a soft link and a hard-link group that somebody else owns."""
    source = tmp_path / "source"
    (source / "d" / "e").mkdir(parents=True)
    for name in ("a", "d/b", "d/e/c"):
        (source / name).write_text(name)
        (source / name).chmod(0o640)
        if not os.geteuid():
            os.chown(source / name, 1234, 1234)
    (source / "d" / "link").symlink_to("b")
    os.link(source / "a", source / "d" / "hard")
    if not os.geteuid():
        os.lchown(source / "d" / "link", 1234, 1234)
        os.chown(source / "d", 1234, 1234)
    for path in (*source.rglob("*"), source):
        os.utime(path, ns=(0, 1_700_000_000_123_456_789), follow_symlinks=False)
    return source


def told(outcome: Outcome) -> dict[str, tuple[bytes, int]]:
    """Action -> first path, and how many others."""
    found = {failure.action: (failure.path, failure.others) for failure in outcome.failures}
    assert len(found) == len(outcome.failures)
    return found


def contents(top: Path) -> dict[str, str]:
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--chown-deny", {"set the owner"}),
        ("--chgrp-deny", {"set the group"}),
        ("--chown-ignore", {"set the owner"}),
        ("--chmod-deny", {"set the mode"}),
    ],
)
def test_an_attribute_that_is_refused_costs_nothing_else(
    tmp_path: Path, source: Path, option: str, expected: set[str]
) -> None:
    with mounts.refusing(tmp_path / "disk", option) as top:
        dest = top / "dest"
        first = sync(source, dest)
        assert first.sat_out == []
        assert set(told(first)) == expected
        assert contents(dest) == contents(source)
        assert os.readlink(dest / "d" / "link") == "b"
        assert (dest / "a").stat().st_ino == (dest / "d" / "hard").stat().st_ino
        assert leftovers(dest) == []
        second = sync(source, dest)
        assert second.comparison.needs == []
        assert set(told(second)) == expected


def test_a_refused_attribute_is_reported_once_for_all_files(tmp_path: Path, source: Path) -> None:
    with mounts.refusing(tmp_path / "disk", "--chown-deny") as top:
        assert told(sync(source, top / "dest")) == {"set the owner": (b"a", 4)}  # d, d/b, d/link, d/e/c


def test_copies_with_the_wrong_owner_lose_set_id_bits(tmp_path: Path, source: Path) -> None:
    (source / "a").chmod(0o6755)
    with mounts.refusing(tmp_path / "disk", "--chown-deny") as top:
        sync(source, top / "dest")
        assert (top / "dest" / "a").stat().st_mode & 0o7777 == 0o755


COARSE: dict[str, Callable[[Path], AbstractContextManager[Path]]] = {
    "whole seconds": lambda folder: mounts.ext4(folder, "-I", "128"),
    "100 ns": mounts.ntfs,
}
FOLDING: dict[str, Callable[[Path], AbstractContextManager[Path]]] = {
    "NTFS": partial(mounts.ntfs, folds_case=True),
    "FAT": mounts.fat,
}


@pytest.mark.parametrize("kind", COARSE)
def test_coarse_times_are_no_differences(tmp_path: Path, source: Path, kind: str) -> None:
    with COARSE[kind](tmp_path / "disk") as top:
        dest = top / "dest"
        assert sync(source, dest).failures == []
        second = sync(source, dest)
        assert second.failures == []
        assert second.is_noop
        os.utime(source / "d" / "b", ns=(0, 1_700_000_001_123_456_789))
        third = sync(source, dest)
        assert third.comparison.files_needed == 1
        assert leftovers(dest) == []


def test_a_time_that_cannot_be_kept_is_reported_and_casts_nothing(tmp_path: Path) -> None:
    with small_file_system(1 << 20) as source, mounts.ext4(tmp_path / "disk") as top:
        for year, seconds in (("1800", -5364662400), ("1970", 0), ("2446", 15032385535), ("2500", 16725225600)):
            (source / year).write_text(year)
            os.utime(source / year, ns=(0, seconds * 10**9 + 7))
        (source / "link").symlink_to("2500")
        os.utime(source / "link", ns=(0, 16725225600 * 10**9), follow_symlinks=False)
        os.utime(source, ns=(0, 10**18))
        for run in range(2):
            done = sync(source, top / "dest")
            expected = (errno.EOVERFLOW, b"1800", "set the time", 2)
            assert [tuple(failure) for failure in done.failures] == [expected]
            assert not run or done.is_noop


@pytest.mark.parametrize("kind", FOLDING)
def test_a_name_in_another_case_is_not_lost(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "source"
    (source / "dir").mkdir(parents=True)
    (source / "dir" / "below").write_text("below")
    (source / "name").write_text("one")
    (source / "other").write_text("other")
    with FOLDING[kind](tmp_path / "disk") as top:
        dest = top / "dest"
        sync(source, dest)
        (source / "name").rename(source / "Name")
        (source / "dir").rename(source / "DIR")
        (source / "other").unlink()
        for text in ("one", "another"):
            sync(source, dest)
            assert (dest / "Name").read_text() == text  # the kernel may remember the old size of another spelling
            assert (dest / "dir" / "below").read_text() == "below"
            assert sorted(name.lower() for name in os.listdir(dest)) == ["dir", "name"]
            (source / "Name").write_text("another")


def test_two_names_that_are_one_are_an_error_of_the_second(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for folder in ("Dir", "dir"):
        (source / folder).mkdir(parents=True)
        (source / folder / f"in {folder}").write_text(folder)
    (source / "README").write_text("upper")
    (source / "readme").write_text("lower")
    (source / "\u00e9").write_text("composed")
    (source / "e\u0301").write_text("decomposed")
    with mounts.ntfs(tmp_path / "disk", folds_case=True) as top:
        dest = top / "dest"
        for run in range(2):
            done = sync(source, dest)
            twins = {failure.path: failure.errno for failure in done.failures if failure.action.startswith("tell")}
            assert twins == {b"dir": errno.EEXIST, b"readme": errno.EEXIST}
            assert (dest / "readme").read_text() == "upper"
            assert [name.lower() for name in os.listdir(dest / "dir")] == ["in dir"]
            assert (dest / "dir" / "in dir").read_text() == "Dir"
            assert not run or done.comparison.needs == []
            assert leftovers(dest) == []
    assert sync(source, tmp_path / "dest").failures == []


def test_a_dry_run_on_coarse_times_finds_nothing(tmp_path: Path, source: Path) -> None:
    with mounts.ntfs(tmp_path / "disk") as top:
        sync(source, top / "dest")
        before = (top / "dest").stat()
        destination = Destination(os.fsencode(top / "dest"), is_dry_run=True)
        comparison = compare(scan(os.fsencode(source)).manifest, destination)
        destination.close()
        assert comparison.changes == comparison.files_needed == len(comparison.extraneous) == 0
        assert (top / "dest").stat().st_mtime_ns == before.st_mtime_ns


def test_a_subvolume_is_deleted_like_a_directory(tmp_path: Path, source: Path) -> None:
    with mounts.btrfs(tmp_path / "disk") as top:
        dest = top / "dest"
        sync(source, dest)
        for place in (dest, dest / "d"):
            subprocess.run(["btrfs", "subvolume", "create", str(place / "old")], check=True, capture_output=True)
            (place / "old" / "below").mkdir()
            (place / "old" / "below" / "file").touch()
        assert sync(source, dest).failures == []
        assert not (dest / "old").exists()
        assert not (dest / "d" / "old").exists()


def test_files_whose_owner_cannot_be_set_are_not_sent_again(tmp_path: Path, source: Path) -> None:
    (source / "a").chmod(0o4755)
    with mounts.refusing(tmp_path / "disk", "--chown-deny") as top:
        sync(source, top / "dest")
        again = sync(source, top / "dest")
        assert again.comparison.needs == []
        assert (top / "dest" / "a").stat().st_mode & 0o7777 == 0o755


@pytest.mark.parametrize("name", ["a:b", "what?", "d:/file"])
def test_a_name_that_is_refused_is_known_before_the_grant(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source"
    (source / name).parent.mkdir(parents=True)
    (source / name).write_text("refused")
    (source / "good").write_text("good")
    with mounts.fat(tmp_path / "disk") as top:
        done = sync(source, top / "dest")
        assert [done.scan.manifest.path(done.plan.entries[file]) for file, _ in done.sat_out] == [os.fsencode(name)]
        assert done.commit_failures == []
        assert (top / "dest" / "good").read_text() == "good"
        assert leftovers(top / "dest") == []
