"""What a target reads and keeps of its records."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mrsync.run.bootstrap import WARNING
from mrsync.tree.model.policy import Policy
from mrsync.tree.record.record import Record
from tests.support.one_target import OneTarget


@pytest.mark.parametrize(("others", "decoded"), [(0, 0), (1, 1)])
def test_an_old_record_is_decoded_only_if_something_of_it_still_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: int, decoded: int
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    source, dest = tmp_path / "source", tmp_path / "dest"
    (source / "sub").mkdir(parents=True)
    dest.mkdir()
    (source / "sub" / "file").write_text("old")
    (source / "empty").touch()
    for number in range(others):
        (source / f"other{number}").write_text("the same")
    assert OneTarget(source, dest, Policy(), keeps_record=True).run().is_clean
    (source / "sub" / "file").write_text("new contents")
    found: list[bytes] = []
    decode = Record.decode

    def spy(data: bytes) -> Record:
        found.append(data)
        return decode(data)

    monkeypatch.setattr(Record, "decode", spy)
    assert OneTarget(source, dest, Policy(), session=2, keeps_record=True).run().is_clean
    assert len(found) == decoded


def make_link(place: Path) -> None:
    place.symlink_to("/etc/passwd")


def make_endless(place: Path) -> None:
    with place.open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(os.mkfifo, "it is not a regular file"), (make_link, "Too many levels of symbolic links"), (make_endless, "")],
)
def test_nothing_in_the_place_of_a_record_stops_a_sync(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    make: Callable[[Path], None],
    reason: str,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    dest.mkdir()
    for name in ("same", "other"):
        (source / name).write_text(name)
    assert OneTarget(source, dest, Policy(), keeps_record=True).run().is_clean
    (place,) = (tmp_path / "state" / "mrsync").iterdir()
    place.unlink()
    make(place)
    before = place.lstat()
    (source / "other").write_text("new contents")
    assert OneTarget(source, dest, Policy(), session=2, keeps_record=True).run().is_clean
    said = capfd.readouterr().err
    assert (place.lstat() == before) is bool(reason)
    assert said == (f"{WARNING.decode()}no record of this sync is kept for mrsync verify: {reason}\n" if reason else "")
