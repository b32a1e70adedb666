"""Find out where directories really are: a directory has several paths if it is mounted several times.

The device number does not show which mount a directory is in: a btrfs subvolume has its own device but is not a mount,
and a bind mount has no new device.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress

from mrsync.c_library import c_library
from mrsync.tuples import NamedTuple

TABLE = "/proc/self/mountinfo"
_OCTAL = re.compile(rb"\\([0-7]{3})")
_AT_EMPTY_PATH = 0x1000
_STATX_MNT_ID = 0x1000
_STATX_BYTES, _MASK_AT, _MNT_ID_AT = 256, 0, 144  # of struct statx


class MountedPath(NamedTuple):
    """A directory, identified by its file system (major:minor) and its path there, without a trailing slash."""

    device: bytes
    path: bytes

    def contains(self, other: MountedPath) -> bool:
        """Return whether the other place is this one, or below it."""
        return self.device == other.device and (other.path + b"/").startswith(self.path + b"/")


class Mounts:
    """The mounts of this process: pairs of mount point and MountedPath, later ones on top. Without /proc, just one."""

    def __init__(self) -> None:
        try:
            with open(TABLE, "rb") as file:
                lines = file.read().split(b"\n")[:-1]  # a mount point may contain other line breaks
        except OSError:
            lines = []
        # After chroot(), the mount that contains the root may not be listed.
        self._mounts = [(b"", MountedPath(b"", b"")), *map(_parsed, lines)]

    def place(self, path: bytes) -> MountedPath:
        """Return the place of a path; missing components are appended to the existing ones."""
        real = os.path.realpath(path).rstrip(b"/")
        holding = [mount for mount in self._mounts if _is_below(real, mount[0])]
        longest = max((len(point) for point, _ in holding), default=0)
        point, place = [mount for mount in holding if len(mount[0]) == longest][-1]
        return MountedPath(place.device, place.path + real[len(point) :])

    def below(self, path: bytes) -> list[MountedPath]:
        """Return the places that are mounted below a path."""
        real = os.path.realpath(path).rstrip(b"/")
        return [place for point, place in self._mounts if point != real and _is_below(point, real)]

    def points_below(self, path: bytes) -> frozenset[bytes]:
        """Return the mount points below a path, relative to it."""
        real = os.path.realpath(path).rstrip(b"/")
        return frozenset(
            point[len(real) + 1 :] for point, _ in self._mounts if point != real and _is_below(point, real)
        )


def mount_id(fd: int) -> int:
    """Return the ID of the mount in which a descriptor is open, or its device number if the kernel reports none."""
    with suppress(OSError), open(f"/proc/self/fdinfo/{fd}", "rb") as lines:
        for line in lines:
            if line.startswith(b"mnt_id:"):
                return int(line[7:])
    return _statx_mount_id(fd)


def _statx_mount_id(fd: int) -> int:
    """Return the ID by statx(2), which the standard library lacks."""
    library = c_library("statx")
    if library is not None:
        import ctypes

        status = ctypes.create_string_buffer(_STATX_BYTES)
        failed = library.statx(fd, b"", _AT_EMPTY_PATH, _STATX_MNT_ID, status)
        mask = int.from_bytes(status.raw[_MASK_AT : _MASK_AT + 4], sys.byteorder)
        if not failed and mask & _STATX_MNT_ID:
            return int.from_bytes(status.raw[_MNT_ID_AT : _MNT_ID_AT + 8], sys.byteorder)
    return os.fstat(fd).st_dev


def _is_below(path: bytes, above: bytes) -> bool:
    return (path + b"/").startswith(above + b"/")


def _parsed(line: bytes) -> tuple[bytes, MountedPath]:
    """Parse a line of /proc/pid/mountinfo (see proc(5)). Return mount point and place."""
    device, root, point = line.split(b" ")[2:5]
    return _unescaped(point), MountedPath(device, _unescaped(root))


def _unescaped(path: bytes) -> bytes:
    return _OCTAL.sub(lambda found: bytes([int(found.group(1), 8)]), path).rstrip(b"/")
