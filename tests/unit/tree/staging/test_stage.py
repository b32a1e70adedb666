"""Contents are staged in any order, with their attributes, and what cannot be taken is sat out."""

from __future__ import annotations

import errno
import os
import random
import stat
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mrsync.tree.compare.compare import compare
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.model.policy import Policy
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.scan import scan
from mrsync.tree.staging.commit import Commit
from mrsync.tree.staging.stage import IOV_MAX, Stage
from mrsync.tree.staging.staged_files import FILES_OPEN_MAX
from tests.unit.tree.syncing import as_nobody, cast, leftovers, nobodys_directory, small_file_system


@dataclass
class Bench:
    source: ContentsReader
    stage: Stage
    plan: Plan
    comparison: Comparison
    manifest: Manifest

    def contents(self) -> bytes:
        return self.source.read(0, self.plan.contents_bytes)

    def commit(self) -> None:
        while self.stage.advance():
            pass
        assert Commit(self.stage).commit(0, self.stage.ready) == []


def bench(source: Path, dest: Path, *, needs: list[tuple[int, int]] | None = None) -> Bench:
    """Everything up to the moment when contents come; `needs` instead of what dest needs."""
    found = scan(os.fsencode(source))
    destination = Destination(os.fsencode(dest))
    comparison = compare(found.manifest, destination)
    plan = build_plan(found, comparison.needs)
    stage = Stage(destination, found.manifest, plan, comparison.needs if needs is None else needs, "00ff")
    return Bench(ContentsReader(os.fsencode(source), found.manifest, plan), stage, plan, comparison, found.manifest)


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    (tmp_path / "source" / "sub").mkdir(parents=True)
    (tmp_path / "dest").mkdir()
    return tmp_path


@pytest.mark.parametrize("seed", range(10))
def test_any_pieces_in_any_order_make_the_same_files(trees: Path, seed: int) -> None:
    chance = random.Random(seed)
    for i in range(30):
        (trees / "source" / "sub" / f"{i}").write_bytes(chance.randbytes(chance.choice((0, 1, 10, 3000, 9000))))
    on = bench(trees / "source", trees / "dest")
    data = on.contents()
    cuts = sorted({0, len(data), *(chance.randrange(len(data)) for _ in range(40))})
    pieces = [(a, data[a:b]) for a, b in pairwise(cuts)]
    chance.shuffle(pieces)
    while pieces:
        count = chance.randint(1, 9)
        batch, pieces = pieces[:count], pieces[count:]
        if count == 1:
            on.stage.write(*batch[0])
        else:
            on.stage.write_many(batch)
    on.commit()
    assert on.stage.bytes_written == len(data)
    for i in range(30):
        name = f"sub/{i}"
        assert (trees / "dest" / name).read_bytes() == (trees / "source" / name).read_bytes()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer_is_taken(trees: Path, kind: type) -> None:
    for name in ("a", "b"):
        (trees / "source" / name).write_bytes(name.encode() * 1000)
    on = bench(trees / "source", trees / "dest")
    data = on.contents()
    on.stage.write_many([(0, kind(data[:600])), (600, kind(data[600:1700])), (1700, kind(data[1700:]))])
    on.commit()
    assert (trees / "dest" / "a").read_bytes() == b"a" * 1000
    assert (trees / "dest" / "b").read_bytes() == b"b" * 1000


def test_a_file_whose_two_pages_come_together_is_written_at_once(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (trees / "source" / name).write_bytes(name.encode() * 1000)
    on = bench(trees / "source", trees / "dest")
    data, sizes = on.contents(), list[int]()
    real = os.writev

    def counted(fd: int, buffers: list[bytes]) -> int:
        sizes.append(sum(map(len, buffers)))
        return real(fd, buffers)

    monkeypatch.setattr(os, "writev", counted)
    on.stage.write_many([(1500, data[1500:]), (0, data[:1500])])
    assert sizes == [1000, 1000, 1000]
    on.commit()
    assert b"".join((trees / "dest" / name).read_bytes() for name in ("a", "b", "c")) == data


def without_room_for(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file with these contents find the disk full."""
    for name in ("writev", "pwritev"):
        real = getattr(os, name)

        def write(fd: int, buffers: list[bytes], *offset: int, real: Any = real) -> int:
            if b"".join(buffers) == data:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(real(fd, buffers, *offset))

        monkeypatch.setattr(os, name, write)


def test_one_of_many_small_files_that_fails_is_the_only_one(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c", "d"):
        (trees / "source" / name).write_bytes(name.encode() * 1000)
    on = bench(trees / "source", trees / "dest")
    without_room_for(b"b" * 1000, monkeypatch)
    on.stage.write_many([(0, on.contents())])
    assert on.stage.take_sat_out() == [(1, errno.ENOSPC)]
    assert on.stage.bytes_written == 3000
    on.commit()
    assert {path.name: path.read_bytes() for path in (trees / "dest").iterdir() if path.is_file()} == {
        name: name.encode() * 1000 for name in ("a", "c", "d")
    }


def test_a_small_file_of_which_a_part_was_written_is_completed(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (trees / "source" / name).write_bytes(name.encode() * 1000)
    on = bench(trees / "source", trees / "dest")
    real = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, buffers: real(fd, [bytes(buffers[0])[:500]]))
    on.stage.write_many([(0, on.contents())])
    on.commit()
    assert on.stage.bytes_written == 3000
    assert [(trees / "dest" / name).read_bytes()[-1:] for name in ("a", "b", "c")] == [b"a", b"b", b"c"]
    assert {path.stat().st_size for path in (trees / "dest").iterdir() if path.is_file()} == {1000}


def test_small_files_whose_closing_fails_are_not_taken_for_whole(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (trees / "source" / name).write_bytes(name.encode() * 1000)
    on = bench(trees / "source", trees / "dest")
    data, real = on.contents(), os.close

    def close(fd: int) -> None:
        is_last = os.pread(fd, 1, 0) == b"c" if stat.S_ISREG(os.fstat(fd).st_mode) else False
        real(fd)
        if is_last:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", close)
        on.stage.write_many([(0, data)])
    assert on.stage.take_sat_out() == [(2, errno.EIO)]
    on.commit()
    assert sorted(path.name for path in (trees / "dest").iterdir() if path.is_file()) == ["a", "b"]


def test_more_pages_than_one_write_takes(trees: Path) -> None:
    (trees / "source" / "file").write_bytes(random.Random(1).randbytes(3 * (2 * IOV_MAX + 5)))
    on = bench(trees / "source", trees / "dest")
    data = on.contents()
    on.stage.write_many([(offset, data[offset : offset + 3]) for offset in range(0, len(data), 3)])
    on.commit()
    assert (trees / "dest" / "file").read_bytes() == data


def test_attributes_are_set_when_a_file_is_whole(trees: Path) -> None:
    path = trees / "source" / "file"
    path.write_text("contents")
    if os.geteuid() == 0:
        os.chown(path, 1, 2)
    path.chmod(0o6755)
    os.utime(path, ns=(0, 123_456_789_987_654_321))
    on = bench(trees / "source", trees / "dest")
    on.stage.write(0, b"cont")
    (staged,) = leftovers(trees / "dest")
    assert stat.S_IMODE(staged.stat().st_mode) == 0o600
    on.stage.write(4, b"ents")
    found, wanted = staged.stat(), path.stat()
    assert (found.st_mode, found.st_uid, found.st_gid) == (wanted.st_mode, wanted.st_uid, wanted.st_gid)
    assert found.st_mtime_ns == 123_456_789_987_654_321


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_in_one_piece_get_exactly_their_modes(trees: Path, umask: int) -> None:
    modes = [0o600, 0o640, 0o644, 0o664, 0o666, 0o777, 0o400, 0o2755, 0o4755]
    for mode in modes:
        path = trees / "source" / "sub" / f"{mode:o}"
        path.write_text("contents")
        path.chmod(mode)
    before = os.umask(umask)
    try:
        on = bench(trees / "source", trees / "dest")
        cast(on.source, on.stage)
        on.commit()
    finally:
        os.umask(before)
    assert [stat.S_IMODE((trees / "dest" / "sub" / f"{mode:o}").stat().st_mode) for mode in modes] == modes


def test_a_file_of_another_owner_is_private_until_it_is_theirs(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid():
        pytest.skip("needs root to give a file away")
    path = trees / "source" / "file"
    path.write_text("contents")
    path.chmod(0o644)
    os.chown(path, 1, 2)
    modes: list[int] = []
    fchown = os.fchown

    def spy(fd: int, uid: int, gid: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
        fchown(fd, uid, gid)

    on = bench(trees / "source", trees / "dest")
    monkeypatch.setattr(os, "fchown", spy)
    cast(on.source, on.stage)
    on.commit()
    assert modes == [0o600]
    status = (trees / "dest" / "file").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1, 2, 0o644)


def test_files_are_staged_in_the_deepest_directory_that_exists(trees: Path) -> None:
    (trees / "outside").mkdir()
    for path in ("sub", "sub/new", "link", "file"):
        (trees / "source" / path).mkdir(exist_ok=True)
        (trees / "source" / path / "x").write_text("x")
    (trees / "dest" / "sub").mkdir()
    (trees / "dest" / "link").symlink_to("../outside")
    (trees / "dest" / "file").touch()
    on = bench(trees / "source", trees / "dest")
    cast(on.source, on.stage)
    homes = sorted(path.parent.name for path in leftovers(trees / "dest"))
    assert homes == ["dest", "dest", "sub", "sub"]
    assert list((trees / "outside").iterdir()) == []


def test_ready_is_where_the_first_unfinished_file_is(trees: Path) -> None:
    for name, size in (("a", 10), ("b", 0), ("c", 10), ("d", 0)):
        (trees / "source" / name).write_bytes(b"x" * size)
    on = bench(trees / "source", trees / "dest")
    stage = on.stage
    assert not stage.advance()
    assert stage.ready == 0
    stage.write(10, b"x" * 10)
    stage.advance()
    assert stage.ready == 0
    stage.write(0, b"x" * 9)
    stage.advance()
    assert stage.ready == 0
    stage.write(9, b"x")
    assert stage.advance(1)
    while stage.advance(1):
        pass
    assert stage.ready == 4
    assert len(leftovers(trees / "dest")) == 4


def test_files_that_only_others_need_are_passed_over(trees: Path) -> None:
    for name in ("a", "b", "c"):
        (trees / "source" / name).write_text(name * 10)
    on = bench(trees / "source", trees / "dest", needs=[(2, 3)])
    assert on.manifest.names[2] == b"b"
    on.stage.advance()
    assert on.stage.ready == 1
    cast(on.source, on.stage)
    assert on.stage.ready == 3
    on.commit()
    assert [path.name for path in (trees / "dest").iterdir()] == ["b"]
    assert on.stage.bytes_written == 10


def test_a_full_disk_is_sat_out_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name, size in (("a", 1000), ("b", 3 << 20), ("c", 1000)):
        (tmp_path / "source" / name).write_bytes(b"x" * size)
    with small_file_system(1 << 20) as mount:
        on = bench(tmp_path / "source", mount)
        cast(on.source, on.stage, page_bytes=60_000)
        assert on.stage.take_sat_out() == [(1, errno.ENOSPC)]
        assert on.stage.take_sat_out() == []
        assert on.stage.ready == 3
        assert len(leftovers(mount)) == 2
        on.commit()
        assert sorted(path.name for path in mount.iterdir()) == ["a", "c"]
        on.stage.destination.close()


def test_a_directory_that_may_not_be_written_is_sat_out() -> None:
    def run(top: Path) -> None:
        on = bench(top / "source", top / "dest")
        cast(on.source, on.stage)
        assert sorted(on.stage.take_sat_out()) == [(1, errno.EACCES), (2, errno.EACCES)]
        on.commit()
        assert (top / "dest" / "free").read_text() == "contents"
        assert list((top / "dest" / "locked").iterdir()) == []

    if os.geteuid():
        pytest.skip("needs root to make directories of others")
    with nobodys_directory() as top:
        (top / "source" / "locked").mkdir(parents=True)
        for name in ("free", "locked/empty", "locked/file"):
            (top / "source" / name).write_text("" if name.endswith("empty") else "contents")
        (top / "dest" / "locked").mkdir(parents=True)
        os.chown(top / "dest", 65534, 65534)
        as_nobody(lambda: run(top))


def test_a_directory_that_gives_its_group_to_new_files_does_not_change_their_owner(trees: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root to give a directory away")
    for where in ("source", "dest"):
        (trees / where / "shared").mkdir()
        os.chown(trees / where / "shared", 0, 12345)
        (trees / where / "shared").chmod(0o2755)
    for name, gid in (("ours", 0), ("theirs", 12345), ("another", 23456)):
        path = trees / "source" / "shared" / name
        path.write_text("contents")
        os.chown(path, 0, gid)
        path.chmod(0o6755)
    on = bench(trees / "source", trees / "dest")
    cast(on.source, on.stage)
    on.commit()
    for name, gid in (("ours", 0), ("theirs", 12345), ("another", 23456)):
        status = (trees / "dest" / "shared" / name).stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, gid, 0o6755)


def test_a_staged_file_of_this_name_is_not_written_to(trees: Path) -> None:
    (trees / "source" / "file").write_text("contents")
    on = bench(trees / "source", trees / "dest")
    (trees / "precious").write_text("precious")
    (trees / "dest" / on.stage.files.name(0).decode()).symlink_to("../precious")
    on.stage.write(0, b"contents")
    assert on.stage.take_sat_out() == [(0, errno.EEXIST)]
    assert (trees / "precious").read_text() == "precious"


def test_a_staged_file_swapped_for_a_link_is_not_followed(trees: Path) -> None:
    count = FILES_OPEN_MAX + 1
    for i in range(count):
        (trees / "source" / f"{i:04}").write_text("contents")
    on = bench(trees / "source", trees / "dest")
    for i in range(count):
        on.stage.write(8 * i, b"cont")
    (trees / "precious").write_text("precious")
    staged = trees / "dest" / on.stage.files.name(0).decode()
    staged.unlink()
    staged.symlink_to("../precious")
    on.stage.write(4, b"ents")
    assert on.stage.take_sat_out() == [(0, errno.ELOOP)]
    assert (trees / "precious").read_text() == "precious"


def test_descriptors_are_bounded(trees: Path) -> None:
    count = 3 * FILES_OPEN_MAX
    for i in range(count):
        (trees / "source" / "sub" / f"{i:04}").write_bytes(b"%04d" % i)
    on = bench(trees / "source", trees / "dest")
    before = len(os.listdir("/proc/self/fd"))
    data = on.contents()
    for i in range(count):
        on.stage.write(4 * i, data[4 * i : 4 * i + 2])
    assert len(os.listdir("/proc/self/fd")) <= before + FILES_OPEN_MAX + 1
    for i in range(count):
        on.stage.write(4 * i + 2, data[4 * i + 2 : 4 * i + 4])
    on.commit()
    assert (trees / "dest" / "sub" / "0005").read_bytes() == b"0005"


def test_cleanup_removes_everything_staged_and_only_that(trees: Path) -> None:
    for name in ("a", "b", "c"):
        (trees / "source" / name).write_text(name * 10)
    on = bench(trees / "source", trees / "dest")
    (trees / "dest" / ".mrsync-notes").touch()
    on.stage.write(0, on.contents()[:15])
    assert Commit(on.stage).commit(0, 1) == []
    on.stage.cleanup()
    on.stage.cleanup()
    assert sorted(path.name for path in (trees / "dest").iterdir()) == [".mrsync-notes", "a"]
    on.stage.write(15, on.contents()[15:])
    assert sorted(path.name for path in (trees / "dest").iterdir()) == [".mrsync-notes", "a"]


def test_file_sat_out_concurrently_is_not_lost(trees: Path) -> None:
    """The worker may stop between looking up where to put it and putting it there, and the loop take all meanwhile."""
    (trees / "source" / "file").touch()
    on = bench(trees / "source", trees / "dest")
    append = on.stage._sat_out.append
    on.stage.sit_out(0, errno.ENOSPC)
    assert on.stage.take_sat_out() == [(0, errno.ENOSPC)]
    append((0, errno.EIO))
    assert on.stage.take_sat_out() == [(0, errno.EIO)]


def test_missed_files_are_neither_placed_nor_reported(trees: Path) -> None:
    for name in "abcd":
        (trees / "source" / name).write_text("contents")
    on = bench(trees / "source", trees / "dest")
    on.stage.write(0, b"contents" * 2 + b"cont")
    on.stage.sit_out(1, errno.ENOSPC)
    on.stage.discard(3)
    assert list(on.stage.states.missed()) == [1, 3]


def test_space_is_reserved_with_the_first_bytes(trees: Path) -> None:
    (trees / "source" / "large").write_bytes(os.urandom(1 << 20))
    (trees / "source" / "none").touch()
    found = scan(os.fsencode(trees / "source"), Policy(preallocates=True))
    destination = Destination(os.fsencode(trees / "dest"))
    comparison = compare(found.manifest, destination)
    plan = build_plan(found, comparison.needs)
    stage = Stage(destination, found.manifest, plan, comparison.needs, "00ff")
    data = ContentsReader(os.fsencode(trees / "source"), found.manifest, plan).read(0, 1 << 20)
    stage.write(0, data[:1000])
    (staged,) = [path for path in (trees / "dest").iterdir() if path.stat().st_size]
    assert staged.stat().st_blocks * 512 >= 1 << 20
    stage.write(1000, data[1000:])
    while stage.advance():
        pass
    assert Commit(stage).commit(0, stage.ready) == []
    assert (trees / "dest/large").read_bytes() == data
    assert (trees / "dest/none").stat().st_size == 0
