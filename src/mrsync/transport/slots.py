"""The catcher's sealed pages: arriving ones are assembled here, whole ones stay for decoding while there is room."""

from __future__ import annotations

import mmap
from contextlib import suppress

from mrsync.wire.geometry import Geometry

SLOTS = 512
_WHOLE_WITHOUT_LOSS = 8
_SPARE = 5  # beside the partial pages: two to receive into for each of two sockets, one whole

Key = tuple[int, int]  # object, page


class Slot:
    """Room for one sealed page; slices[i] is where its packet i belongs."""

    __slots__ = ("generation", "slices", "view")

    def __init__(self, view: memoryview, slice_bytes: int) -> None:
        self.view = view
        self.slices = [view[at : at + slice_bytes] for at in range(0, len(view), slice_bytes)]
        self.generation = 0


class Slots:
    """A fixed number of slots: free ones, partial pages (kept until whole or dropped), whole ones (oldest out).

    Whole pages are of use only to decode coded packets: before the first loss here, few are retained, which stay in the
    processor's cache.
    """

    def __init__(self, geometry: Geometry, count: int = SLOTS) -> None:
        self._geometry = geometry
        self._count = count
        self._memory = memoryview(_mapped(count * geometry.sealed_bytes))
        self._unmade = count
        self._whole_max = min(_WHOLE_WITHOUT_LOSS, count)
        self._partial_max = count - _SPARE
        self._free: list[Slot] = []
        self._partial: dict[Key, Slot] = {}
        self._whole: dict[Key, Slot] = {}

    @property
    def has_room(self) -> bool:
        """Whether one more partial page may be kept."""
        return len(self._partial) < self._partial_max

    def take(self) -> Slot:
        """A slot to receive into: a free one, an unused one, or that of the oldest whole page.

        Each of two takers holds at most two at a time, and keeps partial pages only while there is room.
        """
        if self._free:
            return self._free.pop()
        if self._unmade and len(self._whole) < self._whole_max:
            self._unmade -= 1
            at = self._unmade * self._geometry.sealed_bytes
            return Slot(self._memory[at : at + self._geometry.sealed_bytes], self._geometry.slice_bytes)
        return self._whole.pop(next(iter(self._whole)))

    def release(self, slot: Slot) -> None:
        """The slot holds nothing any more."""
        self._free.append(slot)

    def partial(self, key: Key) -> Slot | None:
        return self._partial.get(key)

    def held(self, key: Key) -> Slot | None:
        """The slot of a page that is here, whole or in part."""
        return self._whole.get(key) or self._partial.get(key)

    def keep_partial(self, key: Key, slot: Slot) -> None:
        self._partial[key] = slot
        self._whole_max = self._count

    def keep_whole(self, key: Key, slot: Slot) -> None:
        """Retain a page for decoding; what another slot held of it is dropped."""
        if self._partial.get(key) is slot:
            del self._partial[key]
        elif key in self._partial or key in self._whole:
            self.drop(key)
        self._whole[key] = slot

    def drop(self, key: Key) -> None:
        """Forget what is held of a page."""
        for kept in (self._partial, self._whole):
            slot = kept.pop(key, None)
            if slot is not None:
                self._free.append(slot)


def _mapped(size: int) -> mmap.mmap:
    """Memory that costs nothing until it is used, and then few page faults."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel without huge pages
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
