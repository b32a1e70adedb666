"""With --temp-dir, files are staged in a directory of their own there, if a rename leads from it into place."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mrsync.errors import FileError
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging.homes import StagingArea
from tests.unit.tree.breaking import PAGE, Session
from tests.unit.tree.syncing import small_file_system

SHORT_TICK_NS = 20_000_000


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    for name in ("source/sub", "dest", "temporary"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "source/f").write_bytes(os.urandom(5 * PAGE))
    (tmp_path / "source/sub/g").write_bytes(os.urandom(3 * PAGE))
    return tmp_path


def session(trees: Path, dest: str = "dest") -> Session:
    return Session(trees / "source", trees / dest, policy=Policy(temp_dir="../temporary"))


def staged(trees: Path) -> list[Path]:
    return [path for path in (trees / "temporary").rglob("*") if path.is_file()]


def check_equal(trees: Path, dest: str = "dest") -> None:
    for name in ("f", "sub/g"):
        assert (trees / dest / name).read_bytes() == (trees / "source" / name).read_bytes()


def test_files_are_staged_there_and_nothing_is_left(trees: Path) -> None:
    run = session(trees)
    run.cast(run.pages[:4])
    assert len(staged(trees)) == 1
    assert [path.name for path in (trees / "dest").iterdir() if not path.name.endswith(".journal")] == []
    run.cast(run.pages[4:])
    assert run.finish().errors == 0
    check_equal(trees)
    assert list((trees / "temporary").iterdir()) == []


def test_a_run_that_broke_is_resumed_and_another_destination_is_left_alone(
    trees: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mrsync.tree.source.scanner.TICK_NS", SHORT_TICK_NS)
    time.sleep(2 * SHORT_TICK_NS / 1e9)  # a file that may still change is not resumed
    run = session(trees)
    run.cast(run.pages[:6]).break_off()
    assert len(staged(trees)) == 2
    (trees / "other").mkdir()
    assert session(trees, "other").cast().finish().errors == 0
    assert len(staged(trees)) == 2
    again = session(trees)
    assert again.pages == [6, 7]
    assert again.cast().finish().errors == 0
    check_equal(trees)
    assert list((trees / "temporary").iterdir()) == []


def test_files_of_another_mount_are_staged_beside_their_names(trees: Path) -> None:
    (trees / "dest/sub").mkdir()
    (trees / "elsewhere").mkdir()
    if os.geteuid() or os.system(f"mount --bind {trees}/elsewhere {trees}/dest/sub"):
        pytest.skip("needs root and the right to mount")
    try:
        run = session(trees)
        run.cast(run.pages[:7])
        assert [path.name[:8] for path in (trees / "elsewhere").iterdir()] == [".mrsync-"]
        run.cast(run.pages[7:])
        assert run.finish().errors == 0
        check_equal(trees)
    finally:
        os.system(f"umount {trees}/dest/sub")


def test_a_directory_on_another_file_system_is_refused(trees: Path) -> None:
    with small_file_system(1 << 20) as other, pytest.raises(FileError, match="on another file system than"):
        StagingArea(Destination(os.fsencode(trees / "dest")), str(other), "")


@pytest.mark.parametrize("name", ["../missing", "../source/f"])
def test_what_is_no_directory_is_refused(trees: Path, name: str) -> None:
    with pytest.raises(FileError, match="--temp-dir"):
        StagingArea(Destination(os.fsencode(trees / "dest")), name, "")


def test_a_link_where_files_are_to_be_staged_is_refused(trees: Path) -> None:
    destination = Destination(os.fsencode(trees / "dest"))
    area = StagingArea(destination, "../temporary", "")
    (own,) = (trees / "temporary").iterdir()
    area.close()
    own.symlink_to(trees / "source")
    with pytest.raises(FileError, match="--temp-dir"):
        StagingArea(destination, "../temporary", "")


def test_a_dry_run_makes_nothing(trees: Path) -> None:
    area = StagingArea(Destination(os.fsencode(trees / "dest"), is_dry_run=True), "../temporary", "")
    assert area.leftovers() == []
    area.close()
    assert list((trees / "temporary").iterdir()) == []
