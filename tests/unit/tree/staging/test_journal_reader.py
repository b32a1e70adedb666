"""Journals of earlier sessions: which are used, up to where, and which of their notes count after a reboot."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from mrsync.tree.staging import journal as journal_module
from mrsync.tree.staging import journal_reader as reader_module
from mrsync.tree.staging.journal import HEAD
from tests.support.waiting import HANG_S
from tests.unit.tree.breaking import PAGE, in_a_process_that_is_killed
from tests.unit.tree.staging.resuming import (
    BIG_PAGES,
    finish,
    session,
    wants_big,
)

pytestmark = pytest.mark.usefixtures("impatient")


def journal(trees: Path) -> Path:
    (found,) = (trees / "dest").glob(".mrsync-*.journal")
    return found


@pytest.mark.parametrize("way", ["link", "mode", "second name", "gone", "empty", "no length", "fifo", "directory"])
def test_modified_journal_is_not_used(broken: Path, way: str) -> None:
    path = journal(broken)
    if way == "mode":
        path.chmod(0o640)
    elif way == "second name":
        (broken / "other").hardlink_to(path)
    elif way == "empty":
        path.write_bytes(b"")
    elif way == "no length":  # the session was killed while it wrote the head
        with path.open("r+b") as file:
            file.write(bytes(HEAD.size))
    else:
        path.rename(broken / "kept")
        if way == "link":
            path.symlink_to(broken / "kept")
        elif way == "fifo":
            os.mkfifo(path, 0o600)
        elif way == "directory":
            path.mkdir(0o600)
    assert wants_big(broken)


def test_damaged_journal_is_used_up_to_the_damage(broken: Path) -> None:
    path = journal(broken)
    data = path.read_bytes()
    chance = random.Random(3)
    for _ in range(300):
        spoilt = bytearray(data[: chance.randrange(len(data) + 1)])
        for _ in range(chance.choice((0, 1, 5))):
            if spoilt:
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        path.write_bytes(spoilt)
        root = os.open(broken / "dest", os.O_RDONLY)
        found = reader_module.read_notes(root, path.name.split("-")[1].split(".")[0].encode())
        os.close(root)
        for file in range(30):
            note = found.find(file) if found else None
            if note is not None:
                assert all(0 <= first < end <= note.size for first, end in note.pieces)


def test_after_a_reboot_only_synced_pages_count(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "boot_id", lambda: b"another boot")
    assert wants_big(broken)


def test_synced_notes_count_after_a_reboot(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "LARGE_BYTES", BIG_PAGES * PAGE)
    monkeypatch.setattr("mrsync.tree.staging.notes.INTERVAL_S", 0.0)

    def cast() -> None:
        run = session(trees).cast(range(20))
        deadline = time.monotonic() + HANG_S
        before = -1
        while run.stage.notes.journal is not None and run.stage.notes.journal.position != before:
            before = run.stage.notes.journal.position
            assert time.monotonic() < deadline
            while threading.active_count() > 1:
                time.sleep(0.001)
            run.stage.write_many([])  # notes what was synced
        monkeypatch.setattr("mrsync.tree.staging.notes.INTERVAL_S", 60.0)
        run.cast(range(20, 50))

    in_a_process_that_is_killed(cast)
    monkeypatch.setattr(reader_module, "boot_id", lambda: b"another boot")
    run = session(trees)
    assert run.pages == list(range(run.pages[0], 54))
    assert run.pages[0] in (20, 21)  # one checkpoint was due already when the interval was made long
    finish(trees, run)


def test_a_flush_of_the_disk_covers_small_files(trees: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cast() -> None:
        run = session(trees)
        run.cast([page for page in run.pages if page < 45])
        run.stage.notes.begin_flush()
        run.cast([45])
        run.stage.notes.end_flush()
        run.cast([46])
        run.stage.notes.begin_flush()  # it fails, so 46 may be lost, and no later success says that it is not
        run.stage.notes.begin_flush()
        run.stage.notes.end_flush()
        run.cast([47])
        run.stage.notes.begin_flush()
        run.stage.notes.end_flush()

    in_a_process_that_is_killed(cast)
    monkeypatch.setattr(reader_module, "boot_id", lambda: b"another boot")
    run = session(trees)
    assert run.pages == [45, *range(46, 54)]
    finish(trees, run)


def test_an_unknown_boot_is_never_the_same(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "boot_id", lambda: b"")
    monkeypatch.setattr(journal_module, "boot_id", lambda: b"")
    assert wants_big(broken)
