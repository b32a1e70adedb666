"""Flush a whole file system to disk (syncfs(2))."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any


def flush_file_system(fd: int) -> None:
    """Return when all changes of the file system of an open file are on disk. Raise OSError if that failed.

    Names, attributes and contents alike. Kernels before 5.8 do not report errors.
    """
    libc = _c_library()
    if libc is None:
        os.sync()
    elif libc.syncfs(fd):
        import ctypes

        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _c_library() -> Any:
    """Return the C library if it can be called and has syncfs, else None."""
    with suppress(ImportError, OSError):
        import ctypes  # rarely needed, and not everywhere

        library = ctypes.CDLL(None, use_errno=True)
        return library if hasattr(library, "syncfs") else None
    return None
