"""A host that has joined the group, and holds no key: what it sends is counted, and changes nothing."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from mrsync.run.settings import GROUPS
from tests.netns.conftest import MakeLab
from tests.netns.fleet import Fleet
from tests.netns.intruder import TOLD
from tests.netns.lab import Host
from tests.netns.process import Process
from tests.trees import build_awkward_tree

pytestmark = pytest.mark.netns

MEGABYTE = 1 << 20
PROGRAM = Path(__file__).with_name("intruder.py")
PORT = 8888
REPLAYER = PROGRAM.with_name("replayer.py")
REPLAYS_S = 1000  # each from two sources, to one or two places
FORGERIES_S = 500  # a tenth of what the link of these sessions carries
REPAIRED_MAX = 0.05  # of all that is sent
POISONED_MAX = 5  # packets that one forged packet makes the master repeat; a page has 44


@pytest.fixture
def fleet(make_lab: MakeLab, tmp_path: Path) -> Fleet:
    """Two targets; a third host is the intruder's."""
    lab = make_lab(3)
    return Fleet(lab, tmp_path, lab.targets[:2])


def intruder_in(fleet: Fleet) -> Host:
    return fleet.lab.targets[2]


def intrude(fleet: Fleet, trick: str, *recording: str | Path) -> Process:
    """Start the intruder, and wait until it listens."""
    host = intruder_in(fleet)
    arguments = (GROUPS.ipv4, PORT, host.address, trick, FORGERIES_S, *recording)
    intruder = host.start(sys.executable, PROGRAM, *map(str, arguments))
    intruder.wait_for("ready")
    return intruder


def plain_tree(path: Path, size: int) -> None:
    path.mkdir()
    (path / "big").write_bytes(os.urandom(size))


def rejected(fleet: Fleet) -> int:
    return sum(target["packets_rejected"] for target in fleet.report()["targets"].values())


@pytest.mark.parametrize("trick", ["bent", "replayed", "relabelled", "forged", "spoofed"])
def test_intruder_cannot_end_or_change_anything(fleet: Fleet, trick: str) -> None:
    build_awkward_tree(fleet.source, seed=5)
    (fleet.source / "big").write_bytes(os.urandom(3 * MEGABYTE))
    intruder = intrude(fleet, trick)
    catchers = fleet.start_catchers()
    assert fleet.cast("--rate", "3M") == 0
    intruder.wait_for("sent")
    assert [catcher.wait() for catcher in catchers] == [0, 0]
    assert fleet.differences() == {}
    assert rejected(fleet) > 0 or trick == "spoofed"


def test_recordings_of_an_earlier_session_capture_no_waiting_catcher(fleet: Fleet, tmp_path: Path) -> None:
    """Both sessions have the same key; what was authentic then is authentic now."""
    plain_tree(fleet.source, MEGABYTE)
    recording = tmp_path / "recording"
    listener = intrude(fleet, "listen", recording)
    fleet.start_catchers()
    assert fleet.cast() == 0
    fleet.start_catchers()
    assert fleet.cast("--delete") == 0
    listener.close()
    (fleet.source / "big").write_bytes(os.urandom(4 * MEGABYTE))
    catchers = fleet.start_catchers()
    intruder = intrude(fleet, "replayed", recording, fleet.lab.master.address)
    intruder.wait_for("sent")
    caster = fleet.start_caster("--rate", "4M")
    assert caster.wait() == 0, caster.output
    assert [catcher.wait() for catcher in catchers] == [0, 0]
    assert fleet.differences() == {}


def test_replays_after_the_master_is_started_again_are_rejected(fleet: Fleet, tmp_path: Path) -> None:
    """The key file, the group and the ports are the same. All that was sent comes again, in every part of the run."""
    plain_tree(fleet.source, 2 * MEGABYTE)
    recording = tmp_path / "recording"
    recorder = fleet.lab.master.start(sys.executable, REPLAYER, "record", recording)
    recorder.wait_for("ready")
    catchers = fleet.start_catchers()
    assert fleet.cast("--rate", "4M") == 0
    assert [catcher.wait() for catcher in catchers] == [0, 0]
    recorder.close()
    sources = {bytes.fromhex(line)[12:16] for line in recording.read_text().split()}
    assert sources == {socket.inet_aton(host.address) for host in (fleet.lab.master, *fleet.targets)}

    (fleet.source / "big").write_bytes(os.urandom(4 * MEGABYTE))
    again = ("replay", recording, str(REPLAYS_S), GROUPS.ipv4, str(PORT))
    replayer = intruder_in(fleet).start(sys.executable, REPLAYER, *again)
    early = fleet.start_catcher(fleet.targets[0])
    replayer.wait_for("round 1")  # only a target is there
    caster = fleet.start_caster("--rate", "4M")
    replayer.wait_for("round 2")  # the master gathers its targets, and one is missing
    late = fleet.start_catcher(fleet.targets[1])
    assert caster.wait() == 0, caster.output
    assert [early.wait(), late.wait()] == [0, 0]
    assert fleet.differences() == {}
    report = fleet.report()
    assert report["datagrams_rejected"] > 0
    assert all(target["state"] == "done" and target["packets_rejected"] > 0 for target in report["targets"].values())


@pytest.mark.parametrize(("trick", "loss"), [("forged", 0.01), ("spoofed", 0.0)])
def test_forged_pages_poison_little(fleet: Fleet, trick: str, loss: float) -> None:
    """What the master repeats is bounded by what is lost and by what is forged, however long the session takes."""
    plain_tree(fleet.source, 5 * MEGABYTE)
    for host in fleet.targets:
        host.lose(loss)
    intruder = intrude(fleet, trick)
    fleet.start_catchers()
    assert fleet.cast("--rate", "7M") == 0
    intruder.wait_for("sent")
    intruder.signal(signal.SIGTERM)
    intruder.wait()
    assert fleet.differences() == {}
    report = fleet.report()
    forged = int(intruder.output.split()[-1]) + TOLD if trick == "spoofed" else 0
    repaired, sent = report["packets_repaired"], report["packets_sent"]
    print(f"repaired: {repaired} of {sent} packets; {forged} were forged with the master's address")
    assert repaired <= REPAIRED_MAX * sent + POISONED_MAX * forged
