"""Names as a column, and paths as a tree of names."""

from __future__ import annotations

from array import array
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.errors import LimitError
from mrsync.tree.model import columns
from mrsync.tree.model.columns import NameColumn, PathTree

NAMES = st.lists(st.binary(max_size=3).map(lambda name: name.replace(b"\0", b"")), max_size=12)


@given(NAMES, NAMES)
def test_added_names_are_read_back(first: list[bytes], second: list[bytes]) -> None:
    column = NameColumn(first)
    column.extend(second)
    names = first + second
    assert (len(column), list(column)) == (len(names), names)
    assert [column[entry] for entry in range(len(names))] == names
    assert all(column[start:end] == names[start:end] for start in range(len(names)) for end in range(len(names) + 2))
    with pytest.raises(IndexError):
        column[len(names)]
    assert column == NameColumn(names)
    assert column != NameColumn([*names, b""])
    if names:
        again = NameColumn.split(b"\0".join(names))
        assert again == column
        again.extend([b"x"])
        assert list(again) == [*names, b"x"]


def test_more_names_than_are_taken_at_once() -> None:
    names = [b"%07d" % number for number in range(100_000)]
    column = NameColumn.split(b"\0".join(names))
    assert list(column) == names
    assert bisect_left(column, b"0050000", 10, 90_000) == 50_000


def test_names_of_more_than_4_gib_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_BYTES_MAX", 100)
    column = NameColumn([b"x" * 60])
    with pytest.raises(LimitError, match="sync parts of SOURCE"):
        column.extend([b"y" * 60])


def test_every_path_is_there_once_behind_its_parents() -> None:
    tree = PathTree()
    deep = tree.add(b"a/b/c")
    assert tree.add(b"a/b/c") == deep
    assert [tree.path(number) for number in range(len(tree))] == [b"", b"a", b"a/b", b"a/b/c"]
    assert tree.parents == array("I", [0, 0, 1, 2])
    assert tree.add(b"") == 0
    assert tree.add_below(1, b"z") == 4
    assert tree.children[1] == {b"b": 2, b"z": 4}
