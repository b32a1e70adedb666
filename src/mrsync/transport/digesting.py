"""Hash every page that the caster reads, in a separate thread, and send the digests; send them again on request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import count
from typing import Callable

from mrsync.transport.loop import Loop
from mrsync.transport.verifying import PageDigest, PageKey, digest_pages
from mrsync.transport.worker import Worker
from mrsync.wire.limits import DIGESTS_MAX
from mrsync.wire.messages import Digests, ObjectKind

PAGES_PER_JOB = 8  # half a megabyte, to wake the thread less often
KEPT_MAX = 1 << 16  # digests per object, beyond which those of pages that all targets have are dropped
AGE_S = 0.05  # of a digest that is sent alone: targets ask for one after OVERDUE_S of verifying.py
REPEAT_S = 0.05  # shortest time between two repetitions of a digest


class PageDigester:
    """Pass Digests to `send` when they fill a message, and after `flush`.

    held: returns how many pages of an object, from the first on, every target has.
    """

    def __init__(self, loop: Loop, send: Callable[[Digests], None], held: Callable[[ObjectKind], int]) -> None:
        self._loop = loop
        self._send = send
        self._held = held
        self._worker = Worker("digests")
        self._counters = count(1)
        self._fresh: list[tuple[PageKey, bytes]] = []
        self._unsent: list[PageDigest] = []
        self._unsent_count = 0  # with those that are being hashed
        self._is_flushing = False
        self._since: float | None = None  # when the first page was taken whose digest was not sent
        self._known: dict[int, dict[int, list[PageDigest]]] = {}  # by object and page
        self._known_from: dict[int, int] = {}  # by object: no digest of an earlier page is known
        self._repeated: dict[tuple[int, int], float] = {}  # (object, page) -> time of the last repetition
        loop.watch(self._worker, self._worker.collect)

    def close(self) -> None:
        """Stop the thread. No more digests are sent."""
        self._loop.unwatch(self._worker)
        self._worker.close()

    def take(self, object: int, page: int, generation: int, data: bytes) -> None:
        """Take a page that was read and is about to be sent. data: its plain bytes in this generation."""
        if self._since is None:
            self._since = self._loop.now()
        self._unsent_count += 1
        self._fresh.append(((object, page, generation), data))
        if len(self._fresh) == PAGES_PER_JOB:
            self._hash()

    @property
    def due_at(self) -> float | None:
        """The time at which to call `flush_aged`. None: no digest waits, apart from those that are being sent."""
        return None if self._since is None or self._is_flushing else self._since + AGE_S

    def flush_aged(self) -> None:
        """Send remaining digests soon if the first of them has waited for AGE_S, because the network is slow."""
        if self._since is not None and self._loop.now() >= self._since + AGE_S:
            self.flush()

    def flush(self, together: int = 1) -> None:
        """Send remaining digests soon if there are at least this many, because no more pages are sent for now.

        Each message costs every target a signature, half as much as a page.
        """
        if self._unsent_count < together:
            return
        if self._fresh:
            self._hash()
        if self._worker.is_idle:
            self._send_rest()
        else:
            self._is_flushing = True

    def repeat(self, object: ObjectKind, page: int, now: float) -> None:
        """Send the digests from this page on again for a target that has the page."""
        if now - self._repeated.get((object, page), -REPEAT_S) < REPEAT_S:
            return
        if len(self._repeated) > KEPT_MAX:
            self._repeated.clear()
        self._repeated[object, page] = now
        known = self._known.get(object, {})
        readings = [known[at] for at in range(page, page + DIGESTS_MAX) if at in known]
        for number in range(max(map(len, readings), default=0)):
            self._send_runs(digests[number] for digests in readings if number < len(digests))

    def _hash(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._worker.submit(partial(digest_pages, fresh), self._take_hashed)

    def _take_hashed(self, hashed: list[PageDigest]) -> None:
        for found in hashed:
            object, page, _ = found.key
            self._known.setdefault(object, {}).setdefault(page, []).append(found)
            self._known_from[object] = min(page, self._known_from.get(object, page))
        self._unsent += hashed
        if len(self._unsent) >= DIGESTS_MAX:
            full = len(self._unsent) // DIGESTS_MAX * DIGESTS_MAX
            self._since = self._loop.now() if self._unsent_count > full else None
            self._send_first(full)
            self._forget_held()
        if self._is_flushing and self._worker.is_idle and not self._fresh:
            self._send_rest()

    def _send_rest(self) -> None:
        self._is_flushing = False
        self._since = None
        self._send_first(len(self._unsent))

    def _send_first(self, count: int) -> None:
        first, self._unsent = self._unsent[:count], self._unsent[count:]
        self._unsent_count -= count
        self._send_runs(first)

    def _send_runs(self, digests: Iterable[PageDigest]) -> None:
        for run in _runs(digests):
            object, first, _ = run[0].key
            entries = tuple((found.key[2], found.digest) for found in run)
            self._send(Digests(next(self._counters), ObjectKind(object), first, entries))

    def _forget_held(self) -> None:
        for object, known in self._known.items():
            if len(known) > KEPT_MAX:
                held = self._held(ObjectKind(object))
                for page in range(self._known_from[object], held):
                    known.pop(page, None)
                self._known_from[object] = max(held, self._known_from[object])


def _runs(digests: Iterable[PageDigest]) -> Iterator[list[PageDigest]]:
    """Split digests into runs of consecutive pages of one object, each short enough for one message."""
    run: list[PageDigest] = []
    for found in digests:
        object, page, _ = found.key
        if run and ((object, page - len(run)) != run[0].key[:2] or len(run) == DIGESTS_MAX):
            yield run
            run = []
        run.append(found)
    if run:
        yield run
