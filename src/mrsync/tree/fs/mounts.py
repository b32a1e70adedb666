"""Find out where directories really are: a directory has several paths if it is mounted several times."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

TABLE = "/proc/self/mountinfo"
_OCTAL = re.compile(rb"\\([0-7]{3})")


class MountedPath(NamedTuple):
    """A directory, identified by its file system (major:minor) and its path there, without a trailing slash."""

    device: bytes
    path: bytes

    def contains(self, other: MountedPath) -> bool:
        """Return whether the other is the same place, or below it."""
        return self.device == other.device and (other.path + b"/").startswith(self.path + b"/")


class Mounts:
    """The mounts of this process: pairs of mount point and MountedPath, later ones on top. Without /proc, just one."""

    def __init__(self) -> None:
        try:
            with open(TABLE, "rb") as file:
                lines = file.read().splitlines()
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


def _is_below(path: bytes, above: bytes) -> bool:
    return (path + b"/").startswith(above + b"/")


def _parsed(line: bytes) -> tuple[bytes, MountedPath]:
    """Parse a line of /proc/pid/mountinfo (see proc(5)). Return mount point and place."""
    device, root, point = line.split(b" ")[2:5]
    return _unescaped(point), MountedPath(device, _unescaped(root))


def _unescaped(path: bytes) -> bytes:
    return _OCTAL.sub(lambda found: bytes([int(found.group(1), 8)]), path).rstrip(b"/")
