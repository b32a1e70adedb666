"""The ledger folds what targets agree on, keeps equal pieces once, and stops where one makes no sense."""

from __future__ import annotations

import resource
import tracemalloc
from array import array
from collections.abc import Iterable

import pytest

from mrsync.run.cast.ledger import DELETED, RECORD_COST_MIN, UNREADABLE, Ledger, Line
from mrsync.tree.model.columns import NameColumn
from mrsync.tree.model.items import LINKED, MADE, NEW, SENT, TIME
from mrsync.tree.model.manifest import Manifest
from mrsync.wire.formats.changes import Change, pack_changes, pack_deletions
from mrsync.wire.limits import CHANGES_BYTES_MAX
from mrsync.wire.records import ChangesRecord, DeletionsRecord

NEW_FILE = ">f+++++++++"


def manifest(count: int = 8) -> Manifest:
    """A root with a directory (1), a soft link (2) and files; entry 7 is in the directory."""
    made = Manifest()
    made.names = NameColumn([b"", *[b"%d" % entry for entry in range(1, count)]])
    made.parents = array("I", [0] * count)
    made.parents[7] = 1
    made.modes = array("H", [0o40755, 0o40755, 0o120777, *[0o100644] * (count - 3)])
    made.link_targets = {2: b"there"}
    return made


def take(ledger: Ledger, target: int, changes: Iterable[Change], deletions: Iterable[tuple[int, bytes]] = ()) -> None:
    for body in pack_deletions(deletions):
        ledger.take(target, DeletionsRecord(body))
    for body in pack_changes(changes):
        ledger.take(target, ChangesRecord(body))


def test_common_changes_are_one_line() -> None:
    ledger = Ledger()
    for target in (0, 2):
        take(ledger, target, [Change(0, 1, TIME), Change(3, 5, SENT | NEW)], [(0, b"old/a"), (0, b"old/"), (1, b"x")])
    take(ledger, 1, [Change(4, 5, SENT | NEW), Change(5, 6, LINKED, 7)], [(0, b"old/a")])
    assert list(ledger.lines(manifest())) == [
        Line((0, 1, 2), DELETED, b"old/a"),
        Line((0, 2), DELETED, b"old/"),
        Line((0, 2), DELETED, b"1/x"),
        Line((0, 2), ".d..t......", b"./"),
        Line((0, 2), NEW_FILE, b"3"),
        Line((0, 1, 2), NEW_FILE, b"4"),
        Line((1,), "hf         ", b"5", b" => 1/7"),
    ]


def test_many_small_records_are_not_kept_without_end() -> None:
    """Each costs the master more memory than it has bytes on the wire."""
    ledger = Ledger()
    for number in range(CHANGES_BYTES_MAX // RECORD_COST_MIN + 1):
        ledger.take(0, ChangesRecord(number.to_bytes(4, "big")))
    assert list(ledger.lines(manifest()))[-1].letters == UNREADABLE
    assert len(ledger._numbers) == CHANGES_BYTES_MAX // RECORD_COST_MIN


def test_records_that_find_no_room_on_the_disk_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.run.cast.ledger.MEMORY_BYTES_MAX", 1)
    ledger = Ledger()
    take(ledger, 0, [Change(3, 4, SENT | NEW)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        for target in (1, 2):
            take(ledger, target, (), [(0, b"%d" % number) for number in range(10_000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(ledger.lines(manifest()))[-2:] == [Line((0,), NEW_FILE, b"3"), Line((1, 2), UNREADABLE, b"")]


def test_directories_and_links_are_shown_as_such() -> None:
    ledger = Ledger()
    take(ledger, 0, [Change(1, 3, MADE | NEW), Change(7, 8, SENT | TIME)])
    assert list(ledger.lines(manifest())) == [
        Line((0,), "cd+++++++++", b"1/"),
        Line((0,), "cL+++++++++", b"2", b" -> there"),
        Line((0,), ">f..t......", b"1/7"),
    ]


def test_nonsense_of_one_target_hides_nothing_of_others() -> None:
    for nonsense in (
        [Change(3, 9, SENT)],
        [Change(3, 4, LINKED, 8)],
        [Change(3, 4, SENT), Change(4, 1 << 40, SENT)],
    ):
        ledger = Ledger()
        take(ledger, 0, [Change(3, 4, SENT | NEW)])
        take(ledger, 1, nonsense)
        lines = list(ledger.lines(manifest()))
        assert Line((0,), NEW_FILE, b"3") in lines
        assert lines[-1] == Line((1,), UNREADABLE, b"")


def test_duplicate_or_descending_entries_are_refused() -> None:
    ledger = Ledger()
    for _ in range(2):
        take(ledger, 0, [Change(3, 4, SENT | NEW)], [(0, b"x")])
    assert list(ledger.lines(manifest())) == [
        Line((0,), DELETED, b"x"),
        Line((0,), NEW_FILE, b"3"),
        Line((0,), UNREADABLE, b""),
    ]


def test_too_much_is_not_kept() -> None:
    ledger = Ledger()
    body = bytes(4000)
    for _ in range(CHANGES_BYTES_MAX // 4000 + 10):
        ledger.take(0, ChangesRecord(body))
    assert list(ledger.lines(manifest()))[-1] == Line((0,), UNREADABLE, b"")


def test_many_changes_of_64_targets_fit_in_little_memory() -> None:
    count = 300_001
    bodies = list(pack_changes(Change(entry, entry + 1, SENT | entry % 3) for entry in range(3, count)))
    other = list(pack_changes(Change(entry, entry + 1, SENT | entry % 2) for entry in range(3, count)))
    tracemalloc.start()
    try:
        ledger = Ledger()
        for target in range(64):
            for body in bodies if target % 8 else other:
                ledger.take(target, ChangesRecord(body))
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
    lines = ledger.lines(manifest(count))
    first = [next(lines) for _ in range(3)]
    assert [len(line.targets) for line in first] == [56, 8, 8]
