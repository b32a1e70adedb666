"""What drops packets on a path: losses in runs, bad spells, a policer."""

from __future__ import annotations

import math
import random

RUN_S = 0.005
BAD_LOSS = 0.5  # of the packets of a bad spell


class LossProcess:
    """Which of the next packets are hit: runs of geometric length, at geometric distances."""

    def __init__(self, rng: random.Random, rate: float, run: float = 1.0) -> None:
        self._rng = rng
        self._run = run
        self._gap = run * (1 - rate) / rate if rate else math.inf
        self._until = self._draw(self._gap)
        self._left = 0  # of the run that goes on
        self._drawn_at = 0.0

    def _draw(self, mean: float) -> float:
        """A whole number of at least 0 with this mean."""
        if mean == math.inf or mean <= 0:
            return mean
        return int(math.log(1 - self._rng.random()) / math.log(mean / (mean + 1)))

    def draw(self, packets: int, now: float) -> int:
        """The bit set of those hit among the next packets; a run does not outlast a silence."""
        if now - self._drawn_at > RUN_S:
            self._left = 0
        self._drawn_at = now
        if not self._left and self._until >= packets:
            self._until -= packets
            return 0
        hit = 0
        for at in range(packets):
            if not self._left and self._until <= 0:
                self._left = 1 + int(self._draw(self._run - 1))
                self._until = self._draw(self._gap)
            if self._left:
                self._left -= 1
                hit |= 1 << at
            else:
                self._until -= 1
        return hit


class BadSpells:
    """A channel that is good or bad for a while, whatever is sent (Gilbert 1960, Elliott 1963), as a radio is.

    good_s, bad_s: how long on average. Both ends are drawn from an exponential distribution. good_s = 0: it stays good.
    """

    def __init__(self, rng: random.Random, good_s: float, bad_s: float) -> None:
        self._rng = rng
        self._means_s = good_s, bad_s
        self._is_bad = False
        self._until = self._draw() if good_s else math.inf

    def _draw(self) -> float:
        return self._rng.expovariate(1 / self._means_s[self._is_bad])

    def draw(self, packets: int, now: float) -> int:
        """The bit set of those lost among packets that come now."""
        while now >= self._until:
            self._is_bad = not self._is_bad
            self._until += self._draw()
        return sum(1 << at for at in range(packets) if self._rng.random() < BAD_LOSS) if self._is_bad else 0


class Policer:
    """A token bucket: what comes faster than the rate for longer than the bucket lasts is dropped, and never queues."""

    def __init__(self, bytes_s: float, bucket_bytes: int) -> None:
        self._bytes_s = bytes_s
        self._bucket_bytes = bucket_bytes
        self._tokens = float(bucket_bytes)
        self._now = 0.0

    def drop(self, packets: int, size_bytes: int, now: float) -> int:
        """The bit set of those dropped among packets that come at once."""
        self._tokens = min(self._bucket_bytes, self._tokens + self._bytes_s * max(0.0, now - self._now))
        self._now = max(self._now, now)
        passed = min(packets, int(self._tokens / size_bytes))
        self._tokens -= passed * size_bytes
        return (1 << packets) - (1 << passed)
