"""Call functions of the C library that the standard library lacks. They are always a gain and never a need.

A host may forbid it in several ways: a build of Python has no ctypes, or no C library that is loaded at run time; a C
library lacks a function; SELinux denies memory that can be executed (execmem), which `import ctypes` of some versions
takes and answers with MemoryError.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from typing import Any


def c_library(*needed: str) -> Any:
    """Return the C library if it can be called and has the needed functions, else None.

    Loaded at the first call, which takes some 3 ms.
    """
    library = _loaded()
    return library if all(hasattr(library, name) for name in needed) else None


def last_failure() -> OSError:
    """Return why the last call of this thread failed, for the caller to raise or to report."""
    import ctypes

    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


@cache
def _loaded() -> Any:
    with suppress(ImportError, OSError, MemoryError):
        import ctypes

        return ctypes.CDLL(None, use_errno=True)
    return None
