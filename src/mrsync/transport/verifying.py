"""The catcher's check of pages against the caster's signed digests: whoever has the group's secret can seal a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hmac import compare_digest
from typing import Callable

from mrsync.transport.loop import Loop
from mrsync.transport.pagedigests import PageDigest, PageKey, digest_pages
from mrsync.transport.worker import Worker
from mrsync.wire.messages import Digests, ObjectKind

WAITING_MAX = 768  # pages whose digest is not known; more than any window
TOLD_MAX = 8192  # digests whose page has not come
OVERDUE_S = 0.05  # then the caster is asked
HOLD_S = 0.25  # so long a page without digest keeps the window from moving on: it may be one that is not sent yet
GIVE_UP_S = 1.0  # then it is no page that the caster has read

OpenedPage = tuple[int, int, int, bytes]  # object, page, generation, plain bytes


@dataclass
class _Waiting:
    """A page that was opened."""

    data: bytes
    since: float
    tx_before: int  # what came with this tx was opened before it
    digest: bytes = b""  # its own, once it is hashed


class PageVerifier:
    """Takes opened pages, gives back those whose digest the caster has told; hashes them in a thread of its own.

    on_verified: pages to write, as (object, page, data). on_false: object, page and generation of one that is not what
    the caster has read, or waited too long.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        on_verified: Callable[[list[tuple[int, int, bytes]]], None],
        on_false: Callable[[int, int, int], None],
    ) -> None:
        self._loop = loop
        self._on_verified = on_verified
        self._on_false = on_false
        self._worker = Worker("digests")
        self._waiting: dict[PageKey, _Waiting] = {}  # in the order in which they were opened
        self._told: dict[PageKey, bytes] = {}
        self._tx = 0
        loop.watch(self._worker, self._worker.collect)

    def close(self) -> None:
        """Check nothing more."""
        self._loop.unwatch(self._worker)
        self._worker.close()

    def take(self, opened: Sequence[OpenedPage], tx_seen: int, now: float) -> None:
        """These were opened, the last ones that came up to this tx."""
        fresh: list[tuple[PageKey, bytes]] = []
        for object, page, generation, data in opened:
            key = (object, page, generation)
            self._waiting[key] = _Waiting(data, now, self._tx)
            fresh.append((key, data))
        self._tx = tx_seen
        self._worker.submit(partial(digest_pages, fresh), self._take_hashed)
        while len(self._waiting) > WAITING_MAX:
            self._reject(next(iter(self._waiting)))

    def receive(self, message: Digests) -> None:
        """The caster tells what it has read."""
        verified: list[tuple[int, int, bytes]] = []
        for page, (generation, digest) in enumerate(message.entries, message.first):
            key = (int(message.object), page, generation)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.digest:
                self._judge(key, digest, verified)
            else:
                self._told[key] = digest
        while len(self._told) > TOLD_MAX:
            del self._told[next(iter(self._told))]
        self._hand_on(verified)

    @property
    def is_waiting(self) -> bool:
        """Whether any page waits."""
        return bool(self._waiting)

    @property
    def is_hashed(self) -> bool:
        """Whether every page that was taken has been hashed."""
        return self._worker.is_idle

    def tx_done(self, tx_seen: int, now: float) -> int:
        """Of what came with this tx or an earlier one nothing waits here that can be the caster's."""
        waiting = (page for page in self._waiting.values() if now - page.since < HOLD_S)
        return min(tx_seen, next((page.tx_before for page in waiting), tx_seen))

    def give_up(self, now: float) -> None:
        """Reject what has waited for too long."""
        for key in [key for key, page in self._waiting.items() if now - page.since >= GIVE_UP_S]:
            self._reject(key)

    def overdue(self, object: ObjectKind, now: float) -> int | None:
        """The first page of this object whose digest should have come by now."""
        late = [key[1] for key, page in self._waiting.items() if key[0] == object and now - page.since > OVERDUE_S]
        return min(late, default=None)

    def _take_hashed(self, hashed: list[PageDigest]) -> None:
        verified: list[tuple[int, int, bytes]] = []
        for key, digest in hashed:
            waiting = self._waiting.get(key)
            if waiting is None:
                continue  # it had to give way
            waiting.digest = digest
            told = self._told.pop(key, None)
            if told is not None:
                self._judge(key, told, verified)
        self._hand_on(verified)

    def _judge(self, key: PageKey, told: bytes, verified: list[tuple[int, int, bytes]]) -> None:
        if compare_digest(self._waiting[key].digest, told):
            verified.append((key[0], key[1], self._waiting.pop(key).data))
        else:
            self._told[key] = told  # the true one may come next
            self._reject(key)

    def _reject(self, key: PageKey) -> None:
        del self._waiting[key]
        self._on_false(*key)

    def _hand_on(self, verified: list[tuple[int, int, bytes]]) -> None:
        if verified:
            self._on_verified(verified)
