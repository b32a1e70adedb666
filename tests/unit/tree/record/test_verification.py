"""Verify a tree that somebody changes meanwhile: what could not be read does not count as right."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.tree.model.policy import Policy
from mrsync.tree.record.grid import Grid
from mrsync.tree.record.reading import PORTION_BYTES
from mrsync.tree.record.record import ProvenFile, Record
from mrsync.tree.record.verification import Difference, Verified, verify
from mrsync.tree.source.scan import scan

SIZE = 10


def remove(place: Path) -> None:
    place.unlink()


def shorten(place: Path) -> None:
    os.truncate(place, SIZE - 1)


def move_parent(place: Path) -> None:
    place.parent.rename(place.parent.with_name("elsewhere"))


def swap_parent_for_a_file(place: Path) -> None:
    move_parent(place)
    place.parent.touch()


def swap_parent_for_a_link(place: Path) -> None:
    move_parent(place)
    place.parent.symlink_to("elsewhere")


def swap_for_a_link(place: Path) -> None:
    place.rename(place.with_name("other"))
    place.symlink_to("other")


def swap_for_a_fifo(place: Path) -> None:
    place.unlink()
    os.mkfifo(place)


CHANGES = (
    *(remove, shorten, move_parent, swap_parent_for_a_file),
    *(swap_parent_for_a_link, swap_for_a_link, swap_for_a_fifo),
)


def verified(tree: Path, event: Callable[[], None], policy: Policy | None = None, size: int = SIZE) -> Verified:
    """Verify a tree whose record says that all is right; event: happens when the first page is checked."""
    manifest = scan(bytes(tree), policy or Policy()).manifest
    record = Record(manifest.encode(), 1)
    grid = Grid(size if size == SIZE else PORTION_BYTES, size, 32, "any")
    entries = [entry for entry in range(len(manifest)) if manifest.sizes[entry]]
    record.extend([ProvenFile(entry, grid, 0, size, [], bytes(32 * -(-size // grid.page_bytes))) for entry in entries])
    events = [event]

    def check(terms: str, page: int, data: bytes, proof: bytes) -> bool:
        if events:
            events.pop()()
        return True

    return verify(bytes(tree), record, check, 1)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree" / "b").mkdir(parents=True)
    for name in ("a", "b/c"):
        (tmp_path / "tree" / name).write_bytes(bytes(SIZE))
    return tmp_path / "tree"


def test_a_tree_that_nobody_changes_is_right(tree: Path) -> None:
    result = verified(tree, lambda: None)
    assert (result.count, result.files) == (0, 2)


@pytest.mark.parametrize("change", CHANGES)
def test_changes_before_reading_are_reported(tree: Path, change: Callable[[Path], None]) -> None:
    result = verified(tree, lambda: change(tree / "b" / "c"))
    assert [difference.path for difference in result.differences] == [b"b/c"]
    assert result.files == 1


def test_a_large_file_that_goes_while_it_is_read_is_told_once(tree: Path) -> None:
    for name in ("a", "b/c"):
        (tree / name).unlink()
    os.truncate(os.open(tree / "large", os.O_CREAT | os.O_RDWR), 4 * PORTION_BYTES)
    result = verified(tree, (tree / "large").unlink, size=4 * PORTION_BYTES)
    assert [difference.path for difference in result.differences] == [b"large"]


@pytest.mark.parametrize("change", [remove, shorten])
def test_files_missing_from_the_start_are_reported_once(tree: Path, change: Callable[[Path], None]) -> None:
    manifest = scan(bytes(tree), Policy()).manifest
    record = Record(manifest.encode(), 1)
    record.extend([ProvenFile(manifest.find(b"b/c"), Grid(SIZE, SIZE, 32, "any"), 0, SIZE, [], bytes(32))])
    change(tree / "b" / "c")
    result = verify(bytes(tree), record, lambda *page: True, 1)
    assert [found.path for found in result.differences if found.path == b"b/c"] == [b"b/c"]


def test_with_existing_files_may_be_missing(tree: Path) -> None:
    """They may have been removed since, and the last sync did not make them again."""
    result = verified(tree, lambda: remove(tree / "b" / "c"), Policy(existing=True))
    assert result.count == 0


@pytest.mark.parametrize("left", range(1, 6))
def test_what_cannot_be_read_does_not_count_as_missing(tree: Path, left: int) -> None:
    """It has this many descriptors, and needs one for each directory."""
    record = Record(scan(bytes(tree), Policy()).manifest.encode(), 1)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = sorted(set(range(1000)).difference(map(int, os.listdir("/proc/self/fd"))))
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[left], most[1]))
    try:
        found = verify(bytes(tree), record, lambda *_: True, 1).differences
    except OSError as error:
        found = [Difference("unreadable", b"", os.strerror(error.errno or 0))]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert {(each.kind, each.detail) for each in found} <= {("unreadable", os.strerror(errno.EMFILE))}
