"""Confine a target's threads to the directories that its session may change."""

from __future__ import annotations

import os

from mrsync.files import NAMED, absolute
from mrsync.run.catch.record_keeper import RecordKeeper
from mrsync.run.sandbox import Sandbox
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.policy import Policy
from mrsync.tree.staging.homes import StagingArea


def confine(
    sandbox: Sandbox,
    destination: Destination,
    policy: Policy,
    area: StagingArea | None,
    record_keeper: RecordKeeper | None,
) -> None:
    """Restrict the calling thread to changes below the destination, and below what else the session writes to."""
    directories = [os.dup(destination.root_fd)]
    if destination.removals.backups is not None and destination.removals.backups.outside_path:
        directories.append(open_deepest(destination.removals.backups.outside_path))
    if record_keeper is not None and record_keeper.fd >= 0:
        directories.append(os.dup(record_keeper.fd))
    emptied = [open_deepest(os.path.dirname(absolute(destination.path)))] if destination.is_new else []
    if area is not None and area.fd >= 0:
        directories.append(os.dup(area.fd))
        emptied.append(os.dup(area.above_fd))
    linked = destination.alternates.root_fds if destination.alternates is not None and policy.link_dests else []
    sandbox.confine(directories, emptied, linked, makes_devices=policy.devices, sets_xattrs=policy.keeps_attributes)
    for directory in directories + emptied:
        os.close(directory)


def open_deepest(path: bytes) -> int:
    """Open the deepest existing directory of a path. Missing directories will be made below it."""
    while True:
        try:
            return os.open(path, os.O_PATH | os.O_DIRECTORY | NAMED)
        except (FileNotFoundError, NotADirectoryError):
            path = os.path.dirname(path)
