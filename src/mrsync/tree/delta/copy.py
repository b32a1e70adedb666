"""Copy blocks that an old file shares with the new one into the staged file.

Nothing depends on the old file staying as it is: each block is digested in the form in which it was read for writing
(or, in a clone, as it stands in the staged file). A block counts as held only if that digest is the master's.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Container, Sequence
from contextlib import suppress

from mrsync.files import open_regular
from mrsync.ranges import Range, merged, without
from mrsync.tree.delta.blocks import GROUP_BLOCKS, Blocks, FileBlocks, block_digest, block_digests, spans_of
from mrsync.tree.delta.search import Search
from mrsync.tree.staging.stage import Stage
from mrsync.tree.staging.staged_files import STARTED, WAITING
from mrsync.tuples import NamedTuple

FICLONE = 0x40049409  # of ioctl: share the blocks of another file; the standard library has no name for it

Pieces = Sequence[tuple[int, int]]  # where a block is in its file: position and length of each piece


class Delta:
    """Fill staged files from old versions.

    page_bytes: a block is what a page has of a file. key: of the digests. on_activity: called with 1 every few
    megabytes.
    """

    def __init__(self, stage: Stage, page_bytes: int, key: bytes, on_activity: Callable[[int], None]) -> None:
        self._stage = stage
        self._page_bytes = page_bytes
        self._key = key
        self._on_activity = on_activity

    def fill(self, blocks: Blocks, held: dict[int, list[Range]], restaged: Container[int] = ()) -> None:
        """Fill the files that wait for contents with what their old versions share with them.

        blocks: digests of the new versions, by plan file. held: plan file -> spans of its bytes that are staged. It is
        updated; files that become complete are removed. restaged: entries of which only attributes differ, if their
        contents are what they seem to be.
        """
        stage = self._stage
        for file, each in blocks.items():
            is_restaged = stage.plan.entries[file] in restaged
            if is_restaged and not stage.manifest.sizes[stage.plan.entries[file]]:
                stage.unchanged[file] = None
            if stage.states[file] not in (WAITING, STARTED) or not each.digests:
                continue  # a file without data is made like any other: no page would complete it if it were begun here
            found = held.pop(file, [])
            is_restaged &= not found
            try:
                spans = self._fill_file(file, each, found)
                if spans and not without(stage.plan.data_of(file), spans):
                    stage.complete(file, stage.begin(file))
                    if is_restaged:
                        stage.unchanged[file] = None
                elif spans:
                    held[file] = spans
            except OSError:  # the disk is full, for example: the file is sent, and sat out if that fails as well
                stage.restart(file)

    def _fill_file(self, file: int, blocks: FileBlocks, held: list[Range]) -> list[Range]:
        """Fill one file, and return the spans of its bytes that are staged then. Raise OSError."""
        stage, entry = self._stage, self._stage.plan.entries[file]
        try:
            directory = stage.destination.directories.open(stage.manifest.parents[entry])
            old = open_regular(stage.manifest.names[entry], directory)
        except OSError:
            return held
        try:
            copy = _Copy(stage, file, blocks, old, self._key)
            return copy.run(list(spans_of(stage.plan, file, self._page_bytes)), held, self._on_activity)
        finally:
            os.close(old)


class _Guess(NamedTuple):
    """The bytes where a block is expected, read at this shift, with their digest."""

    shift: int
    data: bytes
    digest: bytes


class _Copy:
    """The copying from one old version to one staged file."""

    def __init__(self, stage: Stage, file: int, blocks: FileBlocks, old: int, key: bytes) -> None:
        self._stage = stage
        self._file = file
        self._blocks = blocks
        self._old = old
        self._key = key
        self._search = Search(old, os.fstat(old).st_size)
        self._cloned = -1  # descriptor for reading the staged file, if it began as a clone or is the old version

    def run(self, spans: Sequence[Range], held: list[Range], on_activity: Callable[[int], None]) -> list[Range]:
        """Copy all blocks that are found. Return the spans of the file's bytes that are staged, including `held`.

        spans: for each block, its span in the contents object.
        """
        stage, file = self._stage, self._file
        found = held[:]
        try:
            if stage.states[file] == WAITING:
                self._try_to_clone()
            for first in range(0, len(spans), GROUP_BLOCKS):
                on_activity(1)
                found += self._copy_group(first, spans[first : first + GROUP_BLOCKS], held)
        finally:
            if self._cloned >= 0:
                os.close(self._cloned)
        return merged(found)

    def _copy_group(self, first: int, spans: Sequence[Range], held: list[Range]) -> list[Range]:
        """Copy the blocks from number `first` on that are not held and are found. Return the spans of their bytes."""
        wanted: list[tuple[int, Pieces, list[Range]]] = []
        for number, (start, end) in enumerate(spans, first):
            pieces = [(position, length) for _, position, length in self._stage.plan.locate(start, end - start)]
            places = [(position, position + length) for position, length in pieces]
            if not held or without(places, held):
                wanted.append((number, pieces, places))
        found: list[Range] = []
        guesses = self._guess([pieces for _, pieces, _ in wanted])
        for (number, wanted_pieces, places), guess in zip(wanted, guesses):
            if self._take(number, wanted_pieces, guess):
                found += places
        return found

    def _guess(self, blocks: Sequence[Pieces]) -> list[_Guess]:
        """Read and digest blocks where the last one was found: most blocks of most files have moved like the last."""
        shift = self._search.shift
        source = self._cloned if self._is_in_place(shift) else self._old
        data = [_read(source, pieces, shift) for pieces in blocks]
        return list(map(_Guess, [shift] * len(data), data, block_digests(data, self._key)))

    def _is_in_place(self, shift: int) -> bool:
        """Whether a block that is found at this shift is in the staged file already."""
        return self._cloned >= 0 and not shift

    def _try_to_clone(self) -> None:
        """Begin with the old version itself (--inplace), or with a clone of it (FICLONE), if that is possible."""
        stage, file = self._stage, self._file
        has_holes = stage.manifest.policy.sparse or file in stage.plan.extents
        if has_holes and not stage.files.overwrites:
            return
        staged = stage.begin(file)
        if file in stage.files.overwritten:
            self._cloned = stage.duplicate(file)
            return
        if has_holes:
            return  # bytes of the clone would have to be removed where there must be holes
        with suppress(OSError):
            fcntl.ioctl(staged, FICLONE, self._old)
            size = stage.manifest.sizes[stage.plan.entries[file]]
            if os.fstat(staged).st_size > size:
                os.ftruncate(staged, size)
            stage.notes.cloned(file)
            self._cloned = stage.duplicate(file)

    def _take(self, number: int, pieces: Pieces, guess: _Guess) -> bool:
        """Return whether a block was found in the old version; it is then in the staged file."""
        digest = self._blocks.digest(number)
        if guess.digest != digest or guess.shift != self._search.shift:
            data = self._find(number, digest, pieces, guess)
        elif self._is_in_place(guess.shift):
            self._search.note(*pieces[-1], 0)
            self._stage.note_pieces(self._file, pieces)
            return True
        else:
            self._search.note(*pieces[-1], guess.shift)
            data = guess.data
        if data:
            self._stage.put(self._file, pieces, data)
        return bool(data)

    def _find(self, number: int, digest: bytes, pieces: Pieces, guess: _Guess) -> bytes:
        """Return a block from the old version, or b"". Try the last shift, then no shift, then search."""
        for shift in dict.fromkeys((self._search.shift, 0)):
            is_guessed = shift == guess.shift
            data = guess.data if is_guessed else _read(self._old, pieces, shift)
            if (guess.digest if is_guessed else block_digest(data, self._key)) == digest:
                self._search.note(*pieces[-1], shift)
                return data
        if len(pieces) > 1:
            return b""
        anchor = self._blocks.anchor(number)
        return self._search.find(*pieces[0], anchor, lambda data: block_digest(data, self._key) == digest)


def _read(fd: int, pieces: Pieces, shift: int) -> bytes:
    """Return as many of these bytes as the file has."""
    if len(pieces) == 1:
        position, length = pieces[0]
        return os.pread(fd, length, position + shift) if position + shift >= 0 else b""
    return b"".join([os.pread(fd, length, position) for position, length in pieces])
