"""Something happens at the k-th system call: the process is killed, the call fails, or somebody was quicker."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mrsync.tree.staging import durability

CALLS = (
    *("open", "close", "dup", "stat", "lstat", "fstat", "fstatvfs", "access", "listdir", "scandir", "readlink"),
    *("read", "pread", "readv", "pwrite", "pwritev", "writev", "lseek", "ftruncate", "sendfile", "fsync", "fdatasync"),
    *("rename", "link", "symlink", "unlink", "mkdir", "rmdir", "mknod", "chmod", "fchmod", "chown", "fchown", "utime"),
    *("listxattr", "getxattr", "setxattr", "removexattr"),
    *("preadv", "statvfs", "fchdir", "posix_fadvise", "posix_fallocate"),
)
PLACES: tuple[tuple[Any, str], ...] = (
    *((os, name) for name in CALLS),
    *((fcntl, name) for name in ("flock", "fcntl", "ioctl")),
    (durability, "flush_file_system"),  # where it is called: the C library does it
)
Event = Callable[[str, tuple[Any, ...], dict[str, Any]], None]


class SystemCalls:
    """Counts the system calls while it is `watching`; before the k-th, event(name, arguments, more) is called.

    What the event raises, the call raises; a descriptor that was to be closed is closed all the same. paused: calls
    are not counted.
    """

    def __init__(self, k: int = 0, event: Event = lambda name, arguments, more: None) -> None:
        self.count = 0
        self._k = k
        self._event = event
        self._is_paused = False

    @contextmanager
    def watching(self) -> Iterator[SystemCalls]:
        real = [(place, name, getattr(place, name)) for place, name in PLACES]
        for place, name, function in real:
            setattr(place, name, self._wrapped(name, function))
        try:
            yield self
        finally:
            for place, name, function in real:
                setattr(place, name, function)

    @contextmanager
    def paused(self) -> Iterator[None]:
        before, self._is_paused = self._is_paused, True
        try:
            yield
        finally:
            self._is_paused = before

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            if not self._is_paused:
                self.count += 1
                if self.count == self._k:
                    with self.paused():
                        try:
                            self._event(name, arguments, more)
                        except OSError:
                            if name == "close":
                                real(*arguments)
                            raise
            return real(*arguments, **more)

        return call
