"""The catcher's sealed pages: arriving ones are assembled here, whole ones stay for decoding while there is room."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice, product

from mrsync.wire.geometry import Geometry
from mrsync.wire.header import BytesLike

SLOTS = 512
_WHOLE_WITHOUT_LOSS = 8
_SPARE = 5  # beside the partial pages: two to receive into for each of two sockets, one whole

Key = tuple[int, int]  # object, page
PartKey = tuple[int, int, int]  # object, page, generation
OTHERS_MAX = 16  # packets of one page that contradict what came before
GENERATIONS_MAX = 2  # partial ones of a page: the true one, and an invented one


class Slot:
    """Room for one sealed page; slices[i] is where its packet i belongs.

    What can be judged only as a whole may have been forged in part: of an index that two different packets claim, both
    are kept, one in its place, the other one in `others`.
    """

    __slots__ = ("doubtful", "generation", "is_wrong", "others", "slices", "stored", "view")

    def __init__(self, view: memoryview, slice_bytes: int) -> None:
        self.view = view
        self.slices = [view[at : at + slice_bytes] for at in range(0, len(view), slice_bytes)]
        self.clear()

    def clear(self) -> None:
        """Nothing is here."""
        self.generation = 0
        self.is_wrong = False  # it was complete, and its seal was not right
        self.stored = 0  # bit set of packets
        self.doubtful = 0  # of these, the ones that came by themselves, or out of coded packets
        self.others: list[tuple[int, bytes]] = []

    def cut(self, length: int) -> list[memoryview]:
        """The sealed page in it, so many bytes long, cut into packets."""
        if length == len(self.view):
            return self.slices
        size = len(self.slices[0])
        return [self.view[at : min(at + size, length)] for at in range(0, length, size)]

    @property
    def suspects(self) -> int:
        """Bit set of packets that may be wrong, as far as can be known."""
        return self.doubtful | sum({1 << index for index, _ in self.others})

    def store(self, index: int, payload: BytesLike) -> bool:
        """Keep a packet; True when it contradicts one that is here, and there was room for both."""
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

    def choices(self, most: int) -> Iterator[None]:
        """Put other choices than what came first in place, one after another, at most so many; then that again."""
        claims: dict[int, list[bytes]] = {}
        for index, payload in self.others:
            claims.setdefault(index, [bytes(self.slices[index][: len(payload)])]).append(payload)
        first = tuple(claim[0] for claim in claims.values())
        last = tuple(claim[-1] for claim in claims.values())
        rest = (choice for choice in product(*claims.values()) if choice not in (first, last))
        for choice in islice(chain((last,), rest), most):
            for index, payload in zip(claims, choice):
                self.slices[index][: len(payload)] = payload
            yield
        for index, payload in zip(claims, first):
            self.slices[index][: len(payload)] = payload


class Slots:
    """A fixed number of slots: free ones, partial pages (kept until whole or crowded out), whole ones (oldest out).

    Whole pages are of use only to decode coded packets: before the first loss here, few are retained, which stay in the
    processor's cache.
    """

    def __init__(self, geometry: Geometry, count: int = SLOTS) -> None:
        self.geometry = geometry
        self._count = count
        self._memory = memoryview(_mapped(count * geometry.sealed_bytes))
        self._unmade = count
        self._whole_max = min(_WHOLE_WITHOUT_LOSS, count)
        self._partial_max = count - _SPARE
        self._free: list[Slot] = []
        self._partial: dict[PartKey, Slot] = {}
        self._generations: dict[Key, list[int]] = {}  # of partial pages
        self._whole: dict[Key, Slot] = {}

    def take(self) -> Slot:
        """A slot to receive into: a free one, an unused one, or that of the oldest whole page.

        Each of two takers holds at most two at a time, and keeps partial pages only while there is room.
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
        """Keep whole pages while there is room: they are to be passed on."""
        self._whole_max = self._count

    def whole(self, key: Key) -> Slot | None:
        """The slot of a page that is here, sealed and right."""
        return self._whole.get(key)

    def partial(self, key: PartKey) -> Slot | None:
        return self._partial.get(key)

    def held(self, key: PartKey) -> Slot | None:
        """The slot of a page of this generation that is here, whole or in part."""
        whole = self._whole.get(key[:2])
        return whole if whole is not None and whole.generation == key[2] else self._partial.get(key)

    def crowded(self, key: PartKey) -> PartKey | None:
        """What must be dropped before packets of this partial page are kept, if anything must.

        Whoever invents packets can begin many pages, but complete none: the one with the fewest packets goes, or one
        that was complete and wrong.
        """
        generations = self._generations.get(key[:2], ())
        if len(generations) >= GENERATIONS_MAX:
            return min(((*key[:2], generation) for generation in generations), key=self._worth)
        if len(self._partial) < self._partial_max:
            return None
        return min(self._partial, key=self._worth)

    def _worth(self, key: PartKey) -> int:
        slot = self._partial[key]
        return 0 if slot.is_wrong else bin(slot.stored).count("1")

    def keep_partial(self, key: PartKey, slot: Slot) -> None:
        slot.generation = key[2]
        self._partial[key] = slot
        self._generations.setdefault(key[:2], []).append(key[2])
        self._whole_max = self._count

    def keep_whole(self, key: Key, slot: Slot) -> None:
        """Retain a page for decoding; what other slots hold of it is dropped."""
        for generation in self._generations.pop(key, ()):
            other = self._partial.pop((*key, generation))
            if other is not slot:
                self._release(other)
        old = self._whole.pop(key, None)
        if old is not None:
            self._release(old)
        self._whole[key] = slot

    def drop_whole(self, key: Key) -> None:
        """Retain a page no longer: it was not the caster's."""
        slot = self._whole.pop(key, None)
        if slot is not None:
            self._release(slot)

    def drop_partial(self, key: PartKey) -> None:
        """Forget what is held of one generation of a page."""
        self._release(self._partial.pop(key))
        generations = self._generations[key[:2]]
        generations.remove(key[2])
        if not generations:
            del self._generations[key[:2]]

    def _release(self, slot: Slot) -> None:
        slot.clear()
        self._free.append(slot)


def _mapped(size: int) -> mmap.mmap:
    """Memory that costs nothing until it is used, and then few page faults."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
