"""./run soak: random trees, changes, options and faults from one seed, on four targets, for an hour.

After each round without a fault all trees must be equal, nothing may be left behind, and `mrsync verify` must say so.
In rounds with a fault, whoever is not named must be equal. --seed N repeats the same trees, options and faults, as far
as timing allows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.faults.scene import Broken
from tests.netns.fleet import Fleet
from tests.netns.lab import Host, Lab, run
from tests.netns.subnets import namespace_shell
from tests.netns.test_networks import start_mrsync
from tests.programs import program

TARGETS = 4
STUCK_S = 300.0
BUSY = ("--connect-timeout", "120")  # the soak shares its machine
OPTIONS = (
    (), (), ("--delta",), ("--commit", "each"), ("--commit", "job"), ("--checksum",), ("--sparse",), ("--no-encrypt",),
    ("-z",), ("--relay", "auto"), ("--durable",), ("--unicast",), ("--trust-targets",), ("--rate", "3M"),
)  # fmt: skip


class Soak:
    """One master, four targets, and a tree that changes."""

    def __init__(self, lab: Lab, folder: Path, chance: random.Random) -> None:
        self.chance = chance
        self.fleet = Fleet(lab, folder)
        self.lab = lab
        self.fleet.source.mkdir()
        for host in lab.targets:
            dest = folder / host.address
            dest.mkdir()
            self.fleet.dest(host).symlink_to(dest)

    def round(self) -> str:
        """Change the tree, sync with or without a fault; raise Broken for a wrong end."""
        for _ in range(self.chance.randrange(1, 30)):
            self._change()
        options = self.chance.choice(OPTIONS)
        fault = self.chance.choice(("none", "none", "kill", "stop", "unplug", "lose", "master"))
        caster = start_mrsync(
            self.fleet, self._names(), "--report", str(self.fleet.report_path), "-w", "20", *BUSY, *options
        )
        striker = threading.Timer(self.chance.random() * 2, self._strike, [fault, self.chance.choice(self.lab.targets)])
        striker.start()
        status = caster.wait(timeout_s=STUCK_S)
        striker.join()
        self._heal()
        told = f"{' '.join(options) or 'plain'}, {fault}: status {status}"
        if fault == "master":
            return told + self._repair()
        if fault == "none" and status:
            raise Broken(f"{told}: {caster.output}")
        complaint = str(self.fleet.report().get("complaint"))
        wrong = [host for host in self.lab.targets if host.name in self.fleet.differences()]
        if wrong and (status in (0, 24) or not all(self._is_named(host, complaint) for host in wrong)):
            raise Broken(f"{told}: {[host.name for host in wrong]} differ, said: {caster.output}")
        return told + self._repair()

    def _is_named(self, host: Host, complaint: str) -> bool:
        return "10.77" in complaint or self.fleet.report()["targets"][host.address]["state"] != "done"

    def _repair(self) -> str:
        """Sync without faults: all is equal, nothing is left, and the records prove it."""
        caster = start_mrsync(self.fleet, self._names(), "--report", str(self.fleet.report_path), *BUSY)
        if caster.wait(timeout_s=STUCK_S):
            raise Broken(f"the next sync fails: {caster.output}")
        if differences := self.fleet.differences():
            raise Broken(f"after the next sync: {differences}")
        folder = self.fleet.source.parent
        if left := [path for host in self.lab.targets for path in (folder / host.address).rglob(".mrsync-*")]:
            raise Broken(f"left behind: {left[0]}")
        shell = namespace_shell(self.lab, folder)
        command = program(
            "mrsync", "verify", "-r", shell, "-m", ",".join(self._names()), "-t", folder / "{host}", "--json", *BUSY
        )
        verified = self.lab.master.run(*command)
        if verified.returncode:
            raise Broken(f"verify: {verified.stdout} {verified.stderr}")
        unproven = sum(target["verdict"]["unproven"] for target in json.loads(verified.stdout)["targets"].values())
        return f", repaired, {unproven} files unproven"

    def _names(self) -> list[str]:
        return [host.address for host in self.lab.targets]

    def _change(self) -> None:
        """Make, change, rename, link or remove something."""
        source, chance = self.fleet.source, self.chance
        there = sorted(path for path in source.rglob("*"))
        files = [path for path in there if path.is_file() and not path.is_symlink()]
        name = source / f"d{chance.randrange(4)}" / f"n{chance.randrange(40)}"
        changes: list[Callable[[], object]] = [
            lambda: _write(name, chance.randbytes(chance.choice((0, 5, 5000, 300_000, 3_000_000))))
        ]
        if files:
            old = chance.choice(files)
            changes += [
                old.unlink,
                lambda: old.chmod(chance.choice((0o600, 0o644, 0o755))),
                lambda: os.link(old, name),
                lambda: old.rename(name),
                lambda: name.symlink_to(old.name),
                lambda: _scribble(old, chance),
            ]
        name.parent.mkdir(exist_ok=True)
        try:
            chance.choice(changes)()
        except FileExistsError:
            name.unlink()

    def _strike(self, fault: str, host: Host) -> None:
        if fault in ("kill", "stop", "master"):
            number = signal.SIGSTOP if fault == "stop" else signal.SIGKILL
            where = self.lab.master if fault == "master" else host
            self._signal(where, number)
        elif fault == "unplug":
            host.unplug()
        elif fault == "lose":
            host.lose(0.2, up=0.2)
        if fault in ("stop", "unplug"):
            time.sleep(3)
            self._heal()

    def _heal(self) -> None:
        for host in self.lab.targets:
            host.lose()
            host.plug()
            self._signal(host, signal.SIGCONT)

    def _signal(self, host: Host, number: signal.Signals) -> None:
        for pid in run("ip", "netns", "pids", host.namespace).split():
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(int(pid), number)


def _write(path: Path, data: bytes) -> None:
    """Give a file this content. A link is replaced: a chain of them may lead to itself."""
    path.unlink(missing_ok=True)
    path.write_bytes(data)


def _scribble(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.seek(chance.randrange(max(1, path.stat().st_size)))
        file.write(chance.randbytes(100))


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run soak")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--rounds", type=int, default=1 << 30)
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mrsync-soak-") as folder, Lab(TARGETS) as lab:
        os.environ["XDG_STATE_HOME"] = folder
        soak = Soak(lab, Path(folder), random.Random(options.seed))
        number = 0
        while time.monotonic() < end and number < options.rounds:
            number += 1
            try:
                print(f"round {number}: {soak.round()}", flush=True)
            except Broken as error:
                print(f"round {number}: BROKEN: {error}", flush=True)
                return 1
    print(f"{number} rounds, all equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
