"""What a target reads and keeps of its records."""

from __future__ import annotations

from pathlib import Path

import pytest

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
