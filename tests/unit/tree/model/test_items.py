"""Itemized changes come in order, equal neighbours as one run, and in rsync's letters."""

from __future__ import annotations

import stat

import pytest

from mrsync.tree.model.items import (
    ACL,
    ALTERED,
    GROUP,
    INEXACT,
    LINKED,
    MADE,
    MODE,
    NEW,
    SENT,
    SIZE,
    TIME,
    USER,
    XATTR,
    Items,
    deletion_key,
    letters,
)


def test_neighbours_of_the_same_flags_are_one_run() -> None:
    items = Items()
    for entry in (5, 3, 4, 9, 10):
        items.add(entry, SENT | NEW)
    items.add(6, SENT | NEW | INEXACT)
    items.add(7, LINKED | NEW, 5)
    items.add(8, LINKED | NEW, 5)
    items.add(11, MODE)
    assert list(items.runs()) == [
        (3, 7, SENT | NEW, -1),
        (7, 8, LINKED | NEW, 5),
        (8, 9, LINKED | NEW, 5),
        (9, 11, SENT | NEW, -1),
        (11, 12, MODE, -1),
    ]
    assert [run[:2] for run in items.runs({4, 7, 11})] == [(3, 4), (5, 7), (8, 9), (9, 11)]
    assert list(Items().runs()) == []


@pytest.mark.parametrize(
    ("flags", "kind", "expected"),
    [
        (SENT | NEW, stat.S_IFREG, ">f+++++++++"),
        (SENT | SIZE | TIME, stat.S_IFREG, ">f.st......"),
        (SENT, stat.S_IFREG, ">f........."),
        (SENT | ALTERED | MODE | USER | GROUP, stat.S_IFREG, ">fc..pog..."),
        (ACL | XATTR, stat.S_IFREG, ".f.......ax"),
        (MADE | NEW, stat.S_IFDIR, "cd+++++++++"),
        (TIME, stat.S_IFDIR, ".d..t......"),
        (MADE | ALTERED | TIME, stat.S_IFLNK, "cLc.t......"),
        (MADE | NEW, stat.S_IFIFO, "cS+++++++++"),
        (MADE | ALTERED, stat.S_IFBLK, "cDc........"),
        (LINKED, stat.S_IFREG, "hf         "),
        (LINKED | TIME, stat.S_IFREG, "hf..t......"),
    ],
)
def test_changes_are_itemized_with_rsyncs_letters(flags: int, kind: int, expected: str) -> None:
    assert letters(flags, kind | 0o644) == expected


def test_a_directory_is_deleted_after_its_contents() -> None:
    assert sorted([b"d/", b"d/b/", b"d/b/c", b"a", b"d/a"], key=deletion_key) == [
        b"a",
        b"d/a",
        b"d/b/c",
        b"d/b/",
        b"d/",
    ]


def test_a_second_comparison_replaces_its_entries_only() -> None:
    items, again = Items(), Items()
    for entry in (1, 2, 3):
        items.add(entry, SENT | TIME)
    items.add(4, LINKED, 2)
    again.add(2, SENT | SIZE)
    again.add(4, LINKED | NEW, 2)
    items.amend({2, 3, 4}, again)
    assert list(items.runs()) == [(1, 2, SENT | TIME, -1), (2, 3, SENT | SIZE, -1), (4, 5, LINKED | NEW, 2)]
