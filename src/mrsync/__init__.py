"""mrsync: make a directory tree on many machines equal to the one on a master, every byte sent once by multicast.

`mrsync.sync` is the Python interface; `mrsync.api` describes it.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "5.0.0.dev0"

# Where the names of the Python interface are; loaded when they are asked for, as targets have no use for them.
_PUBLIC = {
    "sync": "api",
    "Event": "api",
    "Result": "api",
    "Notice": "run.observer",
    "Snapshot": "run.observer",
    "Stop": "run.stop",
    "TargetOutcome": "run.cast.outcome",
    "TargetState": "run.cast.outcome",
    "ExitStatus": "errors",
    "MrsyncError": "errors",
    "FileError": "errors",
    "Interrupted": "errors",
    "SelectionError": "errors",
    "SocketError": "errors",
    "StartError": "errors",
    "UsageError": "errors",
}
__all__ = ["__version__", *_PUBLIC]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mrsync' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mrsync.{_PUBLIC[name]}"), name)
