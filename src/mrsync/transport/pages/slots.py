"""Memory for the catcher's sealed pages: each is assembled in a slot, and kept for decoding while there is room."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from heapq import nsmallest
from itertools import chain, islice, product

from mrsync.wire.geometry import Geometry, generation_of
from mrsync.wire.header import BytesLike

SLOTS = 512
_WHOLE_WITHOUT_LOSS = 8

Key = tuple[int, int]  # object, page
PartKey = tuple[int, int, int]  # object, page, reading
OTHERS_MAX = 16  # contradicting packets of one page to keep
DROPPED_SHARE = 16  # one in so many partial pages is dropped at a time
READINGS_MAX = 2  # partial readings of a page to keep: the true one and a forged one


class Slot:
    """Memory for one sealed page. slices[i] is where its packet i belongs.

    A seal covers the whole page, so any packet may be forged. If two different packets claim the same index, both are
    kept: one in its place, the other in `others`.
    """

    __slots__ = ("doubtful", "is_wrong", "others", "reading", "slices", "stored", "view")

    def __init__(self, view: memoryview, slice_bytes: int) -> None:
        self.view = view
        self.slices = [view[at : at + slice_bytes] for at in range(0, len(view), slice_bytes)]
        self.clear()

    def clear(self) -> None:
        """Make the slot empty."""
        self.reading = 0
        self.is_wrong = False  # it was complete, but its seal was not valid
        self.stored = 0  # bit set of packets that are here
        self.doubtful = 0  # bit set of those that came alone or out of coded packets
        self.others: list[tuple[int, bytes]] = []

    def cut(self, length: int) -> list[memoryview]:
        """Return the sealed page, which has this length in bytes, cut into packets."""
        if length == len(self.view):
            return self.slices
        size = len(self.slices[0])
        return [self.view[at : min(at + size, length)] for at in range(0, length, size)]

    @property
    def suspects(self) -> int:
        """Bit set of packets that may be wrong."""
        return self.doubtful | sum({1 << index for index, _ in self.others})

    def store(self, index: int, payload: BytesLike) -> bool:
        """Store a packet. Return True if it contradicts another one and both were kept."""
        bit = 1 << index
        place = self.slices[index][: len(payload)]
        if not self.stored & bit:
            place[:] = payload
            self.stored |= bit
            return False
        if place == payload or len(self.others) == OTHERS_MAX:
            return False
        other = (index, bytes(payload))
        if other in self.others:
            return False
        self.others.append(other)
        return True

    def adopt(self, first: int, end: int, other: Slot) -> None:
        """Take the packets [first, end), none of which is here yet, from their places in a slot."""
        if other is not self:
            size = len(self.slices[0])
            self.view[first * size : end * size] = other.view[first * size : end * size]
        self.stored |= (1 << end) - (1 << first)

    def choices(self, most: int) -> Iterator[None]:
        """Put up to `most` other choices of contradicting packets in place, one per iteration.

        Restore the first one at the end.
        """
        versions: dict[int, list[bytes]] = {}
        for index, payload in self.others:
            versions.setdefault(index, [bytes(self.slices[index][: len(payload)])]).append(payload)
        first = tuple(version[0] for version in versions.values())
        last = tuple(version[-1] for version in versions.values())
        rest = (choice for choice in product(*versions.values()) if choice not in (first, last))
        for choice in islice(chain((last,), rest), most):
            for index, payload in zip(versions, choice):
                self.slices[index][: len(payload)] = payload
            yield
        for index, payload in zip(versions, first):
            self.slices[index][: len(payload)] = payload


class Slots:
    """A fixed number of slots: free ones, partial pages, and whole pages, of which the oldest is dropped first.

    Whole pages are only needed to decode coded packets. So before the first loss only a few are kept, which fit into
    the processor's cache. count: slots in all. sockets: how many receive pages, each into two slots.
    """

    def __init__(self, geometry: Geometry, count: int = SLOTS, *, sockets: int = 2) -> None:
        self.geometry = geometry
        self._count = count
        self._memory = memoryview(_mapped(count * geometry.sealed_bytes))
        self._unmade = count
        self._whole_max = min(_WHOLE_WITHOUT_LOSS, count)
        self._partial_max = count - 2 * sockets - 1  # each receives into two, and one whole page is kept
        self._free: list[Slot] = []
        self._partial: dict[PartKey, Slot] = {}
        self._readings: dict[Key, list[int]] = {}  # of partial pages
        self._whole: dict[Key, Slot] = {}

    def take(self) -> Slot:
        """Return a slot to receive into: a free one, an unused one, or that of the oldest whole page.

        Each of two receivers holds at most two slots, and partial pages are limited, so there always is one.
        """
        if self._free:
            return self._free.pop()
        if self._unmade and len(self._whole) < self._whole_max:
            self._unmade -= 1
            at = self._unmade * self.geometry.sealed_bytes
            return Slot(self._memory[at : at + self.geometry.sealed_bytes], self.geometry.slice_bytes)
        slot = self._whole.pop(next(iter(self._whole)))
        slot.clear()
        return slot

    def retain_all(self) -> None:
        """Keep whole pages while there is room, because they are to be forwarded."""
        self._whole_max = self._count

    def whole(self, key: Key) -> Slot | None:
        """Return the slot of a page that is whole and authentic, or None."""
        return self._whole.get(key)

    def partial(self, key: PartKey) -> Slot | None:
        return self._partial.get(key)

    def held(self, key: Key, generation: int) -> Slot | None:
        """Return the slot of a page of this generation, whole or partial, or None."""
        whole = self._whole.get(key)
        if whole is not None and generation_of(whole.reading) == generation:
            return whole
        for reading in self._readings.get(key, ()):
            if generation_of(reading) == generation:
                return self._partial[(*key, reading)]
        return None

    def crowded(self, key: PartKey) -> list[PartKey]:
        """Return the partial pages to drop before packets of this one can be kept.

        A forger can begin many pages, but cannot complete any. So these are the ones with the fewest packets, or those
        that were complete and wrong. Several are dropped together, because a forger's packet must not cost a look at
        all pages.
        """
        readings = self._readings.get(key[:2], ())
        if len(readings) >= READINGS_MAX:
            return [min(((*key[:2], reading) for reading in readings), key=self._worth)]
        if len(self._partial) < self._partial_max:
            return []
        return nsmallest(max(1, self._partial_max // DROPPED_SHARE), self._partial, key=self._worth)

    def _worth(self, key: PartKey) -> int:
        slot = self._partial[key]
        return 0 if slot.is_wrong else bin(slot.stored).count("1")

    def keep_partial(self, key: PartKey, slot: Slot) -> None:
        slot.reading = key[2]
        self._partial[key] = slot
        self._readings.setdefault(key[:2], []).append(key[2])
        self._whole_max = self._count

    def keep_whole(self, key: Key, slot: Slot) -> None:
        """Keep a page for decoding, and drop its partial copies."""
        for reading in self._readings.pop(key, ()):
            other = self._partial.pop((*key, reading))
            if other is not slot:
                self._release(other)
        old = self._whole.pop(key, None)
        if old is not None:
            self._release(old)
        self._whole[key] = slot

    def drop_whole(self, key: Key) -> None:
        """Drop a page that turned out not to be the caster's."""
        slot = self._whole.pop(key, None)
        if slot is not None:
            self._release(slot)

    def drop_partial(self, key: PartKey) -> None:
        """Drop one reading of a partial page."""
        self._release(self._partial.pop(key))
        readings = self._readings[key[:2]]
        readings.remove(key[2])
        if not readings:
            del self._readings[key[:2]]

    def _release(self, slot: Slot) -> None:
        slot.clear()
        self._free.append(slot)


def _mapped(size: int) -> mmap.mmap:
    """Return anonymous memory, which takes no space until it is used, with huge pages for fewer page faults."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
