"""Flush a whole file system to disk (syncfs(2))."""

from __future__ import annotations

import os

from mrsync.c_library import c_library, last_failure


def flush_file_system(fd: int) -> None:
    """Return when all changes of the file system of an open file are on disk. Raise OSError if that failed.

    Names, attributes and contents alike. Kernels before 5.8 do not report errors.
    """
    library = c_library("syncfs")
    if library is None:
        os.sync()
    elif library.syncfs(fd):
        raise last_failure()
