"""PageSender: read, compress and seal the pages that the state machine plans, keep them, and send their packets.

Invariants:

  * AES-GCM must never seal two plaintexts with one nonce, so each reading of a page has a new generation, which is part
    of the nonce. A page is read and sealed once, and kept for repairs while there is room (`SealedPages`).
  * A page is read when its first packet is planned, and announced before it is sent. If it must be read again, its
    contents may differ. Its next generation must be announced before its packets, and the mask of packets is ignored:
    the packets of different generations do not fit together.
  * Coded packets need all their terms in memory and of one generation. Others are sent uncoded.
"""

from __future__ import annotations

from array import array
from typing import Callable

from mrsync.errors import ProtocolDataError
from mrsync.protocol.caster import Caster
from mrsync.protocol.core.sends import SendCoded
from mrsync.transport.pages.bursts import BurstSender, Purpose
from mrsync.transport.pages.coded_packets import Slice
from mrsync.transport.pages.compression import Compressor
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import TAG_BYTES
from mrsync.wire.messages import CONTENTS_KINDS, ObjectKind
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer

PAGES_KEPT = 2048
PAGES_KEPT_WITHOUT_LOSS = 512
BYTES_KEPT = 128 << 20
GENERATIONS_MAX = 0xFFFF

ReadPage = Callable[[int, int], bytes]  # (object, page) -> plaintext


class PageSender:
    """The pages of a session on their way from `read` to the sender.

    now: returns the time. announce: called with (generation, tx) before the first page of a generation is sent with
    this tx. on_read: called with every page that was read, or None. compress_level: of the compression that the state
    machine chooses.
    """

    def __init__(
        self,
        caster: Caster,
        sender: BurstSender,
        read: ReadPage,
        keys: SessionKeys,
        now: Callable[[], float],
        *,
        announce: Callable[[int, int], None],
        on_read: Callable[[int, int, int, bytes], None] | None,
        compress_level: int,
    ) -> None:
        self._caster = caster
        self._sender = sender
        self._read = read
        self._keys = keys
        self._now = now
        self._announce = announce
        self._on_read = on_read
        self._compress_level = compress_level
        self._compressor: Compressor | None = None
        self._pages: SealedPages | None = None
        self._generation = 0  # the highest one announced

    @property
    def bytes_saved(self) -> int:
        """Number of bytes that compression has saved on each path so far."""
        return self._compressor.bytes_saved if self._compressor is not None else 0

    def send(self, object: ObjectKind, page: int, mask: int, tx: int, is_repair: bool) -> bool:
        """Send the packets of a page that `mask` has, or all if it is 0. Return False if a part waits for a socket.

        The arguments are those of SendPage. The page is read and sealed unless it is in memory. Raise what `read`
        raises, and SocketError.
        """
        pages = self._pages or self._begin()
        if mask and pages.held(object, page) is None:
            mask = 0  # the page must be read again and may differ, so packets of the old one are useless
        generation, _, slices = pages.sealed(object, page)
        if generation > self._generation:
            self._generation = generation
            self._announce(generation, tx)
        if self._compressor is not None:
            self._caster.page_compressed(object, page, len(slices), self._now())
        purpose = Purpose.REPAIR if is_repair else Purpose.FIRST
        return self._sender.send_page(
            slices, object=object, page=page, generation=generation, tx=tx, mask=mask, purpose=purpose
        )

    def send_coded(self, send: SendCoded) -> bool:
        """Send coded packets. Return False if a part waits for a socket.

        Combinations whose terms are not all in memory with one generation are sent uncoded.
        """
        pages = self._pages or self._begin()
        coded: dict[int, list[list[Slice]]] = {}  # by generation
        plain: dict[int, int] = {}  # page -> mask
        for terms in send.combinations:
            held = [pages.held(send.object, page) for page, _ in terms]
            generations = {None if found is None else found.generation for found in held}
            generation = generations.pop()
            if generations or generation is None:
                for page, index in terms:
                    plain[page] = plain.get(page, 0) | 1 << index
                continue
            slices: list[Slice] = [
                (page, index, found.slices[index]) for (page, index), found in zip(terms, held) if found is not None
            ]
            coded.setdefault(generation, []).append(slices)
        is_sent = True
        for generation, combinations in coded.items():
            is_sent = self._sender.send_coded(combinations, object=send.object, generation=generation, tx=send.tx)
        for page, mask in plain.items():
            is_sent = self.send(send.object, page, mask, send.tx, is_repair=True)
        return is_sent

    def _begin(self) -> SealedPages:
        """Make the page cache when the first page is planned: seal and geometry are known only then."""
        caster, geometry = self._caster, self._caster.geometry
        sealer = PageSealer(self._keys, caster.statistics().seal)
        if caster.compressions.chosen is not None:
            self._compressor = Compressor(geometry.slice_bytes, caster.compressions.chosen, level=self._compress_level)
        self._pages = SealedPages(self._read, sealer, geometry, on_read=self._on_read, compressor=self._compressor)
        self._sender.slice_bytes = geometry.slice_bytes
        return self._pages


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
