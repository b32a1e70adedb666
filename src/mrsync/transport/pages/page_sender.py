"""PageSender: send the packets that the state machine plans, of pages that are read and sealed when they are due.

Invariants:

  * A page is read when its first packet is planned, and announced before it is sent. If it must be read again, its
    contents may differ. Its next generation must be announced before its packets, and the mask of packets is ignored:
    the packets of different generations do not fit together.
  * Coded packets need all their terms in memory and of one generation. Others are sent uncoded.
"""

from __future__ import annotations

from typing import Callable

from mrsync.protocol.caster import Caster
from mrsync.protocol.core.sends import SendCoded
from mrsync.transport.pages.bursts import BurstSender, Purpose
from mrsync.transport.pages.coded_packets import Slice
from mrsync.transport.pages.compression import Compressor
from mrsync.transport.pages.sealed_pages import ReadPage, SealedPages
from mrsync.wire.messages import ObjectKind
from mrsync.wire.seals.keys import SessionKeys
from mrsync.wire.seals.sealing import PageSealer


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
