"""A master and three targets in a lab, with a sync under way that something is about to break."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.netns.fleet import Fleet
from tests.netns.lab import Host, Lab, run
from tests.netns.process import Process
from tests.netns.test_networks import start_mrsync

MEGABYTE = 1 << 20
STATED_S = 300.0
SMALL = 20


class Broken(AssertionError):
    """A promise was not kept."""


class Scene:
    """Targets have an old tree, and are about to get a new one."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.fleet = Fleet(lab, folder)
        self.lab = lab
        self.hosts = lab.targets
        self.stricken: set[Host] = set()  # hosts that may miss something
        self._known: dict[str, set[str]] = {}  # name -> digests of contents that a file may have
        for host in self.hosts:
            dest = folder / host.address
            dest.mkdir(exist_ok=True)
            self.fleet.dest(host).symlink_to(dest)
        self.change()

    def dest(self, host: Host) -> Path:
        return self.fleet.source.parent / host.address

    def change(self, size: int = 6 * MEGABYTE) -> None:
        """Give the source other contents, and keep in mind what targets may have."""
        source = self.fleet.source
        source.mkdir(exist_ok=True)
        for name, length in (("big", size), *((f"small-{number}", 3000) for number in range(SMALL))):
            data = os.urandom(length)
            (source / name).write_bytes(data)
            self._known.setdefault(name, set()).add(hashlib.sha256(data).hexdigest())

    def start(self, *options: str) -> Process:
        """Start a sync of three seconds, and wait until contents are cast."""
        limits = ("--rate", "2M", "-w", "60", "--progress", "json", "--report", str(self.fleet.report_path))
        caster = start_mrsync(self.fleet, [host.address for host in self.hosts], *limits, *options)
        caster.wait_for('"phase": "casting"', timeout_s=STATED_S)
        time.sleep(0.5)
        return caster

    def sync(self, *options: str) -> int:
        """Sync without haste or trouble; return the status."""
        options = ("--report", str(self.fleet.report_path), *options)
        process = start_mrsync(self.fleet, [host.address for host in self.hosts], *options)
        return process.wait(timeout_s=STATED_S)

    def ended(self, caster: Process) -> str:
        """Wait for the end of a sync; return what its report says."""
        status = caster.wait(timeout_s=STATED_S)
        report = self.fleet.report()
        bad = {name: target for name, target in report["targets"].items() if target["state"] != "done"}
        named = {host.address for host in self.hosts if host.address in str(report.get("complaint"))} | set(bad)
        wrong = set(self.fleet.differences())
        silent = {host.name for host in self.hosts if host.name in wrong and host.address not in named}
        told = "of the source could not be read" in str(report.get("complaint"))
        if (silent and not told) or (wrong and status in (0, 24)):
            raise Broken(f"{', '.join(sorted(wrong))} differ, and the report does not say so: {report['complaint']}")
        states = [f"{self._name(name)} {target['state']}" for name, target in bad.items()]
        complaint = [self._named(report["complaint"])] if report.get("complaint") else []
        return "; ".join([f"status {status}", *complaint, *states])

    def _name(self, address: str) -> str:
        return next(host.name for host in self.hosts if host.address == address)

    def _named(self, text: str) -> str:
        for host in self.hosts:
            text = text.replace(host.address, host.name)
        return text.replace("10.77.0.[11-13]", "t[1-3]").replace("10.77.0.[12-13]", "t[2-3]")

    def check_contents(self) -> None:
        """Raise Broken if a file on a target is neither an old nor a new one, whole."""
        for host in self.hosts:
            for name, digests in self._known.items():
                path = self.dest(host) / name
                if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() not in digests:
                    raise Broken(f"{host.name}: {name} is torn")

    def check_recovery(self) -> None:
        """Raise Broken if another run does not make all trees equal, and leave nothing behind."""
        if status := self.sync():
            raise Broken(f"the next run ends with status {status}")
        if differences := self.fleet.differences():
            raise Broken(f"after the next run: {differences}")
        for host in self.hosts:
            if left := [path.name for path in self.dest(host).rglob(".mrsync-*")]:
                raise Broken(f"{host.name}: {left[0]} was left behind")

    def processes(self, host: Host) -> list[int]:
        return [int(pid) for pid in run("ip", "netns", "pids", host.namespace).split()]

    def signal(self, host: Host, number: signal.Signals) -> None:
        """Send a signal to all that runs on a host."""
        for pid in self.processes(host):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, number)

    @contextmanager
    def small_disk(self, host: Host, options: str) -> Iterator[None]:
        """Give a target a disk of its own, with what it has."""
        dest = self.dest(host)
        run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(dest))
        try:
            yield
        finally:
            run("umount", "-l", str(dest))
