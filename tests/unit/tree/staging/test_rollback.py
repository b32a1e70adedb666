"""Traces of staging are wiped: directory times, and a destination that was not there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from mrsync.tree.compare.compare import compare
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.model.plan import Plan
from mrsync.tree.source.planning import build_plan
from mrsync.tree.source.reader import ContentsReader
from mrsync.tree.source.scan import scan
from mrsync.tree.staging.rollback import Rollback
from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staged_files import WHOLE
from tests.unit.tree.syncing import cast

TIME_NS = 10**18 + 7


def staged(source: Path, dest: Path, swap: Callable[[], object] = lambda: None) -> tuple[Stage, Rollback]:
    """Everything is staged, nothing in place. swap: is called before that."""
    found = scan(os.fsencode(source))
    manifest = Manifest.decode(found.manifest.encode())
    destination = Destination(os.fsencode(dest))
    needs = compare(manifest, destination).needs
    planned = build_plan(found, needs)
    stage = Stage(destination, manifest, Plan.decode(planned.encode(), manifest), needs, "abcd")
    destination.directories.close()  # as if there were more of them than can be open
    swap()
    rollback = Rollback(stage)
    contents = ContentsReader(os.fsencode(source), found.manifest, planned)
    cast(contents, stage)
    contents.close()
    return stage, rollback


def test_directories_get_their_times_back(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    for tree in (source, dest):
        (tree / "d" / "e").mkdir(parents=True)
    (source / "d" / "file").write_text("1")
    (source / "d" / "new" / "deep").mkdir(parents=True)
    (source / "d" / "new" / "deep" / "file").write_text("2")
    times = {path: (TIME_NS, TIME_NS + 1) for path in (dest, dest / "d", dest / "d" / "e")}
    for path, ns in times.items():
        os.utime(path, ns=ns)
    stage, rollback = staged(source, dest)
    assert len(list((dest / "d").glob(".mrsync-*"))) == 2
    stage.cleanup()
    rollback.restore()
    assert {path: path.stat().st_mtime_ns for path in times} == dict.fromkeys(times, TIME_NS + 1)
    assert sorted(path.name for path in dest.rglob("*")) == ["d", "e"]


def test_a_swapped_directory_stops_only_its_own_entries(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    for tree in (source, dest):
        (tree / "open" / "d").mkdir(parents=True)
    (source / "file").write_text("1")
    (source / "open" / "d" / "file").write_text("2")
    (dest / "open").chmod(0o777)

    def swap() -> None:
        (dest / "open" / "d").rename(dest / "open" / "aside")
        (dest / "open" / "d").mkdir()

    stage, rollback = staged(source, dest, swap)
    assert [reason for _, reason in stage.take_sat_out()] == [errno.ESTALE]
    assert stage.states[0] == WHOLE
    stage.cleanup()
    rollback.restore()


def test_a_destination_that_was_made_goes_again(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    (source / "file").write_text("1")
    stage, rollback = staged(source, dest)
    stage.cleanup()
    rollback.restore()
    assert not dest.exists()


def test_files_of_others_are_not_removed(tmp_path: Path) -> None:
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    (source / "file").write_text("1")
    stage, rollback = staged(source, dest)
    (dest / "theirs").write_text("2")
    stage.cleanup()
    rollback.restore()
    assert [path.name for path in dest.iterdir()] == ["theirs"]
