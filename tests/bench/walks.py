"""python -m tests.bench.walks: the modules that the bytes of a page pass through, from the source's disk to the rename.

A reader who follows a page has to enter these modules. They are found by a real sync to one target on this host: the
call stacks at the calls that move the bytes are recorded, in all threads and in the forked catcher.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from mrsync.cli import main

SOURCE = Path(main.__file__).parents[1]
# Built-in functions that move the bytes: read, seal, send, receive, open, write, rename.
MOVERS = frozenset({"pread", "encrypt", "decrypt", "sendmsg", "recvmsg_into", "pwritev", "pwrite", "rename"})
# These are on every stack, because they start programs and hand out work, or move messages and the record of the run.
FRAME = (
    "cli/",
    "remote/",
    "run/bootstrap.py",
    "run/cast/cast.py",
    "run/catch/catch.py",
    "run/catch/record_keeper.py",
    "run/launch.py",
    "transport/blocking.py",  # reads /proc
    "transport/loop.py",
    "transport/worker.py",
    "tree/record/",
    "wire/formats/session.py",
)


class Walk:
    """A profile function (see sys.setprofile) that marks each module on a recorded stack.

    The marks are in memory that forks share, because the catcher closes its descriptors and may write only to DEST.
    """

    def __init__(self) -> None:
        self._numbers = {str(path): number for number, path in enumerate(sorted(SOURCE.rglob("*.py")))}
        self._marks = mmap.mmap(-1, len(self._numbers))

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "c_call" or argument.__name__ not in MOVERS:
            return
        caller: FrameType | None = frame
        while caller is not None:
            number = self._numbers.get(caller.f_code.co_filename)
            if number is not None:
                self._marks[number] = 1
            caller = caller.f_back

    def modules(self) -> list[str]:
        """Return the marked modules, without those of FRAME."""
        marked = [Path(name).relative_to(SOURCE) for name, number in self._numbers.items() if self._marks[number]]
        return [str(path) for path in marked if not str(path).startswith(FRAME)]


def walked(folder: Path) -> list[str]:
    """Sync one file to a target on this host, and return the modules that its bytes passed through."""
    source, dest = folder / "source", folder / "dest"
    source.mkdir()
    dest.mkdir()
    (source / "file").write_bytes(os.urandom(1 << 20))
    walk = Walk()
    threading.setprofile(walk)
    sys.setprofile(walk)
    try:
        status = main.run_command(
            "mrsync", main._mrsync, ["-r", "local", "-m", "a", "-s", str(source), "-t", str(dest)]
        )
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    if status:
        raise SystemExit(status)
    return walk.modules()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        modules = walked(Path(name))
    print(*modules, f"{len(modules)} modules", sep="\n")
