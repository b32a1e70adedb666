"""Histogram: how long round trips took, for the caster's own and for those that rtt measures."""

from __future__ import annotations

from collections.abc import Iterable


class Histogram:
    """Counts of round trips by their microseconds; at least 1, so that none is free."""

    def __init__(self, counts: dict[int, int] | None = None) -> None:
        self.counts = dict(counts or {})

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Histogram:
        """All of several."""
        whole = cls()
        for part in parts:
            for micros, count in part.counts.items():
                whole.counts[micros] = whole.counts.get(micros, 0) + count
        return whole

    def add(self, seconds: float) -> None:
        """One more round trip."""
        micros = max(1, round(seconds * 1e6))
        self.counts[micros] = self.counts.get(micros, 0) + 1

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    @property
    def longest_us(self) -> int:
        """0: there is none."""
        return max(self.counts, default=0)

    def quantile_us(self, share: float) -> int:
        """The round trip that this share of them does not exceed; 0: there is none."""
        rank = self.total * share
        seen = 0
        for micros in sorted(self.counts):
            seen += self.counts[micros]
            if seen >= rank:
                return micros
        return 0

    def milliseconds(self) -> list[tuple[int, int]]:
        """(upper bound in whole ms, count), as 4.0.1 printed it: what took up to 1 ms is counted at 1."""
        return self._binned({micros: -(-micros // 1000) for micros in self.counts})

    def bars(self, bar_count: int) -> list[tuple[int, int]]:
        """At most so many bars of equal width over all there is: (upper bound in us, count), empty ones between too."""
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
    """1, 2 or 5 times a power of ten, not less than this."""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if step * scale >= micros:
                return step * scale
        scale *= 10
