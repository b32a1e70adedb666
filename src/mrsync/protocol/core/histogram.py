"""Histogram of round trips, for sessions and for rtt."""

from __future__ import annotations

from collections.abc import Iterable


class Histogram:
    """Numbers of round trips by their whole microseconds, at least 1."""

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self.counts = dict(counts or {})

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Histogram:
        """Return the sum of several histograms."""
        whole = cls()
        for part in parts:
            for micros, count in part.counts.items():
                whole.counts[micros] = whole.counts.get(micros, 0) + count
        return whole

    def add(self, seconds: float) -> None:
        """Add a round trip."""
        micros = max(1, round(seconds * 1e6))
        self.counts[micros] = self.counts.get(micros, 0) + 1

    @property
    def total(self) -> int:
        """Number of round trips."""
        return sum(self.counts.values())

    @property
    def longest_us(self) -> int:
        """The longest round trip, or 0 if there is none."""
        return max(self.counts, default=0)

    def quantile_us(self, share: float) -> int:
        """Return the round trip that this share of all does not exceed, or 0 if there is none."""
        rank = self.total * share
        seen = 0
        for micros in sorted(self.counts):
            seen += self.counts[micros]
            if seen >= rank:
                return micros
        return 0

    def milliseconds(self) -> list[tuple[int, int]]:
        """Return (upper bound in ms, count) like 4.0.1: a round trip of up to 1 ms counts as 1."""
        return self._binned({micros: -(-micros // 1000) for micros in self.counts})

    def bars(self, bar_count: int) -> list[tuple[int, int]]:
        """Return at most bar_count bars of equal width: (upper bound in us, count), with empty ones in between."""
        if not self.counts:
            return []
        lowest, highest = min(self.counts), max(self.counts)
        width = _round_width((highest - lowest) / bar_count)
        first, last = lowest // width, highest // width
        while last - first >= bar_count:
            width = _round_width(width + 1)
            first, last = lowest // width, highest // width
        binned = dict(self._binned({micros: micros // width for micros in self.counts}))
        return [((number + 1) * width, binned.get(number, 0)) for number in range(first, last + 1)]

    def _binned(self, bin_of: dict[int, int]) -> list[tuple[int, int]]:
        bins: dict[int, int] = {}
        for micros, count in self.counts.items():
            bins[bin_of[micros]] = bins.get(bin_of[micros], 0) + count
        return sorted(bins.items())


def _round_width(micros: float) -> int:
    """Return the smallest 1, 2 or 5 times a power of ten that is at least `micros`."""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if step * scale >= micros:
                return step * scale
        scale *= 10
