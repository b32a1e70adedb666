"""The commands of README and docs, run as they stand there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.docs.blocks import Block, marked_blocks
from tests.netns.conftest import MakeLab, _requirement, make_lab
from tests.netns.lab import Host, Lab
from tests.netns.process import Process
from tests.programs import program
from tests.remote.estate import Estate, missing_program
from tests.support.waiting import HANG_S
from tests.trees import differences, remove_tree
from tests.whole.site import write_files

__all__ = ["_requirement", "make_lab"]  # fixtures

PROGRAMS = ("mrsync", "multicaster", "multicatcher", "rtt", "trFilelist")
FUNCTIONS = {"trFilelist": "tr_filelist"}
GROUPS = """\
[Main]
default: local
[local]
map: [ "$GROUP" = racks ] && echo node[1-2]
"""
NODES = ("node1", "node2", "node3")


def install(folder: Path) -> Path:
    """Return a new directory with the programs of this working tree."""
    folder.mkdir()
    for name in PROGRAMS:
        words = program(FUNCTIONS.get(name, name))
        (folder / name).write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in words) + ' "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("block", marked_blocks("local"), ids=lambda block: block.name)
def test_commands_for_one_machine(block: Block, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "PATH": f"{install(tmp_path / 'bin')}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=home, env=environment, capture_output=True, text=True, timeout=HANG_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


class Nodes(Estate):
    """A lab for documents: node1 to node3 behind sshd, and a master with a key, groups and a source in /srv/data.

    All of them have the programs.
    """

    def __init__(self, lab: Lab, folder: Path, programs: Path) -> None:
        super().__init__(lab, folder)
        self.programs = programs
        self.own = folder / "master"
        named = list(zip(lab.targets, NODES, strict=True))
        with (folder / "hosts").open("a") as hosts:
            hosts.writelines(f"{host.address} {name}\n" for host, name in named)
        (self.own / ".ssh").mkdir(parents=True, mode=0o700)
        host_key = (self.keys / "host.pub").read_text()
        (self.own / ".ssh/known_hosts").write_text("".join(f"{name} {host_key}" for name in NODES))
        shutil.copy(self.keys / "user", self.own / ".ssh/id_ed25519")
        (self.own / "groups.conf").write_text(GROUPS)
        (self.own / "passwd").write_text(f"root:x:0:0:root:{self.own}:/bin/sh\n")
        self.srv("master").mkdir()
        write_files(self.srv("master") / "data", {"index": 2000, "images/large": 300_000, "images/small": 10})
        for host in lab.targets:
            self.srv(host.name).mkdir(parents=True)
            self.serve(host)
            shutil.copytree(programs, folder / host.name / "bin", dirs_exist_ok=True)

    def srv(self, host: str) -> Path:
        """Return what /srv is on this host, seen from here."""
        return self.folder / f"{host}-srv"

    def _within(self, host: Host) -> str:
        return super()._within(host) + f"mount --bind {self.srv(host.name)} /srv && "

    def run(self, script: str) -> Process:
        """Start a shell script on the master, with an agent for its ssh."""
        path = self.own / "script"
        path.write_text(script)
        binds = {self.folder / "hosts": "/etc/hosts", self.own / "passwd": "/etc/passwd", self.srv("master"): "/srv"}
        mounts = [f"mount --bind {at} {place}" for at, place in binds.items()]
        environment = f"HOME={self.own} CLUSTERSHELL_CFGDIR={self.own} PATH={self.programs}:$PATH"
        start = f"exec env {environment} ssh-agent bash -euo pipefail {path}"
        return self.lab.master.start("sh", "-c", " && ".join([*mounts, f"cd {self.own}", start]))


@pytest.mark.netns
@pytest.mark.parametrize("block", marked_blocks("hosts"), ids=lambda block: block.name)
def test_commands_for_several_hosts(block: Block, make_lab: MakeLab, tmp_path: Path) -> None:
    if (missing := missing_program()) is not None:
        pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="mrsync-nodes-"))
    folder.chmod(0o755)
    try:
        nodes = Nodes(make_lab(3), folder, install(tmp_path / "bin"))
        run = nodes.run(block.text)
        assert run.wait() == 0, run.output
        received = [tree for host in nodes.lab.targets if (tree := nodes.srv(host.name) / "data").exists()]
        assert [differences(nodes.srv("master") / "data", tree) for tree in received] == [[] for _ in received]
    finally:
        remove_tree(folder)
