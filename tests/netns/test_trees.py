"""Whole trees to hosts that differ, come late, are slow or small; with every seal, at every loss."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.netns.conftest import MakeLab
from tests.netns.fleet import READY, Fleet
from tests.programs import program
from tests.trees import build_awkward_tree, differences, remove_tree

pytestmark = pytest.mark.netns

MEGABYTE = 1 << 20
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Gone at the end, whatever lies in it; everybody may enter."""
    path = Path(tempfile.mkdtemp(prefix="mrsync-netns-"))
    path.chmod(0o755)
    yield path
    remove_tree(path)


def fill(tree: Path, size: int, *, files: int = 1) -> None:
    tree.mkdir(exist_ok=True)
    for number in range(files):
        (tree / f"f{number}").write_bytes(os.urandom(size))


@pytest.mark.parametrize(("seal", "loss", "files"), [("--encrypt", 0.01, 1000), ("--no-encrypt", 0.0, 100)])
def test_thousands_of_entries_of_every_kind(
    make_lab: MakeLab, folder: Path, seal: str, loss: float, files: int
) -> None:
    fleet = Fleet(make_lab(4), folder)
    build_awkward_tree(fleet.source, seed=5, file_count=files)
    for host in fleet.lab.targets:
        host.lose(loss, up=loss)
    catchers = fleet.start_catchers()
    assert fleet.cast(seal) == 0
    assert [catcher.wait() for catcher in catchers] == [0] * 4
    assert fleet.differences() == {}
    assert fleet.report()["entries"] > files
    assert (fleet.report()["bytes_repaired"] > 0) == (loss > 0)

    fleet.start_catchers()
    assert fleet.cast(seal) == 0
    report = fleet.report()
    assert (report["files_planned"], report["pages_sent"]) == (0, 0)
    assert {target["changes"] + target["deleted"] for target in report["targets"].values()} == {0}


def test_targets_that_each_differ_in_another_way(make_lab: MakeLab, folder: Path) -> None:
    fleet = Fleet(make_lab(4), folder)
    build_awkward_tree(fleet.source, seed=6, file_count=300)
    fleet.start_catchers()
    assert fleet.cast() == 0
    first, second, third, fourth = map(fleet.dest, fleet.lab.targets)
    remove_tree(first)
    build_awkward_tree(first, seed=7)
    shutil.rmtree(second / "random")
    (second / "random").symlink_to("/etc")
    (third / "times" / "sub-second").write_bytes(b"other contents")
    (third / "extra").mkdir()
    (third / "extra" / "file").write_bytes(b"to go")
    (fourth / "names" / "plain").chmod(0o777)
    os.utime(fourth / "links", ns=(1, 1))
    for host in fleet.lab.targets:
        host.lose(0.01)
    fleet.start_catchers()
    assert fleet.cast() == 0
    assert fleet.differences() == {}
    targets = fleet.report()["targets"]
    assert targets["t1"]["files_needed"] > 100
    assert [targets[name]["files_updated"] for name in ("t3", "t4")] == [1, 0]


def test_interfaces_are_found_by_the_route(make_lab: MakeLab, folder: Path) -> None:
    lab = make_lab(2)
    fleet = Fleet(lab, folder)
    fill(fleet.source, MEGABYTE)
    keyed = ("--key-file", folder / "key")
    for number, host in enumerate(lab.targets):
        catcher = host.start(*program("multicatcher", "-t", fleet.dest(host), "-i", number, *keyed))
        catcher.wait_for(READY)
    addresses = ",".join(host.address for host in lab.targets)
    caster = lab.master.start(*program("multicaster", "-m", addresses, "-s", fleet.source, *keyed))
    assert caster.wait() == 0, caster.output
    assert fleet.differences() == {}


def test_without_a_route_there_is_one_sentence(make_lab: MakeLab, folder: Path) -> None:
    fleet = Fleet(make_lab(1), folder)
    fill(fleet.source, 10)
    command = program("multicaster", "-m", "192.0.2.1", "-s", fleet.source, "--insecure")
    done = fleet.lab.master.run(*command)
    assert done.returncode == 10
    assert done.stderr == "multicaster: cannot choose an interface: there is no route to 192.0.2.1\n"


def test_a_catcher_may_come_late(make_lab: MakeLab, folder: Path) -> None:
    """The caster waits for everybody, and not for -w to pass once all are there."""
    fleet = Fleet(make_lab(3), folder)
    fill(fleet.source, MEGABYTE)
    for host in fleet.lab.targets[:2]:
        fleet.start_catcher(host)
    caster = fleet.start_caster("-w", "3600", "-v", "1")
    for name in ("t1", "t2"):
        caster.wait_for(f"^{name}: joined$")
    fleet.start_catcher(fleet.lab.targets[2])
    assert caster.wait() == 0
    assert fleet.differences() == {}


def test_a_late_catcher_is_refused_with_a_reason(make_lab: MakeLab, folder: Path) -> None:
    """Its tree stays as it was: what would be cast to it was never compared with it."""
    fleet = Fleet(make_lab(2), folder)
    fill(fleet.source, 4 * MEGABYTE)
    there, late = fleet.lab.targets
    fill(fleet.dest(late), 100)
    fleet.start_catcher(there)
    caster = fleet.start_caster("-w", "3", "-v", "2", "--rate", "400K")  # it still casts when the late one comes
    caster.wait_for("^phase casting$")
    catcher = fleet.start_catcher(late)
    assert catcher.wait() == 23
    assert "refused" in catcher.output
    assert caster.wait() == 23
    assert list(fleet.differences()) == ["t2"]
    assert fleet.report()["targets"]["t2"]["state"] in ("unreachable", "refused")
    assert [path.name for path in fleet.dest(late).iterdir()] == ["f0"]
    assert (fleet.dest(late) / "f0").stat().st_size == 100


@pytest.mark.parametrize("loss", [0.0, 0.01])
def test_a_target_with_a_small_socket_buffer(make_lab: MakeLab, folder: Path, loss: float) -> None:
    """Only root may ask for more than rmem_max: somebody else gets two pages' worth, and the others wait for it."""
    fleet = Fleet(make_lab(3, has_bursts=not loss), folder)
    fill(fleet.source, 8 * MEGABYTE, files=2)
    for path in (fleet.source, *fleet.source.iterdir()):
        os.chown(path, 65534, 65534)
    small, *others = fleet.lab.targets
    fleet.dest(small).mkdir()
    os.chown(fleet.dest(small), 65534, 65534)
    own_key = folder / "own key"
    shutil.copy(folder / "key", own_key)
    os.chown(own_key, 65534, 65534)
    command = program("multicatcher", "-t", fleet.dest(small), "-i", 0, "--key-file", own_key, "-I", "eth0")
    small.start(*NOBODY, *command).wait_for(READY)
    for host in others:
        fleet.start_catcher(host)
    for host in fleet.lab.targets:
        host.lose(loss)
    assert fleet.cast() == 0
    assert fleet.differences() == {}


def test_two_masters_on_one_group_and_port(make_lab: MakeLab, folder: Path) -> None:
    """Every catcher hears both, and follows the one whose key it has."""
    lab = make_lab(4)
    masters = (lab.master, lab.targets[3])
    casters = []
    for number, master in enumerate(masters):
        source, key = folder / f"source {number}", folder / f"key {number}"
        fill(source, 4 * MEGABYTE)
        key.write_text(f"the key of master {number}")
        key.chmod(0o600)
        for target in range(2):
            dest = folder / f"dest {number} {target}"
            place = ("-t", dest, "-i", target, "-I", "eth0")
            catcher = lab.targets[target].start(*program("multicatcher", *place, "--key-file", key))
            catcher.wait_for(READY)
        cast = program("multicaster", "-m", "x,y", "-s", source, "-I", "eth0", "--key-file", key, "--rate", "8M")
        casters.append(master.start(*cast))
    assert [caster.wait() for caster in casters] == [0, 0]
    for number in range(2):
        for target in range(2):
            assert differences(folder / f"source {number}", folder / f"dest {number} {target}") == []
