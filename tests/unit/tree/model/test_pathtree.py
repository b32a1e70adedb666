"""Paths as a tree of names."""

from __future__ import annotations

from mrsync.tree.model.pathtree import PathTree


def test_every_path_is_there_once_behind_its_parents() -> None:
    tree = PathTree()
    deep = tree.add(b"a/b/c")
    assert tree.add(b"a/b/c") == deep
    assert [tree.path(number) for number in range(len(tree))] == [b"", b"a", b"a/b", b"a/b/c"]
    assert list(tree.parents) == [0, 0, 1, 2]
    assert tree.add(b"") == 0
    assert tree.add_below(1, b"z") == 4
    assert tree.children[1] == {b"b": 2, b"z": 4}
