"""Compute digests of whole files for --checksum, on the master while it scans and on targets.

A digest covers the offsets and contents of the blocks that are not zero. So holes need not be read: any user can make a
file of 8 EiB that has nothing else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import partial

from mrsync.tree.fs.extents import data_extents
from mrsync.tree.model.manifest import DIGEST_BYTES, NO_DIGEST, Manifest

BLOCK_BYTES = 1 << 20
TOLD_BYTES = 64 << 20


class Digester:
    """Digest files. on_bytes: called about every 64 MB with the number of bytes read since the last call."""

    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        self._on_bytes = on_bytes
        self._pending = 0
        self._buffer, self._zeros = bytearray(BLOCK_BYTES), bytes(BLOCK_BYTES)
        self._block, self._hole = memoryview(self._buffer), memoryview(self._zeros)

    def digest(self, open_file: Callable[[], int], size: int) -> bytes:
        """Return the BLAKE2b digest of a file, or NO_DIGEST if its size differs or it cannot be read."""
        try:
            fd = open_file()
        except OSError:
            return NO_DIGEST
        try:
            return self._read(fd, size)
        except OSError:
            return NO_DIGEST
        finally:
            os.close(fd)

    def flush(self) -> None:
        """Call on_bytes for the remaining bytes."""
        if self._pending:
            self._on_bytes(self._pending)
            self._pending = 0

    def _read(self, fd: int, size: int) -> bytes:
        if os.fstat(fd).st_size != size:
            return NO_DIGEST
        state = hashlib.blake2b(digest_size=DIGEST_BYTES)
        offset = 0
        for start, length in data_extents(fd, size):
            offset = max(offset, start - start % BLOCK_BYTES)
            while offset < start + length:
                count = min(BLOCK_BYTES, size - offset)
                if not self._fill(fd, offset, count):
                    return NO_DIGEST
                if not self._is_zero(count):
                    state.update(offset.to_bytes(8, "big"))
                    state.update(self._block[:count])
                offset += count
        return state.digest() if os.fstat(fd).st_size == size else NO_DIGEST

    def _fill(self, fd: int, offset: int, count: int) -> bool:
        """Read this many bytes into the block. Return False if the file ends before."""
        done = 0
        while done < count:
            read = os.preadv(fd, [self._block[done:count]], offset + done)
            if not read:
                return False
            done += read
        self._pending += count
        if self._pending >= TOLD_BYTES:
            self.flush()
        return True

    def _is_zero(self, count: int) -> bool:
        if count == BLOCK_BYTES:
            return self._buffer == self._zeros  # much faster than views
        return self._block[:count] == self._hole[:count]


def digest_files(manifest: Manifest, open_file: Callable[[int], int], on_bytes: Callable[[int], None]) -> None:
    """Fill the manifest's digests for every file with contents. Members of a hard-link group get their leader's.

    open_file: returns a new descriptor of an entry, which is closed here; if it raises OSError, or reading fails, the
    entry gets NO_DIGEST. on_bytes: called with the number of bytes read since the last call.
    """
    digester = Digester(on_bytes)
    digests = bytearray(DIGEST_BYTES * len(manifest))
    for entry, size in enumerate(manifest.sizes):
        if size:  # only regular files have a size, and all empty ones are equal
            leader = manifest.leaders.get(entry, entry)
            if leader == entry:
                digest = digester.digest(partial(open_file, entry), size)
            else:
                digest = bytes(digests[leader * DIGEST_BYTES : (leader + 1) * DIGEST_BYTES])
            digests[entry * DIGEST_BYTES : (entry + 1) * DIGEST_BYTES] = digest
    digester.flush()
    manifest.digests = bytes(digests)
