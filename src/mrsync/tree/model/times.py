"""Decide when two times count as equal, and which times every file system can hold."""

from __future__ import annotations

from mrsync.tree.model.manifest import SECOND_NS
from mrsync.tree.model.policy import Policy

COARSEST_NS = 2 * SECOND_NS  # granularity of FAT; times further apart are different
_SAFE_S = (1 << 29, 1 << 31)  # 1987 to 2038: every file system has these times


def is_kept_time(wanted_ns: int, found_ns: int) -> bool:
    """Return whether a file system may report the second time after the first was set, because of its precision."""
    return abs(wanted_ns - found_ns) < COARSEST_NS


def is_safe_time(time_ns: int) -> bool:
    """Return whether every file system can hold a time, up to its granularity."""
    return _SAFE_S[0] <= time_ns // SECOND_NS < _SAFE_S[1]


def file_window(policy: Policy) -> int:
    """Return the window within which file times are left alone; like rsync, none if contents were compared."""
    return -1 if policy.checksum else policy.modify_window


def is_same_time(one_ns: int, other_ns: int, window: int) -> bool:
    """Return whether two times are at most `window` seconds apart, as rsync's --modify-window says.

    one_ns, other_ns: since 1970. window: 0: they must be in the same second; below 0: in the same nanosecond.
    """
    if window < 0:
        return one_ns == other_ns
    return abs(one_ns // SECOND_NS - other_ns // SECOND_NS) <= window
