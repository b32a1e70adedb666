"""What went wrong with one path, told to the user at the end of a run."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from mrsync.escaping import escape_controls

DELETION_REFUSED = "refuses to delete"  # begins the reason of a target that would lose most of what it has


class Failure(NamedTuple):
    """`action` failed at `path` (relative to the root) with `errno`, and at so many `others` alike."""

    errno: int
    path: bytes
    action: str
    others: int = 0

    @property
    def sentence(self) -> str:
        """What to print: the action, the path with odd bytes escaped, the system's reason."""
        return f"cannot {self.action} {printable(self.path)}: {os.strerror(self.errno)}"

    @property
    def folded_action(self) -> str:
        """The action, and how many others it is the same with."""
        return f"{self.action}, nor that of {self.others} more" if self.others else self.action


# What the system says of a path that leads to another kind of file than before, or to nothing.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ESTALE)


class Fault(NamedTuple):
    """Why a file of the source is not cast as it was scanned.

    is_unreadable: it is there, but cannot be read; else it vanished or changed.
    """

    reason: str
    is_unreadable: bool = False

    @classmethod
    def of(cls, error: OSError) -> Fault:
        """What an attempt to read a file of the source has met."""
        return cls(error.strerror or str(error), error.errno not in _GONE)


class Changed(OSError):
    """A file is no longer what was scanned; the only argument says in what way."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ESTALE, reason)


def printable(path: bytes) -> str:
    """A path as text that no terminal can misread: UTF-8 where it is, backslash escapes for the rest."""
    return escape_controls(path or b".")
