"""Deletions are counted, limited and listed."""

from __future__ import annotations

from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.model.policy import Policy


def test_without_a_limit_all_may_go_and_nothing_is_listed() -> None:
    deletions = DeletionLimit(Policy())
    for number in range(100):
        assert deletions.allows()
        deletions.note(0, b"%d" % number, is_directory=False)
    assert (deletions.count, deletions.skipped, list(deletions.listed())) == (100, 0, [])


def test_entries_over_the_limit_are_skipped() -> None:
    deletions = DeletionLimit(Policy(max_delete=1))
    assert deletions.allows()
    deletions.note(0, b"x", is_directory=False)
    assert not deletions.allows()
    assert not deletions.allows()
    assert (deletions.count, deletions.skipped) == (1, 2)
    assert not DeletionLimit(Policy(max_delete=0)).allows()


def test_the_list_is_in_order() -> None:
    deletions = DeletionLimit(Policy(itemizes=True))
    for directory, path in ((7, b"x"), (3, b"d/a"), (3, b"d"), (3, b"c")):
        deletions.note(directory, path, is_directory=path == b"d")
    assert list(deletions.listed()) == [(3, b"c"), (3, b"d/a"), (3, b"d/"), (7, b"x")]
