"""Refuse to delete most of a target, because then the source is probably the wrong one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from mrsync.errors import FileError
from mrsync.tree.compare.result import Comparison
from mrsync.tree.destination.destination import Destination
from mrsync.tree.model.failure import DELETION_REFUSED

UNGUARDED = 100  # so many entries may always be deleted


def check_deletions(destination: Destination, comparison: Comparison, on_activity: Callable[[int], None]) -> None:
    """Raise FileError if more than half of a target's entries are to be deleted, and more than UNGUARDED."""
    staying = comparison.listed - len(comparison.extraneous)
    going = 0
    for directory, name in comparison.extraneous:
        with suppress(OSError):  # the deletion itself reports the error
            going += destination.count_going(directory, name)
        on_activity(1)
    if going > max(UNGUARDED, staying):
        raise FileError(
            f"{DELETION_REFUSED} {going} of {going + staying} entries; if that is meant, give --delete or --max-delete"
        )
