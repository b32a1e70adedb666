"""PageWriter: the way of a page from its opened seal to the disk.

If the caster signs, a page waits in the PageVerifier until its digest is known. Then it waits in `_pages`, and is
written in a group of PAGES_PER_JOB, or after PATIENCE_S.

pages_written reports a page together with tx_done, up to which everything that arrived was written. So a page must not
be overtaken: writes are in the order of arrival, and tx_done stays below pages that wait for a digest, unless these
are only the last ones whose digests may be lost; see `PageVerifier.tx_done`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Callable

from mrsync.protocol.catcher import Catcher
from mrsync.transport.loop import Loop
from mrsync.transport.pages.opener import OpenedPage
from mrsync.transport.verifying import OVERDUE_S, PageVerifier
from mrsync.wire.messages import Digests
from mrsync.wire.seals.proofs import seal_proof

PAGES_PER_JOB = 8  # half a megabyte, which is still in the processor's cache when it is written
PATIENCE_S = 0.001  # longest time for which a page waits to be written with others

WritePages = Callable[[int, list[tuple[int, bytes, bytes]]], None]  # object, [(page, plaintext, proof)]


class PageWriter:
    """Verify and write opened pages, and tell the state machine which were written.

    is_signed: whether the caster signs digests. tx_seen: returns the tx up to which everything has arrived. on_false:
    called with object and page whose digest did not match or never came.
    """

    def __init__(
        self,
        catcher: Catcher,
        loop: Loop,
        write: WritePages,
        *,
        is_signed: bool,
        tx_seen: Callable[[], int],
        on_false: Callable[[int, int], None],
    ) -> None:
        self._catcher = catcher
        self._loop = loop
        self._write = write
        self._tx_seen = tx_seen
        self._on_false = on_false
        self._verifier: PageVerifier | None = None
        if is_signed:
            self._verifier = PageVerifier(loop, on_verified=self._take_pages, on_false=self._disown)
        self._pages: list[tuple[int, int, bytes, bytes]] = []  # to be written: object, page, plaintext, proof
        self._ask_at: float | None = None  # when to look for overdue digests
        self._write_by: float | None = None  # when to write the waiting pages, however few

    @property
    def deadlines(self) -> tuple[float | None, float | None]:
        """When `keep_time` has something to do; None: not for now."""
        return self._write_by, self._ask_at

    def close(self) -> None:
        """Stop the thread that computes digests."""
        if self._verifier is not None:
            self._verifier.close()

    def take(self, opened: Sequence[OpenedPage], now: float) -> None:
        """Take pages whose seal was valid, in the order of arrival."""
        self._catcher.counters.queue_pages += len(opened)
        if self._verifier is None:
            self._take_pages(
                [(object, page, data, seal_proof(generation, tag)) for object, page, generation, data, tag in opened]
            )
            return
        self._verifier.take(opened, self._tx_seen(), now)
        if self._ask_at is None:
            self._ask_at = now + OVERDUE_S

    def receive_digests(self, digests: Digests) -> None:
        """Take digests that the caster signed."""
        if self._verifier is not None:
            self._verifier.receive(digests)

    def keep_time(self, now: float) -> None:
        """Do what is due."""
        if self._write_by is not None and self._write_by <= now:
            self._hand_over()
        if self._ask_at is not None and self._ask_at <= now:
            self._ask_digests(now)

    def _take_pages(self, pages: list[tuple[int, int, bytes, bytes]]) -> None:
        """Take pages that are verified. Write them when there are enough of them, or after PATIENCE_S."""
        self._pages += pages
        if len(self._pages) >= PAGES_PER_JOB:
            self._hand_over()
        elif self._write_by is None:
            self._write_by = self._loop.now() + PATIENCE_S

    def _disown(self, object: int, page: int, generation: int) -> None:
        self._on_false(object, page)
        self._catcher.counters.queue_pages -= 1
        self._catcher.page_disowned(object, page)

    def _ask_digests(self, now: float) -> None:
        """Request digests that may have been lost."""
        assert self._verifier is not None  # else no time was set
        self._verifier.give_up(now)
        page = self._verifier.overdue(self._catcher.active, now)
        self._ask_at = now + OVERDUE_S if self._verifier.is_waiting else None
        if page is not None:
            self._catcher.ask_digests(page, now)
        else:
            self._catcher.counters.unverified = 0

    def _hand_over(self) -> None:
        self._write_by = None
        pages, self._pages = self._pages, []
        tx_done = self._tx_seen()
        if self._verifier is not None:
            tx_done = self._verifier.tx_done(tx_done, self._loop.now())
        for object, group in groupby(pages, key=itemgetter(0)):
            of_object = [page[1:] for page in group]
            numbers = [page[0] for page in of_object]
            written = partial(self._written, object, numbers, tx_done)
            self._loop.work_if_slow(partial(self._write, object, of_object), written)

    def _written(self, object: int, pages: list[int], tx_done: int, _result: None) -> None:
        self._catcher.counters.queue_pages -= len(pages)
        self._catcher.pages_written(object, pages, tx_done, self._loop.now())
