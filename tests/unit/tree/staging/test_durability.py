"""What was reported as done outlives a power cut, and no name ever leads to half a file."""

from __future__ import annotations

import errno
import os
import random
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs import flushing
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging.durability import Durability
from mrsync.tree.staging.journal_reader import JournalNote
from mrsync.tree.staging.notes import Checkpoints
from mrsync.tree.staging.stage import Stage
from tests.support.lossy_disk import Disk, LossyDisk
from tests.support.one_target import OneTarget
from tests.trees import differences
from tests.unit.tree.syncing import leftovers

CUTS = 1000
RESUMED = 10  # of these a next run is started on what is left
DURABLE = Policy(durable=True)
POLICIES = {
    "file": DURABLE,
    "job": DURABLE._replace(commit="job"),
    "backups": DURABLE._replace(backup=True, suffix="~"),
    "delta": DURABLE._replace(delta=True),
}


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Old and new files, some of several pages, some empty, in directories that are there and in new ones."""
    monkeypatch.setattr("mrsync.tree.staging.journal.FLUSH_S", 0.0)
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", 1)
    monkeypatch.setattr("mrsync.tree.staging.journal.LARGE_BYTES", 3000)
    monkeypatch.setattr("mrsync.tree.staging.notes.INTERVAL_S", 0.0)
    chance = random.Random(5)
    for number in range(40):
        for tree in ("source", "dest") if number % 3 else ("source",):
            path = tmp_path / tree / f"d{number % 5}" / f"{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(chance.randbytes(chance.choice((0, 1, 700, 5000))))
    (tmp_path / "source" / "new" / "deep").mkdir(parents=True)
    (tmp_path / "source" / "new" / "deep" / "file").write_bytes(chance.randbytes(2500))
    os.link(tmp_path / "source" / "d0" / "0", tmp_path / "source" / "second name")
    (tmp_path / "source" / "link").symlink_to("d0")
    (tmp_path / "dest" / "extra").write_bytes(b"goes")
    return tmp_path


def contents(folder: Path) -> dict[bytes, bytes]:
    """Of all regular files."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {os.fsencode(path.relative_to(folder)): path.read_bytes() for path in paths}


def torn(disk: Disk, old: dict[bytes, bytes], new: dict[bytes, bytes]) -> list[bytes]:
    """Final names that are neither the old nor the new file, or are gone although both trees have them."""
    found = {path: inode for path, inode in disk.files() if not os.path.basename(path).startswith(b".mrsync-")}
    wrong = [path for path in old.keys() & new.keys() if path not in found]
    for path, inode in found.items():
        kept = [old[path[:-1]]] if path.endswith(b"~") else []
        right = [*kept, *(tree[path] for tree in (old, new) if path in tree)]
        if right and bytes(inode.content) not in right:
            wrong.append(path)
    return wrong


@pytest.mark.parametrize("name", POLICIES)
def test_no_power_cut_leaves_half_a_file(trees: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = contents(trees / "dest"), contents(trees / "source")
    disk = LossyDisk(trees / "dest")
    with disk.watching(monkeypatch):
        assert OneTarget(trees / "source", trees / "dest", POLICIES[name]).run().is_clean
    for seed in range(CUTS):
        assert torn(disk.cut(seed), old, new) == [], f"seed {seed} of {len(disk.log)} changes"


def test_reported_results_are_on_disk(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = LossyDisk(trees / "dest")
    with disk.watching(monkeypatch):
        assert OneTarget(trees / "source", trees / "dest", DURABLE).run().is_clean
    for seed in range(20):
        left = trees / f"left{seed}"
        left.mkdir()
        disk.cut(seed, len(disk.log)).put_into(left)
        assert contents(left) == contents(trees / "source")


def test_without_flushes_such_cuts_leave_half_files(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = contents(trees / "dest"), contents(trees / "source")
    disk = LossyDisk(trees / "dest")
    with disk.watching(monkeypatch):
        assert OneTarget(trees / "source", trees / "dest", Policy()).run().is_clean
    assert any(torn(disk.cut(seed), old, new) for seed in range(CUTS))


@pytest.mark.parametrize("stops_after", [None, 9, 40])
def test_the_next_run_believes_no_journal_more_than_the_disk_has(
    trees: Path, stops_after: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_up: list[int] = []
    take_over = Stage.take_over

    def note(self: Stage, file: int, *arguments: Any, **more: Any) -> None:
        taken_up.append(file)
        take_over(self, file, *arguments, **more)

    def keep_time(self: Checkpoints) -> None:
        keep_time_anyhow(self)
        if self._thread is not None:
            self._thread.join()  # the same log in every run

    keep_time_anyhow = Checkpoints.keep_time
    monkeypatch.setattr(Checkpoints, "keep_time", keep_time)
    monkeypatch.setattr(Stage, "take_over", note)
    for module in ("journal", "journal_reader"):  # the copy of a tree has other inodes
        monkeypatch.setattr(f"mrsync.tree.staging.{module}.self_of", lambda fd: b"inode")
    monkeypatch.setattr(JournalNote, "is_about", lambda self, fd: True)
    disk = LossyDisk(trees / "dest")
    with disk.watching(monkeypatch):
        OneTarget(trees / "source", trees / "dest", POLICIES["job"], stops_after=stops_after).run()
    monkeypatch.setattr("mrsync.tree.staging.journal_reader.boot_id", lambda: b"after the power cut")
    for seed in range(RESUMED):
        left = trees / f"left{seed}"
        left.mkdir()
        disk.cut(seed).put_into(left)
        assert OneTarget(trees / "source", left, Policy(checksum=True), session=2).run().is_clean, f"seed {seed}"
        assert differences(trees / "source", left) == [], f"seed {seed}"
        assert leftovers(left) == []
    assert taken_up or stops_after != 40


def test_where_the_disk_fails_nothing_gets_a_name(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    old = contents(trees / "dest")
    monkeypatch.setattr("mrsync.tree.staging.durability.flush_file_system", fail)
    target = OneTarget(trees / "source", trees / "dest", DURABLE._replace(deletes=False)).run()
    assert {(failure.errno, failure.action) for failure in target.failures} == {(errno.EIO, "flush the disk of")}
    assert not target.is_clean
    assert contents(trees / "dest") == old


def mounts_below(monkeypatch: pytest.MonkeyPatch, points: Iterable[bytes]) -> None:
    monkeypatch.setattr("mrsync.tree.staging.durability.Mounts.points_below", lambda *_: frozenset(points))


def test_more_mount_points_than_descriptors_are_flushed(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [b"mount%d" % number for number in range(200)]
    for name in names:
        (trees / "dest" / os.fsdecode(name)).mkdir()
    flushed: list[int] = []
    status = os.fstat

    def on_a_device_each(fd: int) -> os.stat_result:
        found = status(fd)
        return os.stat_result([*found[:2], found.st_ino, *found[3:]])

    monkeypatch.setattr("mrsync.tree.staging.durability.os.fstat", on_a_device_each)
    monkeypatch.setattr(
        "mrsync.tree.staging.durability.flush_file_system", lambda fd: flushed.append(status(fd).st_ino)
    )
    mounts_below(monkeypatch, names)
    destination = Destination(os.fsencode(trees / "dest"))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 10, limits[1]))
    try:
        Durability(destination).flush(lambda count: None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        destination.close()
    assert len(set(flushed)) == 201


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EMFILE, errno.EIO])
def test_a_mount_point_that_cannot_be_opened_fails_the_flush(
    trees: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Any, *arguments: Any, **more: Any) -> int:
        if path == b"d1":
            raise OSError(number, os.strerror(number), path)
        return opened(path, *arguments, **more)

    opened = os.open
    mounts_below(monkeypatch, [b"d1", b"d2", b"unmounted"])
    destination = Destination(os.fsencode(trees / "dest"))
    monkeypatch.setattr("mrsync.tree.staging.durability.os.open", fail)
    durability = Durability(destination)
    with pytest.raises(OSError, match=os.strerror(number)):
        durability.flush(lambda count: None)
    mounts_below(monkeypatch, [b"d2", b"unmounted"])
    durability.flush(lambda count: None)
    destination.close()


def test_a_file_system_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    flushing.flush_file_system(fd)
    os.close(fd)
    with pytest.raises(OSError, match="descriptor"):
        flushing.flush_file_system(fd)
    monkeypatch.setattr(flushing, "c_library", lambda _: None)
    flushing.flush_file_system(fd)  # all file systems, then
