"""What a target itemizes becomes records, as many as the log has room for."""

from __future__ import annotations

import pytest

from mrsync.run.catch import itemizing
from mrsync.run.catch.itemizing import itemize
from mrsync.tree.destination.deletion_limit import DeletionLimit
from mrsync.tree.model.items import NEW, SENT, Items
from mrsync.tree.model.policy import Policy
from mrsync.wire.records import ChangesRecord, DeletionsRecord


def filled() -> tuple[Items, DeletionLimit]:
    items, deletions = Items(), DeletionLimit(Policy(itemizes=True))
    for entry in range(2000):
        items.add(entry, SENT | (NEW if entry % 2 else 0))
        deletions.note(entry, b"name of %d" % entry, is_directory=False)
    return items, deletions


def test_deletions_come_before_changes() -> None:
    items, deletions = filled()
    told: list[int] = []
    done = itemize(items, {1, 3}, deletions, told.append)
    kinds = [type(record) for record in done.records]
    assert kinds == sorted(kinds, key=(DeletionsRecord, ChangesRecord).index)
    assert set(kinds) == {DeletionsRecord, ChangesRecord}
    assert len(told) == len(kinds)
    assert done.untold == 0


def test_records_without_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(itemizing, "CHANGES_BYTES_MAX", 0)
    items, deletions = filled()
    done = itemize(items, {1, 3}, deletions, lambda count: None)
    assert done == ((), 2000 + 1998)
