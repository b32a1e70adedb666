"""Noise: what share of packets one listener loses while hardly anything queues, so that no queue can have dropped them.

A radio or a bad cable loses the same share whether packets queue or not. So losses while a queue is long mean that it
is full only if clearly more is lost than while it is short. Until a share is known, each loss counts as a full queue:
then less is sent, the queue gets shorter, and any further losses are noise. Losses that come in runs vary more from
report to report than independent ones, and so much more must be lost to show a full queue.

Congestion is judged again by the losses after it. If these show that it was noise, the cut is undone. What would break
this: if noise begins while the queue is long, it costs cuts until the queue has been short for some hundred packets.
"""

from __future__ import annotations

from math import sqrt

PACKETS_REMEMBERED = 4000  # older ones count less
FORGOTTEN_S = 20.0
SIGMAS = 3.0  # above what is expected
SIGMAS_BLAMED = 2.0
REPORTS_MIN = 3  # with losses: a single one may be late, and reflect a queue that was full before
PACKETS_JUDGED = 1000  # learned of after congestion; then it stands


class Noise:
    """The noise of one path, from its losses as they are reported."""

    def __init__(self) -> None:
        self._packets = self._lost = 0.0  # while little queued
        self._reports = self._squares = 0.0  # number of those, and the sum of the squares of their losses
        self._lossy = 0.0  # number of those with losses
        self._heard_at = 0.0  # the last of these
        self._long_packets = self._long_lost = 0  # while much queued, since then or since the last congestion
        self.suspicions = 0  # times that losses were taken for congestion, and not judged again yet;
        self._blamed_packets = self._blamed_lost = 0  # those that were
        self._judging = 0  # packets learned of since then

    @property
    def share(self) -> float:
        """The share that is lost whatever queues; 0: none, or none is known."""
        return self._lost / self._packets if self._packets and self._lossy >= REPORTS_MIN else 0.0

    def _deviation(self, expected: float) -> float:
        """Return the standard deviation of a number of losses; larger than a root where they come in runs."""
        spread = self._squares / self._lost - self._lost / self._reports if self._lost else 1.0
        return sqrt(expected * max(1.0, spread))

    def learn(self, packets: int, lost: int, now: float) -> bool:
        """Take how many of these packets were lost while hardly anything queued.

        Return whether earlier losses that counted as congestion were noise, too.
        """
        if self._packets > PACKETS_REMEMBERED or now - self._heard_at > FORGOTTEN_S:
            self._packets, self._lost = self._packets / 2, self._lost / 2
            self._reports, self._squares, self._lossy = self._reports / 2, self._squares / 2, self._lossy / 2
        self._packets += packets
        self._lost += lost
        self._reports += 1
        self._squares += lost * lost
        self._lossy += bool(lost)
        self._heard_at = now
        self._long_packets = self._long_lost = 0
        return bool(self.suspicions) and self._clears(packets)

    def _clears(self, packets: int) -> bool:
        self._judging += packets
        expected = self.share * self._blamed_packets
        is_noise = self._blamed_lost <= expected + SIGMAS_BLAMED * self._deviation(expected)
        if is_noise or self._judging > PACKETS_JUDGED:
            self.confirm()
        return is_noise

    def confirm(self) -> None:
        """Keep the judgement that losses were congestion."""
        self.suspicions = self._blamed_packets = self._blamed_lost = 0

    def is_exceeded(self, packets: int, lost: int) -> bool:
        """Take what was lost while much queued. Return whether it shows that the queue was full."""
        self._long_packets += packets
        self._long_lost += lost
        expected = self.share * self._long_packets
        if not lost or (expected and self._long_lost <= 1 + expected + SIGMAS * self._deviation(expected)):
            return False
        self.suspicions += 1
        self._blamed_packets += self._long_packets
        self._blamed_lost += self._long_lost
        self._judging = 0
        self._long_packets = self._long_lost = 0
        return True
