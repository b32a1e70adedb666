"""Reuse or remove what earlier sessions staged and did not commit.

A staged file is adopted only if three things hold. The journal's note is about the same source file: equal path, size,
mtime, ctime and inode, so its bytes are those that would be sent now. The open staged file is the one that the journal
describes (`JournalNote.is_about`). And the session that wrote it is over: two sessions must never write to one file,
so a journal that is locked is waited for, for RUNNING_WAIT_S at most, and otherwise left alone.

The candidate with the most bytes is taken first, because several earlier sessions may have staged the same file. All
checks and the takeover work on one open descriptor, so a file that is swapped in between is not adopted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from operator import itemgetter

from mrsync.files import open_regular
from mrsync.ranges import Range, clipped, merged, total, without
from mrsync.tree.destination.destination import Destination
from mrsync.tree.fs.directories import TEMP_DIR
from mrsync.tree.fs.temporary_names import NO_FILE, parsed
from mrsync.tree.model.failure import Failure
from mrsync.tree.model.manifest import Manifest
from mrsync.tree.staging.journal_reader import JournalNote, JournalReader, Running, may_run, read_notes
from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staged_files import WAITING, WHOLE
from mrsync.tuples import NamedTuple

SESSION_DIGITS = 16  # the part of a tag that names the session; a suffix marks its second round
RUNNING_WAIT_S = 2.0  # enough for a catcher to notice that its master was killed
_LOOK_S = 0.05
_ACTIVITY_FILES = 100


class Offer(NamedTuple):
    """A staged file of an earlier session that this session could use."""

    bytes_held: int
    directory: int
    name: bytes
    file: int  # of this session's plan
    note: JournalNote


class StaleFiles:
    """The temporary files of earlier sessions: staged files, unfinished links and journals.

    names: (directory entry, name) of each, as found by the comparison. Files of a running session are not touched.
    on_activity: called with the number of files looked at.
    """

    def __init__(
        self,
        destination: Destination,
        manifest: Manifest,
        names: Iterable[tuple[int, bytes]],
        on_activity: Callable[[int], None] = lambda entries: None,
    ) -> None:
        self._destination = destination
        self._manifest = manifest
        self._on_activity = on_activity
        self._found: dict[bytes, list[tuple[int, bytes, int]]] = {}
        for directory, name in names:
            temporary = parsed(name)
            if temporary is not None:
                self._found.setdefault(temporary.tag, []).append((directory, name, temporary.file))

    def adopt(self, stage: Stage) -> dict[int, list[Range]]:
        """Take over staged files whose source file is unchanged and whose notes are valid.

        Return, for each incomplete file, the spans of its bytes that are staged.
        """
        offers = [offer for tag, found in self._found.items() for offer in self._offers(tag, found, stage)]
        offers.sort(key=itemgetter(0), reverse=True)
        held: dict[int, list[Range]] = {}
        for turn, offer in enumerate(offers):
            if stage.states[offer.file] == WAITING:
                with suppress(OSError):  # on failure the file is sent again
                    self._take(stage, offer, held)
            if turn % _ACTIVITY_FILES == 0:
                self._on_activity(_ACTIVITY_FILES)
        return held

    def bytes_staged(self) -> int:
        """Return how many bytes are staged, whether or not this session could use them."""
        count = 0
        for found in self._found.values():
            for directory, name, number in found:
                if number != NO_FILE:
                    with suppress(OSError):  # its session may run
                        status = os.stat(
                            name, dir_fd=self._destination.directories.open(directory), follow_symlinks=False
                        )
                        count += min(status.st_size, 512 * status.st_blocks)
        return count

    def remove(self) -> list[Failure]:
        """Remove the temporary files of all sessions that are over. Return the failures."""
        failures: list[Failure] = []
        for tag, found in self._found.items():
            if may_run(self._destination.root_fd, tag[:SESSION_DIGITS]):
                continue
            for directory, name, _ in found:
                try:
                    self._destination.directories.change(directory, partial(_unlink, name))
                except FileNotFoundError:
                    continue  # it was adopted, for example
                except OSError as error:
                    path = name if directory == TEMP_DIR else os.path.join(self._manifest.path(directory), name)
                    failures.append(Failure.of(error, path, "delete"))
        return failures

    def _notes(self, tag: bytes) -> JournalReader | None:
        """Return the notes of a session; wait up to RUNNING_WAIT_S for it to end."""
        deadline = time.monotonic() + RUNNING_WAIT_S
        while True:
            try:
                return read_notes(self._destination.root_fd, tag)
            except Running:
                if time.monotonic() > deadline:
                    return None
            self._on_activity(1)
            time.sleep(_LOOK_S)

    def _offers(self, tag: bytes, found: list[tuple[int, bytes, int]], stage: Stage) -> Iterable[Offer]:
        notes = self._notes(tag)
        if notes is None:
            return
        wanted = _wanted(stage)
        for directory, name, number in found:
            note = notes.find(number) if number != NO_FILE else None
            if note is not None:
                file = wanted.get((note.inode, note.ctime, note.name), -1)
                if file >= 0 and _is_of(note, stage, file):
                    yield Offer(note.bytes_held, directory, name, file, note)

    def _take(self, stage: Stage, offer: Offer, held: dict[int, list[Range]]) -> None:
        directories = self._destination.directories
        fd = _opened(directories.open(offer.directory), offer.name)
        try:
            note = offer.note
            if not note.is_about(fd):
                return
            if not stage.manifest.policy.sparse and os.fstat(fd).st_size < note.end:
                return
            is_complete = note.is_whole or not without(stage.plan.data_of(offer.file), note.pieces)
            if note.is_cloned and not is_complete and offer.file in stage.plan.extents:
                return  # only data is sent, so bytes of the clone would remain where the source has holes
            if not is_complete:
                os.fchmod(fd, 0o600)  # it will be written to again
            stage.take_over(offer.file, offer.directory, offer.name, fd, note.pieces, is_cloned=note.is_cloned)
            if is_complete:
                stage.complete(offer.file, fd)
            else:
                held[offer.file] = note.pieces
        finally:
            os.close(fd)


def missing_pages(
    stage: Stage, needs: Iterable[Range], held: Mapping[int, Sequence[Range]], page_bytes: int
) -> list[Range]:
    """Return the ranges [a, b) of pages with bytes that are needed and not yet staged.

    needs: ranges of manifest entries. held: for each incomplete plan file, the spans of its bytes that are staged.
    A page that is requested is written completely, including bytes that are already held, so the stage is told how
    many bytes of each held file to expect. page_bytes: size of a page.
    """
    plan = stage.plan
    starts = plan.starts
    needed = merged((starts[plan.first_file(first)], starts[plan.first_file(end)]) for first, end in needs)
    here = [(starts[file], starts[file + 1]) for file, state in enumerate(stage.states) if state == WHOLE]
    for file, spans in held.items():
        here += plan.place_of(file, spans)
    pages = merged((first // page_bytes, -(-end // page_bytes)) for first, end in without(needed, merged(here)))
    coming = [(first * page_bytes, end * page_bytes) for first, end in pages]
    for file in held:
        stage.expect(file, total(clipped(coming, starts[file], starts[file + 1])))
    return pages


def _unlink(name: bytes, directory_fd: int) -> None:
    os.unlink(name, dir_fd=directory_fd)


def _wanted(stage: Stage) -> dict[tuple[int, int, bytes], int]:
    """Map (inode, ctime, name) in the source to the plan files that this session waits for."""
    plan, names = stage.plan, stage.manifest.names
    keys = zip(plan.inodes, plan.ctimes, map(names.__getitem__, plan.entries))
    return {key: file for file, key in enumerate(keys) if stage.states[file] == WAITING}


def _is_of(note: JournalNote, stage: Stage, file: int) -> bool:
    """Return whether the note is about exactly the source file that is planned."""
    manifest, entry = stage.manifest, stage.plan.entries[file]
    return (
        note.size == manifest.sizes[entry]
        and note.mtime == manifest.mtimes[entry]
        and note.directory == manifest.path(manifest.parents[entry])
    )


def _opened(directory_fd: int, name: bytes) -> int:
    try:
        return open_regular(name, directory_fd, os.O_RDWR)
    except PermissionError:
        return open_regular(name, directory_fd)
