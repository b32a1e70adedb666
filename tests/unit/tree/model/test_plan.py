"""A plan maps the contents object to files and survives encoding and decoding. A hostile one is refused."""

from __future__ import annotations

import os
import stat
from array import array
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.errors import LimitError, ProtocolDataError
from mrsync.ranges import merged
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.scan import scan

FILE = stat.S_IFREG | 0o644


def manifest_of(sizes: Sequence[int]) -> Manifest:
    """A root with files of these sizes, entries 1 and up."""
    manifest = Manifest()
    manifest.names = NameColumn([b"", *[b"%08d" % i for i in range(len(sizes))]])
    manifest.modes = array("H", [stat.S_IFDIR | 0o755, *[FILE] * len(sizes)])
    manifest.sizes = array("q", [0, *sizes])
    return manifest


def extents_of(length: int, chance: st.DataObject) -> list[tuple[int, int]]:
    cuts = sorted(chance.draw(st.sets(st.integers(0, length), max_size=6)))
    return [(a, b - a) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.data())
def test_every_byte_of_the_contents_has_one_place(sizes: list[int], data: st.DataObject) -> None:
    manifest = manifest_of(sizes)
    needed = sorted(data.draw(st.sets(st.integers(1, len(sizes)), min_size=1)))
    sparse = data.draw(st.sets(st.integers(0, len(needed) - 1)))
    extents: dict[int, Sequence[tuple[int, int]]] = {
        file: extents_of(sizes[needed[file] - 1], data) for file in sorted(sparse)
    }
    plan = Plan(manifest, merged((entry, entry + 1) for entry in needed), extents)
    assert vars(Plan.decode(plan.encode(), manifest)) == vars(plan)
    expected = []
    for file, entry in enumerate(needed):
        for offset, length in extents.get(file, [(0, sizes[entry - 1])]):
            expected += [(file, offset + i) for i in range(length)]
        assert plan.end_of(file) == len(expected)
        assert plan.file_of(entry) == file
    assert plan.file_count == len(needed)
    assert plan.contents_bytes == len(expected)
    start = data.draw(st.integers(0, len(expected)))
    length = data.draw(st.integers(0, len(expected) - start))
    located = [(file, offset + i) for file, offset, size in plan.locate(start, length) for i in range(size)]
    assert located == expected[start : start + length]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30))))
def test_needs_of_many_targets_are_merged(ranges: list[tuple[int, int]]) -> None:
    union = merged(ranges)
    assert {i for a, b in union for i in range(a, b)} == {i for a, b in ranges for i in range(a, b)}
    assert all(a < b for a, b in union)
    assert all(one[1] < other[0] for one, other in pairwise(union))


def test_nothing_outside_the_contents_is_located() -> None:
    plan = Plan(manifest_of([5]), [(1, 2)], {})
    for offset, length in ((-1, 2), (0, 6), (6, 0)):
        with pytest.raises(ValueError, match="outside"):
            plan.locate(offset, length)


def test_holes_are_not_planned(tmp_path: Path) -> None:
    with open(tmp_path / "holes", "wb") as file:
        file.seek(1 << 20)
        file.write(b"x" * 4096)
        file.truncate(3 << 20)
    (tmp_path / "plain").write_bytes(b"y" * 100)
    with open(tmp_path / "small hole", "wb") as file:
        file.write(b"x" * 4096)
        file.seek(12288)
        file.write(b"x" * 4096)
    found = scan(os.fsencode(tmp_path))
    plan = build_plan(found, [(1, 4)])
    assert plan.extents == {0: [(1 << 20, 4096)]}
    assert plan.contents_bytes == 4096 + 100 + 16384


def test_an_unneeded_or_vanished_file_with_holes_does_no_harm(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        with open(tmp_path / name, "wb") as file:
            file.truncate(1 << 20)
    found = scan(os.fsencode(tmp_path))
    (tmp_path / "c").unlink()
    plan = build_plan(found, [(2, 4)])
    assert plan.extents == {0: []}
    assert plan.contents_bytes == 1 << 20


HOSTILE: dict[str, tuple[list[tuple[int, int]], dict[int, Sequence[tuple[int, int]]], str]] = {
    "a directory": ([(0, 2)], {}, "no contents"),
    "the same twice": ([(1, 2), (1, 2)], {}, "order"),
    "backwards": ([(2, 3), (1, 2)], {}, "order"),
    "an empty range": ([(1, 1)], {}, "order"),
    "outside": ([(4, 6)], {}, "order"),
    "too much": ([(4, 5)], {}, "too large"),
    "extents of nothing": ([(1, 2)], {1: [(0, 1)]}, "not planned"),
    "extents outside": ([(1, 2)], {0: [(95, 6)]}, "outside its file"),
    "extents in disorder": ([(1, 2)], {0: [(50, 10), (0, 10)]}, "not in order"),
    "extents that overlap": ([(1, 2)], {0: [(0, 10), (9, 10)]}, "not in order"),
    "extents of 8 EiB": ([(1, 2)], {0: [(0, 1 << 62), (1 << 62, 1 << 62)]}, "not in order"),
    "an empty extent": ([(1, 2)], {0: [(0, 0)]}, "not in order"),
    "a negative extent": ([(1, 2)], {0: [(-5, 10)]}, "not in order"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_plan_is_refused(what: str) -> None:
    ranges, extents, reason = HOSTILE[what]
    manifest = manifest_of([100, 100, 100, (1 << 62) + 1])
    manifest.leaders = {3: 2}
    plan = Plan(manifest_of([]), [], {})
    plan.ranges, plan.extents = ranges, extents
    with pytest.raises(ProtocolDataError, match=f"^the plan is damaged: .*{reason}"):
        Plan.decode(plan.encode(), manifest)


@given(st.data())
def test_bytes_changed_anywhere_raise_nothing_else(data: st.DataObject) -> None:
    manifest = manifest_of([100, 200, 300])
    encoded = bytearray(Plan(manifest, [(1, 2), (3, 4)], {1: [(5, 10), (50, 100)]}).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(12, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        Plan.decode(bytes(encoded), manifest)
    except ProtocolDataError:
        return


def test_sizes_of_holes_do_not_count() -> None:
    manifest = manifest_of([(1 << 63) - 1] * 3)
    plan = Plan(manifest, [(1, 4)], {0: [], 1: [(5, 10)], 2: [((1 << 63) - 2, 1)]})
    assert plan.contents_bytes == 11
    assert Plan.decode(plan.encode(), manifest).contents_bytes == 11


def test_more_data_than_an_object_can_have_is_refused() -> None:
    manifest = manifest_of([1 << 62, 1])
    with pytest.raises(LimitError, match="more than one session can send"):
        Plan(manifest, [(1, 3)], {})
    encoded = Plan(manifest, [(1, 3)], {0: []}).encode()
    assert Plan.decode(encoded, manifest).contents_bytes == 1
