"""Something happens at the k-th system call: the process is killed, the call fails, or somebody was quicker."""

from __future__ import annotations

import _pyio  # type: ignore[import-not-found]
import builtins
import ctypes
import fcntl
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mrsync import c_library
from mrsync.tree.fs import extents
from mrsync.tree.model import status_table

CALLS = (
    *("open", "close", "dup", "stat", "lstat", "fstat", "fstatvfs", "access", "listdir", "readlink"),
    *("read", "pread", "readv", "pwrite", "pwritev", "writev", "write", "lseek", "ftruncate", "sendfile", "fsync"),
    *("rename", "link", "symlink", "unlink", "mkdir", "rmdir", "mknod", "chmod", "fchmod", "chown", "fchown", "utime"),
    *("listxattr", "getxattr", "setxattr", "removexattr", "fdatasync", "replace", "truncate", "copy_file_range"),
    *("preadv", "statvfs", "fchdir", "posix_fadvise", "posix_fallocate", "urandom"),
)
OF_C = ("statx", "fallocate", "fallocate64", "syncfs")  # called by ctypes
PLACES: tuple[tuple[Any, str], ...] = (
    *((os, name) for name in CALLS if hasattr(os, name)),
    *((fcntl, name) for name in ("flock", "fcntl", "ioctl")),
)
Event = Callable[[str, tuple[Any, ...], dict[str, Any]], None]


class SystemCalls:
    """Counts the system calls while it is `watching`; before the k-th, event(name, arguments, more) is called.

    What the event raises, the call raises; a descriptor that was to be closed is closed all the same. Objects of files
    call `os` meanwhile, and so do loops over a directory. paused: calls are not counted.
    """

    def __init__(self, k: int = 0, event: Event = lambda name, arguments, more: None) -> None:
        self.count = 0
        self._k = k
        self._event = event
        self._is_paused = False

    @contextmanager
    def watching(self) -> Iterator[SystemCalls]:
        changes: list[tuple[Any, str, Any]] = [
            *((place, name, self._wrapped(name, getattr(place, name))) for place, name in PLACES),
            *((place, "open", _pyio.open) for place in (builtins, io)),
            (os, "scandir", self._scandir(os.scandir)),
            (ctypes, "CDLL", self._library_class(ctypes.CDLL)),
        ]
        real = [(place, name, getattr(place, name)) for place, name, _ in changes]
        for place, name, function in changes:
            setattr(place, name, function)
        _forget_functions()
        try:
            yield self
        finally:
            for place, name, function in real:
                setattr(place, name, function)
            _forget_functions()

    @contextmanager
    def paused(self) -> Iterator[None]:
        before, self._is_paused = self._is_paused, True
        try:
            yield
        finally:
            self._is_paused = before

    def _note(self, name: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> None:
        if self._is_paused:
            return
        self.count += 1
        if self.count == self._k:
            with self.paused():
                self._event(name, arguments, more)

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            try:
                self._note(name, arguments, more)
            except OSError:
                if name == "close":
                    real(*arguments)
                raise
            return real(*arguments, **more)

        return call

    def _scandir(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Each step of the loop may read the directory, and so may be the call."""
        note = self._note

        class Entries:
            def __init__(self, folder: Any) -> None:
                note("scandir", (folder,), {})
                self._folder = folder
                self._entries = real(folder)

            def __enter__(self) -> Entries:
                return self

            def __exit__(self, *_: object) -> None:
                self._entries.close()

            def __iter__(self) -> Entries:
                return self

            def __next__(self) -> Any:
                note("getdents", (self._folder,), {})
                return next(self._entries)

        return Entries

    def _library_class(self, real: type[ctypes.CDLL]) -> type[ctypes.CDLL]:
        """The C library, whose functions return -1 where the event raises."""
        note = self._note

        class Library(real):  # type: ignore[misc, valid-type]
            def __init__(self, *arguments: Any, **more: Any) -> None:
                super().__init__(*arguments, **more)
                pointer = self._FuncPtr  # type: ignore[has-type]

                class Function(pointer):  # type: ignore[misc, valid-type]
                    _flags_, _restype_ = pointer._flags_, pointer._restype_

                    def __call__(self, *arguments: Any) -> Any:
                        if self.__name__ in OF_C:
                            try:
                                note(self.__name__, arguments, {})
                            except OSError as error:
                                ctypes.set_errno(error.errno or 0)
                                return -1
                        return super().__call__(*arguments)

                self._FuncPtr = Function

        return Library


def _forget_functions() -> None:
    """What modules keep of the C library."""
    c_library._loaded.cache_clear()
    extents._fallocate.cache_clear()
    status_table._per_thread = threading.local()
