"""Refer to one entry of any kind for calls that change attributes, never following a link."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_PIN = os.O_PATH | os.O_CLOEXEC


class Handle:
    """One entry, given by a descriptor or a path. All methods raise OSError.

    follows: follow the last component of the path. It must be followed if it is an O_PATH descriptor below /proc.
    """

    def __init__(self, target: int | bytes, *, follows: bool = True) -> None:
        self._target = target
        self._follows = follows

    def status(self) -> os.stat_result:
        found: os.stat_result = self._call(os.stat)
        return found

    def chown(self, uid: int, gid: int) -> None:
        """Change owner and group; as in os.chown, -1 leaves one unchanged."""
        self._call(os.chown, uid, gid)

    def chmod(self, mode: int) -> None:
        """Change the mode. Not for soft links."""
        os.chmod(self._target, mode)

    def utime(self, access_ns: int, change_ns: int) -> None:
        self._call(os.utime, ns=(access_ns, change_ns))

    def xattr_names(self) -> list[bytes]:
        return list(map(os.fsencode, self._call(os.listxattr)))

    def xattr(self, name: bytes) -> bytes:
        value: bytes = self._call(os.getxattr, name)
        return value

    def set_xattr(self, name: bytes, value: bytes) -> None:
        self._call(os.setxattr, name, value)

    def remove_xattr(self, name: bytes) -> None:
        self._call(os.removexattr, name)

    def _call(self, function: Callable[..., Any], *arguments: object, **more: object) -> Any:
        return function(self._target, *arguments, follow_symlinks=self._follows, **more)


class Opened(Handle):
    """An entry with an ordinary descriptor. It avoids all overhead, because every staged file needs one."""

    def __init__(self, fd: int) -> None:
        super().__init__(fd)
        self._fd = fd

    def status(self) -> os.stat_result:
        return os.fstat(self._fd)

    def chown(self, uid: int, gid: int) -> None:
        os.fchown(self._fd, uid, gid)

    def chmod(self, mode: int) -> None:
        os.fchmod(self._fd, mode)

    def utime(self, access_ns: int, change_ns: int) -> None:
        os.utime(self._fd, ns=(access_ns, change_ns))


class _Beside(Handle):
    """A name in an open directory, for hosts without /proc.

    Not all calls take a directory's descriptor, so the working directory is changed for a moment.
    """

    def __init__(self, directory_fd: int, name: bytes) -> None:
        super().__init__(name, follows=False)
        self._directory_fd = directory_fd
        self._name = name

    def chmod(self, mode: int) -> None:
        if stat.S_ISLNK(self.status().st_mode):
            raise OSError("a soft link has no mode of its own")
        os.chmod(self._name, mode, dir_fd=self._directory_fd)

    def _call(self, function: Callable[..., Any], *arguments: object, **more: object) -> Any:
        here = os.open(".", os.O_PATH | os.O_CLOEXEC)
        try:
            os.fchdir(self._directory_fd)
            try:
                return super()._call(function, *arguments, **more)
            finally:
                os.fchdir(here)
        finally:
            os.close(here)


def entry_in(directory_fd: int, name: bytes) -> Handle:
    """Return a handle of a name in an open directory. Every call looks up the name again."""
    if _has_proc():
        return Handle(b"/proc/self/fd/%d/%s" % (directory_fd, name), follows=False)
    return _Beside(directory_fd, name)


@contextmanager
def pinned(directory_fd: int, name: bytes, *, follows: bool = False) -> Iterator[Handle]:
    """Yield a handle of the entry that has this name now, even if another entry takes the name meanwhile.

    directory_fd: descriptor of its directory. follows: of what a soft link leads to. The entry is opened with O_PATH,
    which needs no permission to read and cannot block. Without /proc the handle looks up the name again.
    """
    fd = os.open(name, _PIN if follows else _PIN | os.O_NOFOLLOW, dir_fd=directory_fd)
    try:
        yield Handle(b"/proc/self/fd/%d" % fd) if _has_proc() else _Beside(directory_fd, name)
    finally:
        os.close(fd)


@cache
def _has_proc() -> bool:
    return os.path.exists("/proc/self/fd")
