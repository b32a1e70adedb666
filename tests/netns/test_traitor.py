"""A member of a session that lies with all it knows, on a real host: nobody believes it, and nothing of it is written.

MRSYNC_FORGERIES=1000000 makes so many messages; CI has time for a few thousand, and for some of the floods.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.fleet import Fleet
from tests.netns.lab import Lab
from tests.netns.test_networks import plain_tree, start_mrsync
from tests.netns.test_relays import wire_up
from tests.support.waiting import HANG_S

pytestmark = pytest.mark.netns

MEGABYTE = 1 << 20
FORGERIES = int(os.environ.get("MRSYNC_FORGERIES", "2000"))
FLOODS = (
    "knocks",
    "statuses",
    "packets",
    *(("reports", "hellos", "digests") if "MRSYNC_FORGERIES" in os.environ else ()),
)
WAIT_S = HANG_S + FORGERIES / 500


@pytest.fixture
def fleet(make_lab: MakeLab, tmp_path: Path) -> Fleet:
    """Three targets; the first one is the traitor."""
    fleet = Fleet(make_lab(3), tmp_path)
    traitor = Path(__file__).with_name("traitor.py")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "multicatcher"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {traitor} "$@"\n')
    program.chmod(0o755)
    return fleet


def betrayed(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, *options: str, is_given_up: bool = False
) -> tuple[int, int]:
    """Sync with a traitor among the targets; return how many messages and pages it made.

    is_given_up: it may be left out.
    """
    told = fleet.source.parent / "told"
    for name, value in (("TRAITOR", names(fleet.lab)[0]), ("FORGERIES", str(FORGERIES)), ("TOLD", str(told))):
        monkeypatch.setenv(name, value)
    caster = start_mrsync(fleet, names(fleet.lab), "-b", str(fleet.source.parent / "bin"), *options)
    status = caster.wait(timeout_s=WAIT_S)
    print(caster.output)
    if is_given_up:
        assert status in (0, 23, 30), caster.output
        assert set(fleet.differences()) <= {fleet.lab.targets[0].name}
    else:
        assert status == 0, caster.output
        assert fleet.differences() == {}
    messages, pages = map(int, told.read_text().split()) if told.exists() else (0, 0)
    return messages, pages


def names(lab: Lab) -> list[str]:
    return [host.address for host in lab.targets]


def test_a_lying_member_is_believed_by_nobody(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_tree(fleet.source, 4 * MEGABYTE)
    for host in fleet.lab.targets:
        (fleet.source.parent / host.address).mkdir()
        fleet.dest(host).symlink_to(fleet.source.parent / host.address)
    messages, pages = betrayed(
        fleet, monkeypatch, "--rate", str(4 * MEGABYTE * 1000 // FORGERIES), "--report", str(fleet.report_path)
    )
    assert messages >= FORGERIES // 3
    assert pages > 10
    report = fleet.report()
    others = [report["targets"][name] for name in names(fleet.lab)[1:]]
    assert all(target["packets_rejected"] > 0 and target["state"] == "done" for target in others)


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_one_member_ends_no_session(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """What it says of itself may end its own part."""
    plain_tree(fleet.source, 2 * MEGABYTE)
    for host in fleet.lab.targets:
        (fleet.source.parent / host.address).mkdir()
        fleet.dest(host).symlink_to(fleet.source.parent / host.address)
    monkeypatch.setenv("FLOOD", kind)
    began = time.monotonic()
    messages, _ = betrayed(fleet, monkeypatch, "--rate", "1M", "--ack-wait", "20", is_given_up=True)
    print(f"{messages} {kind} in {time.monotonic() - began:.1f} s")
    assert messages >= FORGERIES // 3


@pytest.mark.parametrize("lie", ["bends", "withholds", "denies", "forges"])
def test_a_relay_that_lies_harms_only_itself(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lie: str
) -> None:
    """It bends pages, withholds some and repeats others, or passes none on and says that none came.

    Or it speaks in the name of the master, its parent and its child, and repeats what they have said (ASSIGN, FEED,
    CLAIM, HOP and all others).
    """
    plain_tree(fleet.source, 4 * MEGABYTE)
    wire_up(fleet)
    told = tmp_path / "lied"
    monkeypatch.setenv("LIES_AS_RELAY", str(told))
    monkeypatch.setenv("RELAY_LIE", lie)
    monkeypatch.setattr(f"{__name__}.FORGERIES", 0)
    betrayed(fleet, monkeypatch, "--relay", "auto", "--report", str(fleet.report_path))
    assert told.exists(), "the traitor was no relay"
    targets = fleet.report()["targets"]
    fed_by = {target["parent"] for target in targets.values()}
    assert lie != "forges" or any(targets[name]["packets_rejected"] for name in names(fleet.lab)[1:])
    assert lie != "denies" or names(fleet.lab)[0] not in fed_by
