"""The traces that staging leaves: directory times, and a destination that was not there; wiped if all is called off."""

from __future__ import annotations

import os
from contextlib import suppress

from mrsync.tree.staging.stage import UNWANTED, Stage


class Traces:
    """Remembers how the directories were in which files are about to be staged; made before the first of them is."""

    def __init__(self, stage: Stage) -> None:
        self._destination = stage.destination
        self._times: dict[int, tuple[int, int]] = {}  # directory entry -> times of access and change, in ns
        self.add(stage)

    def add(self, stage: Stage) -> None:
        """Remember the same for another stage; what is known already was before all staging."""
        parents = stage.manifest.parents
        entries = (entry for entry, state in zip(stage.plan.entries, stage.states) if state != UNWANTED)
        homes = {0, *(stage.home(parent) for parent in {parents[entry] for entry in entries})}  # 0: of the journal
        for home in homes.difference(self._times):
            status = os.fstat(self._destination.directories.open(home))
            self._times[home] = (status.st_atime_ns, status.st_mtime_ns)

    def wipe(self) -> None:
        """When nothing is staged any more: all as it was."""
        directories = self._destination.directories
        for home, times in self._times.items():
            with suppress(OSError):  # gone, or no longer ours
                os.utime(directories.open(home), ns=times)
        if self._destination.is_new:
            with suppress(OSError):
                os.rmdir(self._destination.path)
