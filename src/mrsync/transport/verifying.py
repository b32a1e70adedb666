"""Check opened pages against the caster's signed digests, because every member of the group can seal a page.

An opened page waits here until its digest is known, and is written only if it matches. If the digest differs, the page
is rejected and requested again. Digests may be lost, so they are requested if overdue. A page whose digest
never comes was not sent by the caster, and is rejected after GIVE_UP_S. Where processors are scarce, at either end,
digests come later than their pages, and both times are longer: authentic pages would be rejected, and sent again.

Pages that are not hashed yet hold back tx_done, and so the window, because they are work to be done. Pages that wait
for their digest do so only if there are many, and only for HOLD_S: otherwise one lost digest would hold up everybody in
a chain of relays, and a forged page would stop the session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from hmac import compare_digest
from typing import TYPE_CHECKING, Callable

from mrsync.transport.loop import Loop
from mrsync.transport.worker import Worker
from mrsync.tuples import NamedTuple
from mrsync.wire.messages import Digests, ObjectKind

if TYPE_CHECKING:
    from mrsync.transport.pages.opener import OpenedPage

WAITING_MAX = 768  # pages that wait for a digest; more than any window
DIGESTS_KEPT_MAX = 8192  # digests whose page has not arrived
OVERDUE_S = 0.12  # after which the caster is asked for a digest
UNCHECKED_MAX = 128  # pages that may lack a digest without holding back the window: 8 MB
HOLD_S = 0.25  # for which a page without a digest keeps the window from moving
PAGES_INLINE = 1  # pages that come one by one do not need a second thread
GIVE_UP_S = 1.0  # after which a page without a digest is rejected
OVERDUE_TIMES, GIVE_UP_TIMES = 2, 8  # as late as digests come otherwise: then the one and the other
OVERDUE_MAX_S, GIVE_UP_MAX_S = 1.0, 8.0
RISE, FALL = 0.5, 0.1  # smoothing of how late they come

PageKey = tuple[int, int, int]  # object, page, generation
VerifiedPage = tuple[int, int, bytes, bytes]  # object, page, plaintext, digest


class PageDigest(NamedTuple):
    """The SHA-256 digest of one reading of a page."""

    key: PageKey
    digest: bytes


def digest_pages(pages: Sequence[tuple[PageKey, bytes]]) -> list[PageDigest]:
    """Return the digests of plaintext pages in the same order. hashlib releases the interpreter lock for such sizes."""
    return [PageDigest(key, hashlib.sha256(data).digest()) for key, data in pages]


class _Waiting:
    """An opened page that waits for its digest.

    tx_before: everything up to this tx was opened before it. digest: computed from the page; empty until that is done.
    """

    def __init__(self, data: bytes, since: float, tx_before: int) -> None:
        self.data = data
        self.since = since
        self.tx_before = tx_before
        self.digest = b""


class PageVerifier:
    """Take opened pages and pass on those whose digests match.

    Pages are hashed in a separate thread, unless only few come at a time. on_verified: called with pages to write.
    on_false: called with object, page and generation of a page that does not match or has waited too long.
    """

    def __init__(
        self,
        loop: Loop,
        *,
        on_verified: Callable[[list[VerifiedPage]], None],
        on_false: Callable[[int, int, int], None],
    ) -> None:
        self._loop = loop
        self._on_verified = on_verified
        self._on_false = on_false
        self._worker = Worker("digests")
        self._waiting: dict[PageKey, _Waiting] = {}  # in the order of opening
        self._digests: dict[PageKey, bytes] = {}  # from the caster, of pages that have not come
        self._tx = 0
        self._late_s = 0.0  # from the opening of a page to its digest, smoothed
        loop.watch(self._worker, self._worker.collect)

    def close(self) -> None:
        """Stop the thread. Nothing is checked any more."""
        self._loop.unwatch(self._worker)
        self._worker.close()

    def take(self, opened: Sequence[OpenedPage], tx_seen: int, now: float) -> None:
        """Take pages that were opened. tx_seen: everything up to this tx has arrived."""
        fresh: list[tuple[PageKey, bytes]] = []
        entered: list[_Waiting] = []
        for object, page, generation, data, _ in opened:
            key = (object, page, generation)
            self._waiting[key] = waiting = _Waiting(data, now, self._tx)
            fresh.append((key, data))
            entered.append(waiting)
        self._tx = tx_seen
        if len(fresh) <= PAGES_INLINE and self._worker.is_idle:
            self._take_hashed(entered, digest_pages(fresh))
        else:
            self._worker.submit(partial(digest_pages, fresh), partial(self._take_hashed, entered))
        while len(self._waiting) > WAITING_MAX:
            self._reject(next(iter(self._waiting)))

    @property
    def overdue_s(self) -> float:
        """Seconds after which the caster is asked for a digest."""
        return max(OVERDUE_S, min(OVERDUE_MAX_S, OVERDUE_TIMES * self._late_s))

    @property
    def _give_up_s(self) -> float:
        return max(GIVE_UP_S, min(GIVE_UP_MAX_S, GIVE_UP_TIMES * self._late_s))

    def receive(self, message: Digests, now: float) -> None:
        """Take digests from the caster."""
        verified: list[VerifiedPage] = []
        for page, (generation, digest) in enumerate(message.entries, message.first):
            key = (int(message.object), page, generation)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.digest:
                self._note_late(now - waiting.since)
                self._judge(key, digest, verified)
            else:
                self._digests[key] = digest
        while len(self._digests) > DIGESTS_KEPT_MAX:
            del self._digests[next(iter(self._digests))]
        self._hand_on(verified)

    def _note_late(self, late_s: float) -> None:
        self._late_s += (RISE if late_s > self._late_s else FALL) * (late_s - self._late_s)

    @property
    def is_waiting(self) -> bool:
        """Whether any page waits for its digest."""
        return bool(self._waiting)

    @property
    def is_hashed(self) -> bool:
        """Whether all pages that were taken have been hashed."""
        return self._worker.is_idle

    def tx_done(self, tx_seen: int, now: float) -> int:
        """Return the tx up to which no page waits here that may be authentic, as far as that counts for the window."""
        are_many = len(self._waiting) > UNCHECKED_MAX
        waiting = (page for page in self._waiting.values() if now - page.since < HOLD_S)
        return min(tx_seen, next((page.tx_before for page in waiting if are_many or not page.digest), tx_seen))

    def give_up(self, now: float) -> None:
        """Reject pages that have waited for too long."""
        for key in [key for key, page in self._waiting.items() if now - page.since >= self._give_up_s]:
            self._reject(key)

    def overdue(self, object: ObjectKind, now: float) -> int | None:
        """Return the first page of this object whose digest is overdue, or None."""
        overdue_s = self.overdue_s
        late = [key[1] for key, page in self._waiting.items() if key[0] == object and now - page.since > overdue_s]
        return min(late, default=None)

    def _take_hashed(self, entered: list[_Waiting], hashed: list[PageDigest]) -> None:
        verified: list[VerifiedPage] = []
        for waiting, (key, digest) in zip(entered, hashed):
            if self._waiting.get(key) is not waiting:
                continue  # it was rejected meanwhile; another page may wait under its key, and that one may be forged
            waiting.digest = digest
            expected = self._digests.pop(key, None)
            if expected is not None:
                self._judge(key, expected, verified)
        self._hand_on(verified)

    def _judge(self, key: PageKey, expected: bytes, verified: list[VerifiedPage]) -> None:
        if compare_digest(self._waiting[key].digest, expected):
            verified.append((key[0], key[1], self._waiting.pop(key).data, expected))
        else:
            self._digests[key] = expected  # the authentic page may still arrive
            self._reject(key)

    def _reject(self, key: PageKey) -> None:
        del self._waiting[key]
        self._on_false(*key)

    def _hand_on(self, verified: list[VerifiedPage]) -> None:
        if verified:
            self._on_verified(verified)
