"""SealedPages: the pages that the caster read, compressed and sealed, kept for repairs while there is room.

Invariant: AES-GCM must never seal two plaintexts with one nonce. A page that is read again may have changed meanwhile,
so each reading has a new generation, which is part of the nonce.
"""

from __future__ import annotations

from array import array
from typing import Callable

from mrsync.errors import ProtocolDataError
from mrsync.transport.pages.compression import Compressor
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import TAG_BYTES
from mrsync.wire.messages import CONTENTS_KINDS, ObjectKind
from mrsync.wire.seals.sealing import PageSealer

PAGES_KEPT = 2048
PAGES_KEPT_WITHOUT_LOSS = 512
BYTES_KEPT = 128 << 20
GENERATIONS_MAX = 0xFFFF

ReadPage = Callable[[int, int], bytes]  # (object, page) -> plaintext


class SealedPage(NamedTuple):
    """A page as it is sent. sealed: ciphertext and tag. slices: the same, cut into packets.

    Valid until the page leaves the cache. Then its memory is reused for another page, because it is already cut and
    warm.
    """

    generation: int
    sealed: memoryview
    slices: list[memoryview]


class SealedPages:
    """Cache of sealed pages that drops the least recently used one.

    pages_kept, bytes_kept: at most, whichever is less. on_read: called with object, page, generation and plaintext of
    every page that is read. compressor: None if pages are not compressed. The cache is small before the first repair,
    because sealing into memory that was never touched takes six times as long.
    """

    def __init__(
        self,
        read: ReadPage,
        sealer: PageSealer,
        geometry: Geometry,
        *,
        pages_kept: int = PAGES_KEPT,
        bytes_kept: int = BYTES_KEPT,
        on_read: Callable[[int, int, int, bytes], None] | None = None,
        compressor: Compressor | None = None,
    ) -> None:
        self.reads = 0
        self._compressor = compressor
        self._read = read
        self._on_read = on_read
        self._sealer = sealer
        self._slice_bytes = geometry.slice_bytes
        self._room_max = max(1, min(pages_kept, bytes_kept // geometry.sealed_bytes))
        self._room = min(self._room_max, PAGES_KEPT_WITHOUT_LOSS)
        self._kept: dict[tuple[int, int], SealedPage] = {}
        self._sealings: list[array[int]] = [array("H") for _ in ObjectKind]  # per object: seal count of each page

    def held(self, object: int, page: int) -> SealedPage | None:
        """Return the page if it is in the cache.

        Never read it. Call only for repairs, because this enlarges the cache.
        """
        self._room = self._room_max
        return self._kept.get((object, page))

    def sealed(self, object: int, page: int) -> SealedPage:
        """Return the page. Read it and seal it with a new generation if it is not in the cache.

        Raise what the reader raises, or ProtocolDataError if no generation is left for the page.
        """
        key = (object, page)
        found = self._kept.pop(key, None)
        if found is None:
            room = self._kept.pop(next(iter(self._kept))) if len(self._kept) >= self._room else None
            found = self._seal(object, page, room)
        self._kept[key] = found
        return found

    def _seal(self, object: int, page: int, room: SealedPage | None) -> SealedPage:
        """Read and seal a page into the memory of a dropped one (room), or into new memory."""
        data = self._read(object, page)
        self.reads += 1
        generation = self._next_generation(object, page)
        if self._on_read is not None:
            self._on_read(object, page, generation, data)
        if self._compressor is not None and object in CONTENTS_KINDS:
            data = self._compressor.compress(data)
        length = len(data) + TAG_BYTES
        if room is not None and len(room.sealed) == length:
            sealed, slices = room.sealed, room.slices
        else:
            size = self._slice_bytes
            sealed = memoryview(bytearray(length))
            slices = [sealed[at : at + size] for at in range(0, length, size)]
        self._sealer.seal_into(sealed, data, object=object, page=page, generation=generation, count=len(slices))
        return SealedPage(generation, sealed, slices)

    def _next_generation(self, object: int, page: int) -> int:
        """Return a new generation for the page: no nonce may seal two different texts."""
        sealings = self._sealings[object]
        if page >= len(sealings):
            sealings.frombytes(bytes(2 * (page + 1024 - len(sealings))))
        generation = sealings[page]
        if generation == GENERATIONS_MAX:
            raise ProtocolDataError(f"page {page} was sealed {GENERATIONS_MAX} times")
        sealings[page] = generation + 1
        return generation
