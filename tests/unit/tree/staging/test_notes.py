"""Checkpoints sync what is staged, and leave to the rest of the run what it needs."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from mrsync.tree.staging import notes
from tests.support.descriptors import limit_of_descriptors
from tests.support.waiting import HANG_S
from tests.unit.tree.breaking import PAGE, Session
from tests.unit.tree.staging.resuming import SHORT_TICK_NS, let_it_settle

FILES = 150
SPARE = 100  # descriptors; fewer than files


def test_while_many_files_are_synced_others_can_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "dest").mkdir()
    for number in range(FILES + 1):
        (tmp_path / "source" / f"{number:03}").write_bytes(b"%04d" % number * (PAGE // 4))
    let_it_settle()
    synced: list[int] = []
    sync, is_quick = os.fsync, threading.Event()

    def sync_slowly(fd: int) -> None:
        assert is_quick.wait(HANG_S)
        sync(fd)
        synced.append(fd)

    monkeypatch.setattr(os, "fsync", sync_slowly)
    monkeypatch.setattr("mrsync.tree.staging.journal.LARGE_BYTES", PAGE)
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", SHORT_TICK_NS)
    with limit_of_descriptors(max(map(int, os.listdir("/proc/self/fd"))) + SPARE):
        run = Session(tmp_path / "source", tmp_path / "dest").cast(range(FILES))
        assert run.stage.notes.journal is not None
        monkeypatch.setattr(notes, "INTERVAL_S", 0.0)
        checkpoints = notes.Checkpoints(run.stage.notes.journal, run.stage.duplicate)
        checkpoints.keep_time()
        run.cast([FILES])
        assert run.stage.take_sat_out() == []
        is_quick.set()
        monkeypatch.setattr(notes, "INTERVAL_S", 3600.0)  # what is left is not put off
        give_up_at = time.monotonic() + HANG_S
        while len(synced) <= FILES and time.monotonic() < give_up_at:
            checkpoints.keep_time()
            time.sleep(0.001)
        assert len(synced) == FILES + 1
        assert run.finish().failures == []
