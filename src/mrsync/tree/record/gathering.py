"""Gather proofs of planned files while their pages arrive."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable

from mrsync.tree.model.plan import Plan
from mrsync.tree.record.grid import DIGEST_BYTES, Grid

_UNKNOWN = bytes(DIGEST_BYTES)  # in place of a digest that was never set
_ROWS = 4096  # files of one table of digests: 128 KB, which malloc gives back to the system at once
_LOCKED_BYTES = 2047  # up to this size, hashlib keeps the interpreter's lock

Prove = Callable[[int, bytes], bytes]  # (page, its data) -> proof
Read = Callable[[int, int], bytes]  # (offset, length) in the contents object -> data


class Gathered:
    """The proofs of one contents object, for as much of it as arrived here."""

    def __init__(self, plan: Plan, grid: Grid) -> None:
        self.plan = plan
        self.grid = grid
        pages = -(-grid.contents_bytes // grid.page_bytes)
        self._pages = bytearray(pages * grid.proof_bytes)
        self._arrived = bytearray(pages)
        files = plan.file_count
        self._heads = [bytearray(min(_ROWS, files - first) * DIGEST_BYTES) for first in range(0, files, _ROWS)]
        self._forgotten = 0  # of these tables
        self._tails: dict[int, bytes] = {}  # by file; most small files lie in one page and have none

    def take(self, page: int, data: bytes, proof: bytes) -> None:
        """Take a page that is about to be written. data: its plaintext. proof: grid.proof_bytes that came with it."""
        starts = self.plan.starts
        start = page * self.grid.page_bytes
        end = start + len(data)
        file = bisect_right(starts, start) - 1
        if starts[file + 1] >= end and starts[file] <= start:
            self._arrived[page] = 1
            self._pages[page * len(proof) : (page + 1) * len(proof)] = proof
            return
        view = memoryview(data)
        after = bisect_left(starts, end)  # the first file of which nothing is in the page
        bounds = [0, *[bound - start for bound in starts[file + 1 : after]], len(data)]
        digests = [_digest(view[low:high]) if low < high else _UNKNOWN for low, high in zip(bounds, bounds[1:])]
        if starts[file] < start:
            self._tails[file] = digests.pop(0)
            file += 1
        while file < after:
            table, row = divmod(file, _ROWS)
            some = digests[: min(_ROWS - row, after - file)]
            self._heads[table][row * DIGEST_BYTES : (row + len(some)) * DIGEST_BYTES] = b"".join(some)
            file += len(some)
            del digests[: len(some)]

    def forget_before(self, file: int) -> None:
        """Free the digests of files before this one, as far as these are whole tables: no proof of them is wanted."""
        while self._forgotten < file // _ROWS:
            self._heads[self._forgotten] = bytearray()
            self._forgotten += 1

    def proof(self, file: int, prove: Prove, read: Read) -> bytes:
        """Return the proof of a file that is complete here. Bytes that did not arrive are read back. Raises OSError."""
        grid, start, end = self.grid, self.plan.starts[file], self.plan.starts[file + 1]
        table, row = divmod(file, _ROWS)
        known = bytes(self._heads[table][row * DIGEST_BYTES : (row + 1) * DIGEST_BYTES])
        if known != _UNKNOWN and start // grid.page_bytes == (end - 1) // grid.page_bytes:
            return known  # as of most small files
        head, first, last, tail = grid.divide(start, end - start)
        parts = []
        if head:
            parts.append(known if known != _UNKNOWN else hashlib.sha256(read(start, head)).digest())
        at = first
        while (at := self._arrived.find(0, at, last)) >= 0:
            offset = at * grid.page_bytes
            found = prove(at, read(offset, min(grid.page_bytes, end - offset)))
            self._pages[at * grid.proof_bytes : (at + 1) * grid.proof_bytes] = found
            self._arrived[at] = 1
        parts.append(bytes(self._pages[first * grid.proof_bytes : last * grid.proof_bytes]))
        if tail:
            parts.append(self._tails.get(file) or hashlib.sha256(read(end - tail, tail)).digest())
        return b"".join(parts)


def _digest(data: memoryview) -> bytes:
    """Return the SHA-256 of a part of a page.

    hashlib gives up the interpreter's lock for more than 2047 bytes. That costs more than it is worth here: small files
    come by the thousand, and each time the other thread would take over.
    """
    if len(data) <= _LOCKED_BYTES:
        return hashlib.sha256(data).digest()
    digest = hashlib.sha256(data[:_LOCKED_BYTES])
    for start in range(_LOCKED_BYTES, len(data), _LOCKED_BYTES):
        digest.update(data[start : start + _LOCKED_BYTES])
    return digest.digest()
