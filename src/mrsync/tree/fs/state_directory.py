"""The directory of records of syncs: where it is, and how trees that contain it leave it alone."""

from __future__ import annotations

import os

STATE_NAME = b"mrsync"


def state_directory() -> bytes:
    """Return the directory of records: in $XDG_STATE_HOME, else in /var/lib for root, in ~/.local/state for others."""
    base = os.environb.get(b"XDG_STATE_HOME", b"")
    if not os.path.isabs(base):
        base = b"/var/lib" if os.geteuid() == 0 else os.path.expanduser(b"~/.local/state")
    return os.path.join(base, STATE_NAME)


def position_in(root: bytes) -> list[bytes]:
    """Return the names that lead from a directory to the records, if they are inside of it; else nothing."""
    above, below = os.path.join(os.path.realpath(root), b""), os.path.realpath(state_directory())
    return below[len(above) :].split(b"/") if below.startswith(above) else []


def is_state_directory(parent_fd: int, name: bytes) -> bool:
    """Return whether a name in an open directory leads to the records of this host."""
    if name != STATE_NAME:
        return False
    try:
        return os.path.samestat(os.stat(state_directory()), os.stat(name, dir_fd=parent_fd, follow_symlinks=False))
    except OSError:
        return False
