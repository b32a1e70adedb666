"""The verifier on a target: read the record and the tree, report what differs, change nothing."""

from __future__ import annotations

import os
import threading
import time
from functools import lru_cache

from mrsync.errors import ExitStatus, MrsyncError, ProtocolDataError, ProtocolVersionError
from mrsync.run.bootstrap import run_program
from mrsync.run.sandbox import Sandbox
from mrsync.run.settings import CatchSettings
from mrsync.run.verify.findings import Pulse, TreeVerdict, VerifierFinding, encode_finding
from mrsync.tree.fs.descriptors import raise_descriptor_limit
from mrsync.tree.fs.state_directory import state_directory
from mrsync.tree.model.failure import printable
from mrsync.tree.record.record import Record
from mrsync.tree.record.store import Store
from mrsync.tree.record.verification import verify
from mrsync.wire.seals.proofs import Prover, prover_of

THREADS_MAX = 8
PULSE_S, PULSE_SHARE = 2.0, 20  # between pulses: the first ones, and later this part of the time so far
NO_RECORD = (
    "no record of a sync is kept for this user here; sync the whole tree first, verify as the same user (--sudo)"
)
NO_PLACE = "no record of a sync can be kept: this user cannot write to {}; allow that, then sync the whole tree"


def verify_here(settings: CatchSettings) -> int:
    """Verify the destination; return the exit status."""
    raise_descriptor_limit()
    sandbox = Sandbox()
    sandbox.enter()
    threading.Thread(target=_end_with_the_master, daemon=True).start()
    sandbox.confine([], makes_devices=False, sets_xattrs=False)
    result = _verify(settings.dest)
    _tell(result)
    return ExitStatus.OK if not result.problem and not result.differences else ExitStatus.PARTIAL


def _verify(dest: bytes) -> TreeVerdict:
    """Verify a tree and report its differences."""
    began = time.monotonic()
    try:
        store = Store(dest, makes=False)
        found = store.read()
    except FileNotFoundError:
        return TreeVerdict(problem=_why_no_record(dest))
    except OSError as error:
        return TreeVerdict(problem=f"cannot read {os.fsdecode(state_directory())}: {error.strerror}")
    if found is None:
        return TreeVerdict(problem=_why_no_record(dest))
    # A sync that changes nothing reads no more of a record than its beginning, and keeps it.
    remedy = f"remove {os.fsdecode(store.place)} there and sync again"
    try:
        record = Record.decode(found[0])
    except MrsyncError as error:
        return TreeVerdict(problem=f"{error}; {remedy}")
    return _compared(dest, record, found[1], remedy, began)


def _compared(dest: bytes, record: Record, at: float, remedy: str, began: float) -> TreeVerdict:
    """Compare a tree with its record.

    at: the time of the sync. remedy: what to do if the record cannot be used. began: time.monotonic() at the start.
    """
    try:
        threads = min(THREADS_MAX, len(os.sched_getaffinity(0)))
        with _Pulses() as pulses:
            verified = verify(dest, record, _check, threads, pulses.add)
    except (ProtocolDataError, ProtocolVersionError) as error:  # another version of mrsync has written it
        return TreeVerdict(problem=f"in the record of the last sync {error}; {remedy}")
    except MrsyncError as error:
        return TreeVerdict(problem=str(error))
    except OSError as error:
        return TreeVerdict(problem=f"cannot read the destination: {error.strerror}")
    for difference in verified.differences:
        _tell(difference)
    return TreeVerdict(
        manifest=record.digest.hex(),
        at=at,
        entries=verified.entries,
        files=verified.files,
        bytes=verified.bytes,
        unproven=verified.unproven,
        differences=verified.count,
        seconds=round(time.monotonic() - began, 3),
        tree=verified.tree,
    )


class _Pulses:
    """Send the master a pulse from time to time, but only if something was looked at since the last one.

    Pulses become rarer with time, because a launcher passes on no more than 1000 lines.
    """

    def __init__(self) -> None:
        self._looked_at = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._tell)

    def __enter__(self) -> _Pulses:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def add(self, count: int) -> None:
        """Note that this much was looked at. Callable from any thread; of two calls at once, one may be lost."""
        self._looked_at += count

    def _tell(self) -> None:
        began, told = time.monotonic(), 0
        while not self._is_over.wait(max(PULSE_S, (time.monotonic() - began) / PULSE_SHARE)):
            if self._looked_at != told:
                told = self._looked_at
                _tell(Pulse(told))


def _why_no_record(dest: bytes) -> str:
    """Return why there is no record: there is no tree, a catcher of this user could not write one, or none has."""
    try:
        os.stat(dest)
    except OSError as error:
        return f"cannot read the destination {printable(dest)}: {error.strerror}"
    directory = os.path.abspath(os.fsdecode(state_directory()))
    while not os.path.lexists(directory):
        directory = os.path.dirname(directory)
    return NO_RECORD if os.access(directory, os.W_OK | os.X_OK) else NO_PLACE.format(directory)


def _check(terms: str, page: int, data: bytes, proof: bytes) -> bool:
    return _prover(threading.get_ident(), terms).check(page, data, proof)


@lru_cache(maxsize=256)
def _prover(thread: int, terms: str) -> Prover:
    """Return a prover for one thread, as ciphers are not shared among threads. Raise MrsyncError."""
    try:
        return prover_of(terms)
    except ValueError as error:
        raise MrsyncError(f"the proofs of the record cannot be checked here: {error}") from error


def _tell(finding: VerifierFinding) -> None:
    print(encode_finding(finding), flush=True)


def _end_with_the_master() -> None:
    """Wait for the end of stdin, then end this process."""
    while os.read(0, 4096):
        pass
    os._exit(ExitStatus.INTERRUPTED)


def catch_from_stdin(target: str) -> int:
    """Run a launched verifier with parameters from stdin; return its exit status."""
    return run_program("verifier", verify_here, target)
