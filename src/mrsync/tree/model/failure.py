"""Describe what went wrong with one path, for the report at the end of a run."""

from __future__ import annotations

import errno
import os

from mrsync.escaping import escape_controls
from mrsync.tuples import NamedTuple

BROKEN_LINK = "it is a soft link that leads nowhere"  # ENOLINK stands for this; to the system it is a severed one


class Failure(NamedTuple):
    """`action` failed at `path` (relative to the root) with `errno`, and at `others` more paths in the same way."""

    errno: int
    path: bytes
    action: str
    others: int = 0

    @classmethod
    def of(cls, error: OSError, path: bytes, action: str) -> Failure:
        """Return the failure of an action on a path, such as "delete", that ended with this error of the system."""
        return cls(error.errno or 0, path, action)

    @property
    def sentence(self) -> str:
        """Return the message: the action, the path with unprintable bytes escaped, and the system's reason."""
        reason = BROKEN_LINK if self.errno == errno.ENOLINK else os.strerror(self.errno)
        return f"cannot {self.action} {printable(self.path)}: {reason}"

    @property
    def folded_action(self) -> str:
        """Return the action and the number of other paths where it failed."""
        return f"{self.action}, nor that of {self.others} more" if self.others else self.action


# What the system says of a path that leads to another kind of file than before, or to nothing.
_GONE = {
    errno.ENOENT: "it vanished",
    errno.ENOTDIR: "a directory above it was replaced",
    errno.ELOOP: "a soft link is in its place",
    errno.ENXIO: "it was replaced",
    errno.ESTALE: "",  # of Changed, which says more
}


class Fault(NamedTuple):
    """The reason why a file of the source is not cast as it was scanned.

    is_unreadable: it is there, but cannot be read; else it vanished or changed.
    """

    reason: str
    is_unreadable: bool = False

    @classmethod
    def of(cls, error: OSError) -> Fault:
        """Return the reason for an error met in reading a file of the source."""
        return cls(_GONE.get(error.errno or 0) or error.strerror or str(error), error.errno not in _GONE)


class Changed(OSError):
    """Raised when a file is no longer as it was scanned; the only argument says how it differs."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ESTALE, reason)


def printable(path: bytes) -> str:
    """Return a path as text that is safe to print: valid UTF-8 as it is, backslash escapes for the rest."""
    return escape_controls(path or b".")
