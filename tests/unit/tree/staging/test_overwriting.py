"""With --inplace, new versions are written into old ones, unless somebody or something else would suffer."""

from __future__ import annotations

import errno
import os
import random
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.tree.fs import extents
from mrsync.tree.model.acl import ACCESS
from mrsync.tree.model.plan import OFFSET_MAX
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.scanner import TICK_NS
from mrsync.tree.staging import overwriting
from mrsync.tree.staging.commit import Commit
from mrsync.tree.staging.finish import finish
from tests.unit.tree import breaking
from tests.unit.tree.breaking import PAGE, Session
from tests.unit.tree.syncing import leftovers

INPLACE = Policy(inplace=True)
OLD_TIME = 1_000_000_000
NOBODY = 0xFFFFFFFF  # the id in entries of ACLs that name nobody


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """A source and a destination with two versions of `f`, and a directory outside."""
    for name in ("source", "dest", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "source/f").write_bytes(random.Random(1).randbytes(5 * PAGE))
    (tmp_path / "dest/f").write_bytes(random.Random(2).randbytes(7 * PAGE))
    os.utime(tmp_path / "dest/f", (OLD_TIME, OLD_TIME))
    return tmp_path


def session(trees: Path, policy: Policy = INPLACE) -> Session:
    return Session(trees / "source", trees / "dest", policy=policy)


def test_the_old_version_becomes_the_new_one(trees: Path) -> None:
    with open(trees / "dest/f", "rb") as reader:
        inode = os.fstat(reader.fileno()).st_ino
        assert session(trees).cast().finish().errors == 0
        assert os.stat(trees / "dest/f").st_ino == inode
        assert reader.read() == (trees / "source/f").read_bytes()
    assert os.stat(trees / "dest/f").st_mtime_ns == os.stat(trees / "source/f").st_mtime_ns


def _second_name(trees: Path) -> None:
    os.link(trees / "dest/f", trees / "outside/f")


def _link(trees: Path) -> None:
    (trees / "dest/f").rename(trees / "outside/f")
    (trees / "dest/f").symlink_to(trees / "outside/f")


def _readable_by_more(trees: Path) -> None:
    (trees / "dest/f").chmod(0o644)
    (trees / "source/f").chmod(0o600)


def _without_set_id(trees: Path) -> None:
    (trees / "source/f").chmod(0o4755)
    (trees / "dest/f").chmod(0o755)


def _of_another_user(trees: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(trees / "dest/f", 1000, 1000)


def _of_another_group(trees: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(trees / "dest/f", -1, 1000)


def _with_an_acl(trees: Path) -> None:
    (trees / "source/f").chmod(0o640)
    (trees / "dest/f").chmod(0o640)
    entries = [(1, 6, NOBODY), (2, 4, 1001), (4, 4, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY)]
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(trees / "dest/f", ACCESS, acl)
    except OSError:
        pytest.skip("no ACLs here")


@pytest.mark.parametrize(
    "change",
    [_second_name, _link, _readable_by_more, _without_set_id, _of_another_user, _of_another_group, _with_an_acl],
)
def test_files_that_other_users_have_too_are_replaced(trees: Path, change: Callable[[Path], None]) -> None:
    change(trees)
    old = (trees / "dest/f").read_bytes()
    with open(trees / "dest/f", "rb") as reader:
        assert session(trees).cast().finish().errors == 0
        assert reader.read() == old
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    assert [path.read_bytes() for path in (trees / "outside").iterdir()] in ([], [old])


@pytest.mark.parametrize(
    "policy",
    [INPLACE._replace(backup=True, suffix="~"), INPLACE._replace(update=True), INPLACE._replace(size_only=True)],
    ids=["backup", "update", "size_only"],
)
def test_files_are_replaced_where_a_torn_one_would_not_be_noticed_or_is_kept(trees: Path, policy: Policy) -> None:
    old = (trees / "dest/f").read_bytes()
    with open(trees / "dest/f", "rb") as reader:
        assert session(trees, policy).cast().finish().errors == 0
        assert reader.read() == old


def test_a_run_that_breaks_leaves_a_torn_file_and_the_next_one_mends_it(trees: Path) -> None:
    torn = session(trees)
    torn.cast(torn.pages[:2]).break_off()
    assert (trees / "dest/f").read_bytes()[: 2 * PAGE] == (trees / "source/f").read_bytes()[: 2 * PAGE]
    assert (trees / "dest/f").stat().st_size > 7 * PAGE
    assert leftovers(trees / "dest") == []
    assert session(trees).cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()


def test_old_data_in_new_holes_is_removed(trees: Path) -> None:
    with open(trees / "source/f", "wb") as new:
        new.write(b"first")
        new.seek(1 << 20)
        new.write(b"last")
    (trees / "dest/f").write_bytes(b"x" * (2 << 20))
    inode = os.stat(trees / "dest/f").st_ino
    assert session(trees).cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    assert os.stat(trees / "dest/f").st_ino == inode


@pytest.mark.parametrize("shift", [0, 3 * PAGE, -PAGE])
def test_with_delta_blocks_of_the_old_version_stay_or_move(trees: Path, shift: int) -> None:
    data = random.Random(3).randbytes(400 * PAGE)
    (trees / "dest/f").write_bytes(data)
    moved = b"n" * shift + data if shift >= 0 else data[-shift:]
    (trees / "source/f").write_bytes(moved[: 200 * PAGE] + b"changed" + moved[200 * PAGE + 7 :])
    inode = os.stat(trees / "dest/f").st_ino
    run = session(trees, INPLACE._replace(delta=True))
    if shift == 0:
        assert run.pages == [200]
    assert run.cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    assert os.stat(trees / "dest/f").st_ino == inode


@pytest.mark.parametrize("has_file", [False, True])
def test_files_come_into_directories_that_are_new(trees: Path, has_file: bool) -> None:
    """has_file: a file is in the place of the directory."""
    (trees / "source/new/sub").mkdir(parents=True)
    (trees / "source/new/sub/g").write_bytes(b"new")
    if has_file:
        (trees / "dest/new").write_bytes(b"old")
    assert session(trees).cast().finish().errors == 0
    assert (trees / "dest/new/sub/g").read_bytes() == b"new"


@pytest.mark.parametrize("user", [1001, None])
def test_without_the_right_to_set_owners_files_of_others_are_replaced(trees: Path, user: int | None) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    old = (trees / "dest/f").read_bytes()
    if user is not None:
        os.chown(trees / "dest/f", user, -1)
    run = session(trees)
    run.destination.ownership.is_root = False
    with open(trees / "dest/f", "rb") as reader:
        assert run.cast().finish().errors == 0
        assert (reader.read() == old) == (user is not None)
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()


def test_a_file_that_is_a_mount_point_is_sat_out_and_stays(trees: Path) -> None:
    (trees / "outside/g").write_bytes(b"precious")
    if os.geteuid() or os.system(f"mount --bind {trees}/outside/g {trees}/dest/f"):
        pytest.skip("needs root and the right to mount")
    try:
        run = session(trees).cast()
        assert run.stage.take_sat_out() == [(0, errno.EBUSY)]
        run.break_off()
    finally:
        os.system(f"umount {trees}/dest/f")
    assert (trees / "outside/g").read_bytes() == b"precious"


def test_a_file_that_cannot_be_longer_is_replaced() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        trees = Path(folder)
        for name in ("source", "dest"):
            (trees / name).mkdir()
            with open(trees / name / "f", "wb") as file:
                try:
                    file.truncate(OFFSET_MAX)
                except OSError:
                    pytest.skip("no file can have 8 EiB here")
                file.write(name.encode())
        assert session(trees).cast().finish().errors == 0
        with open(trees / "dest/f", "rb") as new:
            assert new.read(7) == b"source\0"


@pytest.mark.parametrize("can_punch", [True, False])
def test_a_file_is_replaced_where_many_zeros_would_have_to_be_written(
    trees: Path, monkeypatch: pytest.MonkeyPatch, can_punch: bool
) -> None:
    monkeypatch.setattr(overwriting, "CLEARED_BYTES_MAX", 1 << 19)
    if not can_punch:
        monkeypatch.setattr(extents, "_fallocate", lambda: None)
    elif not _holes_can_be_made(trees):
        pytest.skip("no holes can be made here")
    with open(trees / "source/f", "wb") as new:
        new.write(b"first")
        new.truncate(1 << 20)
    (trees / "dest/f").write_bytes(b"x" * (1 << 20))
    inode = os.stat(trees / "dest/f").st_ino
    assert session(trees).cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    assert (os.stat(trees / "dest/f").st_ino == inode) is can_punch


def test_with_sparse_zeros_become_holes_of_the_old_version(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaking, "PAGE", 64_000)  # about as large as on a network
    if not _holes_can_be_made(trees):
        pytest.skip("no holes can be made here")
    (trees / "source/f").write_bytes(b"first".ljust(1 << 20, b"\0") + b"last")
    (trees / "dest/f").write_bytes(b"x" * (1 << 20))
    inode = os.stat(trees / "dest/f").st_ino
    assert session(trees, INPLACE._replace(sparse=True)).cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    assert os.stat(trees / "dest/f").st_ino == inode
    assert os.stat(trees / "dest/f").st_blocks * 512 <= 1 << 17


def _holes_can_be_made(trees: Path) -> bool:
    with open(trees / "dest/f", "r+b") as file:
        return extents.can_have_holes(file.fileno())


@pytest.mark.parametrize(
    "policy", [INPLACE, INPLACE._replace(modify_window=2), INPLACE._replace(sparse=True)], ids=["", "window", "sparse"]
)
@pytest.mark.parametrize("old_bytes", [3 * PAGE, 5 * PAGE, 7 * PAGE])
@pytest.mark.parametrize("count", [2, 5])
def test_until_the_commit_a_file_differs_by_its_size(trees: Path, policy: Policy, old_bytes: int, count: int) -> None:
    """Contents may not be on disk before the commit flushes them, and the master may still except the file."""
    (trees / "dest/f").write_bytes(random.Random(2).randbytes(old_bytes))
    os.utime(trees / "dest/f", (OLD_TIME, OLD_TIME))
    run = session(trees, policy)
    run.cast(run.pages[:count])
    torn, new = (trees / "dest/f").stat(), (trees / "source/f").stat()
    assert torn.st_size > max(old_bytes, new.st_size)
    assert torn.st_mtime_ns != new.st_mtime_ns
    run.break_off()
    again = session(trees, policy)
    assert len(again.pages) == 5
    assert again.cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    mended = (trees / "dest/f").stat()
    assert (mended.st_size, mended.st_mtime_ns) == (new.st_size, new.st_mtime_ns)


def test_zeros_in_the_place_of_unreadable_data_are_replaced_by_the_next_run(
    trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = session(trees)
    with monkeypatch.context() as patch:
        patch.setattr(ContentsReader, "read", lambda self, offset, length: bytes(length))
        run.cast()
    assert not Commit(run.stage).commit(0, 1, [(0, 1)])
    finish(run.stage, run.comparison)
    run.break_off()
    again = session(trees)
    assert len(again.pages) == 5
    assert again.cast().finish().errors == 0
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()


def _grow(trees: Path, chance: random.Random) -> None:
    """Give source and destination files of all kinds: shorter, longer, with holes, linked, of different modes."""
    for number in range(8):
        for tree in ("source", "dest"):
            path = trees / tree / f"f{number}"
            path.unlink(missing_ok=True)
            if chance.random() < 0.2 and number:
                os.link(trees / tree / "f0", path)
                continue
            with open(path, "wb") as file:
                for _ in range(chance.randrange(4)):
                    file.seek(chance.choice([0, 0, 100 * PAGE]), os.SEEK_CUR)
                    file.write(random.Random(chance.randrange(3)).randbytes(chance.randrange(300 * PAGE)))
            path.chmod(chance.choice([0o600, 0o644, 0o444]))


@pytest.mark.parametrize("seed", range(12))
def test_whatever_breaks_or_is_excepted_the_last_run_makes_all_equal(trees: Path, seed: int) -> None:
    chance = random.Random(seed)
    _grow(trees, chance)
    for tree in ("source", "dest"):
        (trees / tree).chmod(0o755 if seed % 2 else 0o777)  # others may replace files there, so more is checked
    policy = INPLACE._replace(delta=chance.random() < 0.5, sparse=chance.random() < 0.3)
    for turn in range(4):
        run = session(trees, policy)
        files = run.plan.file_count
        if turn == 3 or chance.random() < 0.3:
            run.cast()
            excepted = [(chance.randrange(files), files)] if turn < 3 and files else []
            Commit(run.stage).commit(0, files, excepted)
            assert finish(run.stage, run.comparison).errors == 0
        else:
            run.cast(chance.sample(run.pages, len(run.pages) // 2))
        run.break_off()
    assert leftovers(trees / "dest") == []
    for new in sorted((trees / "source").iterdir()):
        given = trees / "dest" / new.name
        assert given.read_bytes() == new.read_bytes(), new.name
        assert (given.stat().st_mode, given.stat().st_mtime_ns) == (new.stat().st_mode, new.stat().st_mtime_ns)
    assert session(trees, policy).pages == []


@pytest.mark.parametrize(
    ("pages", "is_slower", "failures"), [(2, False, []), (2, True, [errno.ESTALE]), (5, True, [errno.ESTALE])]
)
def test_two_runs_do_not_overwrite_one_file(trees: Path, pages: int, is_slower: bool, failures: list[int]) -> None:
    """The first one keeps the other away while it writes. Later it finds that the file is another one's now."""
    (trees / "other").mkdir()
    (trees / "other/f").write_bytes(random.Random(3).randbytes(6 * PAGE))
    first = session(trees).cast(range(pages))
    second = Session(trees / "other", trees / "dest", policy=INPLACE).cast(range(2))
    if is_slower:
        second.cast(range(2, 6)).finish()
    first.cast(range(pages, 5))
    assert [failure.errno for failure in Commit(first.stage).commit(0, 1)] == failures
    if not is_slower:
        second.cast(range(2, 6)).finish()
    assert (trees / "dest/f").read_bytes() == (trees / "other/f").read_bytes()
    first.break_off()


def test_a_file_that_another_run_began_to_overwrite_is_left_to_it(trees: Path) -> None:
    (trees / "other").mkdir()
    (trees / "other/f").write_bytes(random.Random(3).randbytes(6 * PAGE))
    first = session(trees).cast()  # it has closed the file
    second = Session(trees / "other", trees / "dest", policy=INPLACE).cast(range(2))
    assert [failure.errno for failure in Commit(first.stage).commit(0, 1)] == [errno.ESTALE]
    second.cast(range(2, 6)).finish()
    assert (trees / "dest/f").read_bytes() == (trees / "other/f").read_bytes()
    first.break_off()


def test_a_slow_flush_does_not_keep_the_lock(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is closed and opened again meanwhile."""
    monkeypatch.setattr("mrsync.tree.staging.journal.LARGE_BYTES", PAGE)
    monkeypatch.setattr("mrsync.tree.staging.notes.INTERVAL_S", 0.0)
    time.sleep(2 * TICK_NS / 1e9)  # else the source may still change, and nothing is noted for a resume
    monkeypatch.setattr(os, "fsync", lambda fd: time.sleep(0.3))
    run = session(trees).cast(range(2)).cast(range(2, 4)).cast(range(4, 5))
    assert Commit(run.stage).commit(0, 1) == []
    assert (trees / "dest/f").read_bytes() == (trees / "source/f").read_bytes()
    run.break_off()
