"""A fault and a round of the soak, so that both keep working; all of them by `./run faults` and `./run soak`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.__main__ import BEGIN, DOCUMENT, END
from tests.faults.cases import FAULTS
from tests.faults.scene import Scene
from tests.faults.soak import TARGETS, Soak
from tests.netns.conftest import MakeLab, _requirement, make_lab

__all__ = ["_requirement", "make_lab"]  # fixtures


@pytest.mark.netns
def test_a_killed_target_is_named_and_the_others_get_everything(make_lab: MakeLab, tmp_path: Path) -> None:
    scene = Scene(make_lab(3), tmp_path)
    said = FAULTS["target-killed"].strike(scene)
    assert "t1 lost" in said
    scene.check_contents()
    scene.check_recovery()


@pytest.mark.netns
def test_a_round_of_the_soak(make_lab: MakeLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    assert "repaired" in Soak(make_lab(TARGETS), tmp_path, random.Random(seed)).round()


def test_the_table_has_every_fault_and_none_is_broken() -> None:
    table = DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]
    assert [row.split(" | ")[0].lstrip("| ") for row in table.splitlines()[2:]] == [
        fault.what for fault in FAULTS.values()
    ]
    assert "BROKEN" not in table
