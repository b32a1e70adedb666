"""Objects: pages of what is cast, from a real tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mrsync.ranges import RangeSet
from mrsync.run.cast.objects import LOOKS_PER_PAGE, Objects
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.scan import scan
from mrsync.tree.source.selection import Selection
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import ObjectKind

GEOMETRY = Geometry(100, 4)
FILES = {"a": b"A" * 1000, "b": b"B" * 500, "c": b"C" * 10}


class Cast:
    """The objects of a directory of three files, and what was told of changes."""

    def __init__(self, path: Path) -> None:
        for name, data in FILES.items():
            (path / name).write_bytes(data)
        self.path = path
        self.changes: list[tuple[int, str]] = []
        self.outgrown: list[int] = []
        self.objects = Objects(
            scan(os.fsencode(path)),
            Selection(),
            lambda: GEOMETRY,
            lambda file, fault: self.changes.append((file, fault.reason)),
            self.outgrown.append,
        )

    def read(self, kind: ObjectKind, size: int) -> bytes:
        return b"".join(self.objects.read(kind, page) for page in range(GEOMETRY.page_count(size)))


@pytest.fixture
def cast(tmp_path: Path) -> Iterator[Cast]:
    made = Cast(tmp_path)
    yield made
    made.objects.close()


def test_pages_of_manifest_and_plan_are_those_objects(cast: Cast) -> None:
    manifest = Manifest.decode(cast.read(ObjectKind.MANIFEST, len(cast.objects.manifest)))
    assert [manifest.path(entry) for entry in range(1, 4)] == [b"a", b"b", b"c"]
    plan_bytes, _, _ = cast.objects.make_plan(RangeSet([(1, 2), (3, 4)]))
    plan = Plan.decode(cast.read(ObjectKind.PLAN, plan_bytes), manifest)
    assert list(plan.entries) == [1, 3]


def test_targets_may_need_regular_files_only(cast: Cast) -> None:
    """A plan with another entry would be refused by every target."""
    assert cast.objects.are_files(1, 4)
    assert not cast.objects.are_files(0, 1)
    assert not cast.objects.are_files(0, 4)
    assert not cast.objects.are_files(3, 5)


def test_files_in_place_are_needed_ones_without_exceptions(cast: Cast) -> None:
    cast.objects.make_plan(RangeSet([(1, 4)]))
    assert cast.objects.count(RangeSet([(1, 4)]), 0, set()) == (0, 0)
    assert cast.objects.count(RangeSet([(1, 4)]), 2, set()) == (2, 1500)
    assert cast.objects.count(RangeSet([(1, 4)]), 3, {1}) == (2, 1010)
    assert cast.objects.count(RangeSet([(1, 2), (3, 9)]), 2, {1, 2}) == (1, 1000)


def test_contents_are_the_planned_files_back_to_back(cast: Cast) -> None:
    _, contents_bytes, file_count = cast.objects.make_plan(RangeSet([(1, 2), (3, 4)]))
    assert not cast.objects.scan.inodes  # for a million files they take 16 MB
    assert (contents_bytes, file_count) == (1010, 2)
    assert cast.read(ObjectKind.CONTENTS, contents_bytes) == FILES["a"] + FILES["c"]
    assert [cast.objects.path(file) for file in range(2)] == [b"a", b"c"]
    assert cast.changes == []


def test_each_changed_file_is_reported_once(cast: Cast) -> None:
    _, contents_bytes, _ = cast.objects.make_plan(RangeSet([(1, 4)]))
    (cast.path / "a").unlink()
    (cast.path / "c").write_bytes(b"longer than it was")
    for _ in range(2):
        contents = cast.read(ObjectKind.CONTENTS, contents_bytes)
        assert contents == bytes(1000) + FILES["b"] + bytes(10)
    assert [file for file, _ in cast.changes] == [0, 2]
    assert all(why for _, why in cast.changes)


def test_a_change_is_reported_with_the_page_that_shows_it(cast: Cast) -> None:
    cast.objects.make_plan(RangeSet([(1, 4)]))
    (cast.path / "a").unlink()
    cast.objects.read(ObjectKind.CONTENTS, 0)
    assert [file for file, _ in cast.changes] == [0]


def test_contents_are_not_read_before_they_are_planned(cast: Cast) -> None:
    with pytest.raises(RuntimeError, match="before they are planned"):
        cast.objects.read(ObjectKind.CONTENTS, 0)


def test_empty_files_are_looked_at_when_their_turn_has_come(tmp_path: Path) -> None:
    for name, size in (("a", 0), ("b", 1000), ("c", 0), ("d", 1000), ("e", 0)):
        (tmp_path / name).write_bytes(bytes(size))
    changes: list[int] = []
    objects = Objects(
        scan(os.fsencode(tmp_path)), Selection(), lambda: GEOMETRY, lambda file, why: changes.append(file)
    )
    objects.make_plan(RangeSet([(1, 6)]))
    (tmp_path / "a").write_text("not empty")
    objects.begin_contents(is_whole=True)
    assert (objects.files_read, changes) == (1, [0])
    for name in "ce":
        (tmp_path / name).unlink()
    told = []
    for page in range(GEOMETRY.page_count(2000)):
        objects.read(ObjectKind.CONTENTS, page)
        told.append((objects.files_read, len(changes)))
    assert told == [(1, 1), (1, 1), (3, 2), (3, 2), (3, 2), (5, 3)]
    objects.close()


def test_any_number_of_empty_files_is_looked_at_before_the_loop_needs_it(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number:02}").touch()
    changes: list[int] = []
    objects = Objects(
        scan(os.fsencode(tmp_path)), Selection(), lambda: GEOMETRY, lambda file, why: changes.append(file)
    )
    objects.make_plan(RangeSet([(1, 51)]))
    (tmp_path / "07").write_text("not empty")
    looked: list[int] = []
    objects.check_empty(looked.append)
    assert (sum(looked), objects.files_read, changes) == (50, 50, [])
    (tmp_path / "08").unlink()
    objects.begin_contents(is_whole=True)
    assert (objects.files_read, changes) == (50, [7]), "it is told then, and nothing is looked at again"
    objects.close()


def test_only_some_of_the_files_that_are_not_read_are_looked_at_with_a_page(tmp_path: Path) -> None:
    """All targets hold the first ones: nobody would hear from the master while it looks at millions."""
    for number in range(2 * LOOKS_PER_PAGE):
        (tmp_path / f"{number:02}").write_bytes(bytes(GEOMETRY.page_bytes))
    changes: list[int] = []
    objects = Objects(
        scan(os.fsencode(tmp_path)), Selection(), lambda: GEOMETRY, lambda file, why: changes.append(file)
    )
    objects.make_plan(RangeSet([(1, 1 + 2 * LOOKS_PER_PAGE)]))
    objects.begin_contents(is_whole=False)
    (tmp_path / "05").unlink()
    (tmp_path / "62").unlink()
    objects.read(ObjectKind.CONTENTS, 2 * LOOKS_PER_PAGE - 1)
    assert (objects.files_read, changes) == (LOOKS_PER_PAGE, [5])
    objects.read(ObjectKind.CONTENTS, 2 * LOOKS_PER_PAGE - 1)
    assert (objects.files_read, changes) == (2 * LOOKS_PER_PAGE, [5, 62])
    objects.close()


def test_unneeded_pages_do_not_hide_a_change(cast: Cast) -> None:
    """The end of a file may be skipped: then its status tells."""
    cast.objects.make_plan(RangeSet([(1, 4)]))
    cast.objects.read(ObjectKind.CONTENTS, 0)
    (cast.path / "a").write_bytes(b"another size")
    cast.objects.read(ObjectKind.CONTENTS, 3)
    assert cast.changes == [(0, "its size changed")]
