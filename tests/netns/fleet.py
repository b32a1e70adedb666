"""mrsync's own programs in a lab: one multicatcher per target, one multicaster, each host with its own tree."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.netns.lab import Host, Lab
from tests.netns.process import Process
from tests.programs import program
from tests.trees import differences

READY = r'"ready"'


class Fleet:
    """Trees below one folder: `source`, and one directory per target."""

    def __init__(self, lab: Lab, folder: Path, targets: Sequence[Host] = ()) -> None:
        self.lab = lab
        self.targets = list(targets or lab.targets)
        self.source = folder / "source"
        self._folder = folder
        self._key = folder / "key"
        self._key.write_text("the key of this test, and no other")
        self._key.chmod(0o600)

    def dest(self, host: Host) -> Path:
        return self._folder / host.name

    def start_catcher(self, host: Host, *options: str) -> Process:
        """Start a multicatcher, and wait until it listens."""
        target = str(self.targets.index(host))
        keyed = ("-t", self.dest(host), "-i", target, "--key-file", self._key)
        catcher = host.start(*program("multicatcher", *keyed, "-I", "eth0", *options))
        catcher.wait_for(READY)
        return catcher

    def start_catchers(self, *options: str) -> list[Process]:
        return [self.start_catcher(host, *options) for host in self.targets]

    def start_caster(self, *options: str, names: str = "") -> Process:
        """Start a multicaster. names: of the targets, if it is to know them by other ones."""
        keyed = (
            "-m",
            names or ",".join(host.name for host in self.targets),
            "-s",
            self.source,
            "--key-file",
            self._key,
        )
        return self.lab.master.start(
            *program("multicaster", *keyed, "-I", "eth0", "--report", self.report_path, *options)
        )

    def cast(self, *options: str) -> int:
        """Cast to the end; every target's catcher must have been started."""
        caster = self.start_caster(*options)
        status = caster.wait()
        print(caster.output)
        return status

    def report(self) -> dict[str, Any]:
        """What the last caster reported."""
        loaded: dict[str, Any] = json.loads(self.report_path.read_text())
        return loaded

    def differences(self) -> dict[str, list[str]]:
        """Targets whose tree is not the source's, and how."""
        found = {}
        for host in self.targets:
            dest = self.dest(host)
            if sentences := differences(self.source, dest) if dest.exists() else ["there is nothing"]:
                found[host.name] = sentences
        return found

    @property
    def report_path(self) -> Path:
        return self._folder / "report.json"
