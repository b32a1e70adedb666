"""Contents are read exactly; a file that is not what was scanned is noticed, and zeros stand for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mrsync.errors import SelectionError
from mrsync.tree.model.failure import Fault
from mrsync.tree.source.modes import parse_mode_changes
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.prefix import Prefix
from mrsync.tree.source.reader import FILES_OPEN_MAX, ContentsReader
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Selection
from tests.unit.tree.syncing import as_nobody, nobodys_directory

SIZE = 10_000


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def source_of(root: Path) -> ContentsReader:
    """A source that plans every file below root."""
    found = scan(os.fsencode(root))
    entries = [entry for entry in range(len(found.manifest)) if found.manifest.has_contents(entry)]
    return ContentsReader(
        os.fsencode(root), found.manifest, build_plan(found, [(entry, entry + 1) for entry in entries])
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Files a, b (SIZE bytes each) and c (3 bytes)."""
    for name, data in (("a", b"a" * SIZE), ("b", b"b" * SIZE), ("c", b"ccc")):
        (tmp_path / name).write_bytes(data)
        os.utime(tmp_path / name, ns=(0, 10**18))
    return tmp_path


def test_any_range_is_read(tree: Path) -> None:
    source = source_of(tree)
    whole = b"a" * SIZE + b"b" * SIZE + b"ccc"
    for offset, length in ((0, 10), (0, len(whole)), (SIZE - 5, 10), (2 * SIZE - 1, 4), (2 * SIZE + 2, 1)):
        assert source.read(offset, length) == whole[offset : offset + length]
    assert source.changed == {}
    source.close()


def _shrink(path: Path) -> None:
    os.truncate(path, SIZE // 2)


def _rewrite(path: Path) -> None:
    path.write_bytes(b"x" * SIZE)


def _rewrite_with_old_time(path: Path) -> None:
    path.write_bytes(b"x" * SIZE)
    os.utime(path, ns=(0, 10**18))


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"x" * SIZE)
    os.utime(other, ns=(0, 10**18))
    other.rename(path)


def _append(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"x")


def _make_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("a")


def _make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES: dict[str, Callable[[Path], None]] = {
    "vanished": lambda path: path.unlink(),
    "shrunk": _shrink,
    "grown": _append,
    "rewritten": _rewrite,
    "a link": _make_link,
    "a directory": _make_directory,
    "a fifo": _make_fifo,
}
LATE_CHANGES = {
    "shrunk": _shrink,
    "grown": _append,
    "rewritten": _rewrite,
    "rewritten with its old time": _rewrite_with_old_time,
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_file_changed_after_the_scan_is_noticed(tree: Path, what: str) -> None:
    source = source_of(tree)
    CHANGES[what](tree / "b")
    assert source.read(0, 2 * SIZE + 3) == b"a" * SIZE + bytes(SIZE) + b"ccc"
    assert list(source.changed) == [1]
    assert source.changed[1].reason
    assert not source.changed[1].is_unreadable
    source.close()


@pytest.mark.parametrize("what", LATE_CHANGES)
def test_a_file_changed_while_it_is_read_is_noticed_at_its_end(tree: Path, what: str) -> None:
    source = source_of(tree)
    assert source.read(SIZE, 100) == b"b" * 100
    LATE_CHANGES[what](tree / "b")
    source.read(SIZE + 100, SIZE - 100)
    assert list(source.changed) == [1]
    source.close()


@pytest.mark.parametrize("what", LATE_CHANGES)
def test_a_file_changed_while_it_is_read_at_once_is_noticed(
    tree: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    source = source_of(tree)
    real = os.pread

    def changed(fd: int, length: int, position: int) -> bytes:
        data = real(fd, length, position)
        if data[:1] == b"b":
            LATE_CHANGES[what](tree / "b")
        return data

    monkeypatch.setattr(os, "pread", changed)
    assert source.read(0, 2 * SIZE + 3) == b"a" * SIZE + bytes(SIZE) + b"ccc"
    assert list(source.changed) == [1]
    source.close()


def test_a_small_file_costs_five_system_calls(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tree)
    calls: list[str] = []

    def count(name: str, real: Callable[..., Any]) -> None:
        def counted(*args: Any, **options: Any) -> Any:
            calls.append(name)
            return real(*args, **options)

        monkeypatch.setattr(os, name, counted)

    for name in ("open", "fstat", "stat", "pread", "close"):
        count(name, getattr(os, name))
    source.read(0, SIZE)
    assert calls == ["open", "fstat", "pread", "fstat", "close"]
    source.close()


@pytest.mark.parametrize("what", ["rewritten with its old time", "replaced"])
def test_a_file_read_again_later_must_still_be_the_same(tree: Path, what: str) -> None:
    source = source_of(tree)
    assert source.read(SIZE, SIZE) == b"b" * SIZE
    (_replace if what == "replaced" else _rewrite_with_old_time)(tree / "b")
    assert source.read(SIZE + 5, 10) == bytes(10)
    assert list(source.changed) == [1]
    source.close()


def test_verify_looks_at_a_file_that_has_no_data(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
    source = source_of(tmp_path)
    (tmp_path / "b").write_text("no longer empty")
    source.verify(0)
    source.verify(1)
    assert not source.is_settled(0)
    assert source.changed == {1: Fault("its size changed")}
    source.close()


def test_a_file_with_holes_is_verified_at_the_end_of_its_data(tmp_path: Path) -> None:
    with open(tmp_path / "holes", "wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * 4096)
        file.truncate(3 << 20)
    source = source_of(tmp_path)
    assert source.read(0, 10) == b"x" * 10
    os.utime(tmp_path / "holes")
    source.read(10, 4086)
    assert list(source.changed) == [0]
    source.close()


@pytest.mark.parametrize("replace", [False, True])
def test_a_file_with_holes_must_still_be_the_one_whose_holes_were_looked_for(tmp_path: Path, replace: bool) -> None:
    """Otherwise data of the new version would be put between the holes of the old one."""
    path = tmp_path / "holes"
    with open(path, "wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * 4096)
        file.truncate(3 << 20)
    before = path.stat()
    source = source_of(tmp_path)
    new = tmp_path / "new" if replace else path
    new.write_bytes(b"y" * before.st_size)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)
    assert source.read(0, 4096) == bytes(4096)
    assert list(source.changed) == [0]
    source.close()


def test_a_directory_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "file").write_text("contents")
    source = source_of(tmp_path / "tree")
    (tmp_path / "tree" / "sub").rename(tmp_path / "away")
    (tmp_path / "tree" / "sub").symlink_to(tmp_path / "away")
    assert source.read(0, 8) == bytes(8)
    assert list(source.changed) == [0]
    source.close()


def test_unreadable_files_are_reported() -> None:
    def run(top: Path) -> None:
        (top / "file").write_text("contents")
        os.chmod(top / "file", 0)
        source = source_of(top)
        assert source.read(0, 8) == bytes(8)
        assert source.changed == {0: Fault("Permission denied", is_unreadable=True)}

    with nobodys_directory() as top:
        as_nobody(lambda: run(top))


def test_descriptors_are_bounded_and_closed(tmp_path: Path) -> None:
    for i in range(3 * FILES_OPEN_MAX):
        (tmp_path / f"{i:03}").write_bytes(b"%03d" % i)
    before = open_files()
    source = source_of(tmp_path)
    for i in range(3 * FILES_OPEN_MAX):
        assert source.read(3 * i, 2) == (b"%03d" % i)[:2]
    assert open_files() <= before + FILES_OPEN_MAX + 1
    for i in range(3 * FILES_OPEN_MAX):
        assert source.read(3 * i + 2, 1) == (b"%03d" % i)[2:]
    source.close()
    assert open_files() == before


def test_vanished_root_is_reported(tree: Path, tmp_path: Path) -> None:
    found = scan(os.fsencode(tree))
    with pytest.raises(SelectionError, match="cannot read the source"):
        ContentsReader(os.fsencode(tmp_path / "missing"), found.manifest, build_plan(found, []))


def test_resumed_files_must_be_as_they_were_scanned(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the same size and time in its place would be mixed with what they have."""
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", 0)
    source = source_of(tree)
    (tree / "new").write_bytes(b"n" * SIZE)
    os.utime(tree / "new", ns=(0, 10**18))
    (tree / "new").rename(tree / "a")
    source.check_every_piece()
    assert source.read(0, 10) == bytes(10)
    assert source.changed == {0: Fault("it was replaced")}
    source.close()


def test_where_not_all_is_read_any_piece_may_be_the_last(tree: Path) -> None:
    source = source_of(tree)
    source.check_every_piece()
    assert source.read(0, 10) == b"a" * 10
    _rewrite_with_old_time(tree / "a")
    assert source.read(10, 10) == bytes(10)
    assert list(source.changed) == [0]
    source.close()


def test_a_failing_disk_does_not_count_as_a_change(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tree)

    def fail(fd: int, length: int, position: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fail)
    assert source.read(0, SIZE) == bytes(SIZE)
    assert source.changed == {0: Fault("Input/output error", is_unreadable=True)}
    source.close()


def growing_source(tree: Path) -> ContentsReader:
    """A source of the file b, as a second look found it."""
    found = scan(os.fsencode(tree))
    with open(tree / "b", "r+b") as file:
        prefix = Prefix(file.fileno(), SIZE, lambda: None)
    return ContentsReader(os.fsencode(tree), found.manifest, build_plan(found, [(2, 3)]), {2: prefix})


def test_a_file_that_may_grow_is_read_as_it_was(tree: Path) -> None:
    source = growing_source(tree)
    assert source.read(0, 10) == b"b" * 10
    assert not source.outgrown
    _append(tree / "b")
    assert source.read(10, SIZE - 10) == b"b" * (SIZE - 10)
    assert source.read(5, 5) == b"b" * 5  # once more, for a repair
    assert (source.changed, source.outgrown) == ({}, {0})
    source.close()


@pytest.mark.parametrize("what", ["shrunk", "rewritten", "replaced", "vanished", "a link", "a fifo"])
def test_growing_files_may_only_grow(tree: Path, what: str) -> None:
    source = growing_source(tree)
    (_replace if what == "replaced" else CHANGES[what])(tree / "b")
    assert source.read(0, SIZE) == bytes(SIZE)
    assert list(source.changed) == [0]
    source.close()


def _swap_for_a_secret(tree: Path) -> None:
    """Put a file that only its owner may read in the place of one that all may read; size and time are the same."""
    secret = tree / "secret"
    secret.write_bytes(b"s" * SIZE)
    secret.chmod(0o600)
    os.utime(secret, ns=(0, 10**18))
    secret.rename(tree / "a")


def _swap_for_a_link(tree: Path) -> None:
    (tree / "a").rename(tree / "other")
    (tree / "a").symlink_to("other")


def _close_to_others(tree: Path) -> None:
    (tree / "a").chmod(0o600)


def _give_away(tree: Path) -> None:
    os.chown(tree / "a", 1, -1)


@pytest.mark.parametrize("change", [_swap_for_a_secret, _swap_for_a_link, _close_to_others, _give_away])
def test_contents_are_read_only_with_the_owner_and_mode_of_the_scan(tree: Path, change: Callable[[Path], None]) -> None:
    if change is _give_away and os.geteuid() != 0:
        pytest.skip("only root gives files away")
    source = source_of(tree)
    change(tree)
    assert source.read(0, SIZE) == bytes(SIZE)
    assert list(source.changed) == [0]
    source.close()


def test_a_link_that_leads_elsewhere_now_is_not_followed(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, mode in (("open", 0o644), ("closed", 0o600)):
        (tmp_path / name).write_bytes(b"x" * SIZE)
        (tmp_path / name).chmod(mode)
        os.utime(tmp_path / name, ns=(0, 10**18))
    (tree / "link").symlink_to("../open")
    found = scan(os.fsencode(tree), selection=Selection(copies_links=True))
    source = ContentsReader(found.roots, found.manifest, build_plan(found, [(1, 2)]))
    (tree / "link").unlink()
    (tree / "link").symlink_to("../closed")
    assert source.read(0, SIZE) == bytes(SIZE)
    assert list(source.changed) == [0]
    source.close()


def test_modes_that_were_changed_for_targets_are_no_fault(tree: Path) -> None:
    changes = parse_mode_changes("F600,a+x", 0o022)
    found = scan(os.fsencode(tree), selection=Selection(mode_changes=changes))
    source = ContentsReader(found.roots, found.manifest, build_plan(found, [(1, 2)]), mode_changes=found.mode_changes)
    assert source.read(0, SIZE) == b"a" * SIZE
    source.close()
