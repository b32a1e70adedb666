"""Find out which mount a directory is in.

The device does not tell: a btrfs subvolume has its own device but is not a mount, and a bind mount has no new device.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

_AT_EMPTY_PATH = 0x1000
_STATX_MNT_ID = 0x1000
_STATX_BYTES, _MASK_AT, _MNT_ID_AT = 256, 0, 144  # of struct statx


def mount_id(fd: int) -> int:
    """Return the ID of the mount in which a descriptor is open, or the device's number if the kernel does not tell."""
    with suppress(OSError), open(f"/proc/self/fdinfo/{fd}", "rb") as lines:
        for line in lines:
            if line.startswith(b"mnt_id:"):
                return int(line[7:])
    return _statx_mount_id(fd)


def _statx_mount_id(fd: int) -> int:
    """Return the ID by statx(2), which the standard library lacks."""
    with suppress(ImportError, OSError, AttributeError):
        import ctypes  # rarely needed, and not everywhere

        status = ctypes.create_string_buffer(_STATX_BYTES)
        failed = ctypes.CDLL(None).statx(fd, b"", _AT_EMPTY_PATH, _STATX_MNT_ID, status)
        mask = int.from_bytes(status.raw[_MASK_AT : _MASK_AT + 4], sys.byteorder)
        if not failed and mask & _STATX_MNT_ID:
            return int.from_bytes(status.raw[_MNT_ID_AT : _MNT_ID_AT + 8], sys.byteorder)
    return os.fstat(fd).st_dev
