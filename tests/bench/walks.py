"""python -m tests.bench.walks: the modules that the bytes of a page pass through, from the source's disk to the rename.

A reader who follows a page has to enter these modules. They are found by a real sync to one target on this host: the
call stacks at the calls that move or check the bytes are recorded, in all threads and in the forked catcher. Pages are
signed, as in a sync over ssh; local targets, which are of the same user, do without otherwise.
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

import mrsync
from mrsync.cli.settings.options import parse_mrsync
from mrsync.run.cast.cast import cast
from mrsync.run.observer import Notice, Snapshot
from mrsync.run.stop import Stop
from mrsync.wire.seals.signing import SEED_BYTES

SOURCE = Path(mrsync.__file__).parent
# Built-in functions that move the bytes: read, digest, seal, send, receive, open, write, rename.
MOVERS = frozenset({
    "pread", "sha256", "openssl_sha256", "encrypt", "decrypt", "sendmsg", "recvmsg_into", "pwritev", "pwrite", "rename",
})  # fmt: skip
# These are on every stack, because they start programs and hand out work, or move messages and notes about pages.
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
    "transport/sessions.py",
    "transport/worker.py",
    "tree/record/",
    "tree/staging/journal.py",
    "tree/staging/notes.py",
    "wire/formats/session.py",
    "wire/seals/signing.py",
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


class Nobody:
    """An observer that shows nothing."""

    due_at = None

    def on_notice(self, notice: Notice) -> None: ...

    def on_snapshot(self, snapshot: Snapshot) -> None: ...


def walked(folder: Path) -> list[str]:
    """Sync one file to a target on this host, and return the modules that its bytes passed through."""
    source, dest = folder / "source", folder / "dest"
    source.mkdir()
    dest.mkdir()
    (source / "file").write_bytes(os.urandom(1 << 20))
    words = ["-r", "local", "-m", "a", "-s", str(source), "-t", str(dest)]
    settings = parse_mrsync(words)[0]._replace(signing_seed=os.urandom(SEED_BYTES))
    walk = Walk()
    threading.setprofile(walk)
    sys.setprofile(walk)
    try:
        outcome = cast(settings, Nobody(), Stop())
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    if outcome.exit_status:
        raise SystemExit(f"the sync failed with {outcome.exit_status}")
    return walk.modules()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        modules = walked(Path(name))
    print(*modules, f"{len(modules)} modules", sep="\n")
