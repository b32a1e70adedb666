"""Clock: what clocks the caster: the monitor, its standbys, the window they keep open, the round trips they show.

Invariant: the window is held against the slowest of those who answer, so that nobody who is here is overrun. Three are
chosen by how far they lag, smoothed, with a bonus for who was chosen before: their reports come every few pages, the
others' once per round, and so the cost of being clocked does not grow with the number of targets (PGMCC, SIGCOMM 2000).

Why it holds: who becomes slower lags more, and is a monitor within an election or two; meanwhile its own socket and
disk hold half a buffer. Who stops answering (it has not heard anything new for ANSWER_S) holds nobody: it is waited for
by liveness, not by the window. What would break it: an answer that shows nothing of what was done, which is why tx_done
counts what is written; and more slow targets than monitors, all different, which only repairs make up for.

A round trip is from a burst's leaving to the report that shows it written, without the time the target held it. What
left before a lapse of the caster's clock shows none.
"""

from __future__ import annotations

from array import array
from heapq import nlargest

from mrsync.protocol.sending.courtesy import Courtesy
from mrsync.protocol.sending.flow import Audience, Flow
from mrsync.protocol.sending.losses import LossFinding
from mrsync.protocol.sending.pacing import Pacing
from mrsync.protocol.sending.window import Window
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import MONITORS_MAX
from mrsync.wire.messages import NetworkShare, Report

INCUMBENT_BONUS = 1.3  # a challenger must lag that much more
LAG_SMOOTHING = 0.2
BUSY_S = 0.005  # who sends nothing for longer has nothing to send, or waits
SENT_TIMES = 8192  # power of two; tx numbers whose sending time is remembered
REPORT_PAGES = 40  # with a full window: 16 cost 5 % more CPU on a host of two processors
REPORTS_PER_WINDOW = 4


class Clock:
    """Feeds reports to the window; chooses whose progress counts."""

    def __init__(self, audience: Audience, window: Window, courtesy: Courtesy) -> None:
        self.window = window
        self.pacing = Pacing()
        self.monitors: list[Flow] = []
        self.rtt_us: dict[int, int] = {}  # round trip in us, two significant digits -> count
        self._audience = audience
        self._courtesy = courtesy
        self._page_packets = 1
        self._sent_at = array("d", bytes(8 * SENT_TIMES))
        self._sent_by = array("Q", bytes(8 * SENT_TIMES))  # packets to each listener, from the first one on,
        self._busy_by = array("d", bytes(8 * SENT_TIMES))  # and in how many seconds, without those of waiting
        self._packets_sent, self._busy_s, self._sent_last = 0, 0.0, 0.0
        self._timed_from = 0  # round trips of earlier tx numbers are not known
        self._elected_at: float | None = None

    def fit(self, geometry: Geometry) -> None:
        """Pages are cut so from now on."""
        self.window.fit(geometry)
        self._page_packets = geometry.packets

    @property
    def report_pages(self) -> int:
        """A monitor reports after so many pages: often enough that a narrow window stays open."""
        pages = min(self.window.size, self._courtesy.size / self._page_packets)
        return max(1, min(REPORT_PAGES, int(pages) // REPORTS_PER_WINDOW))

    def on_sent(self, tx: int, packets: int, now: float) -> None:
        """A burst left; a status has no packets that count."""
        at = tx & SENT_TIMES - 1
        self._sent_at[at] = now + packets * self._listener_gap_s
        self._courtesy.on_sent(tx, packets)
        self._packets_sent += packets
        self._busy_s += min(BUSY_S, now - self._sent_last)
        self._sent_last = now
        self._sent_by[at], self._busy_by[at] = self._packets_sent, self._busy_s
        self.window.on_sent(packets * self._audience.copies, now)  # the rate cap counts them all

    def on_left(self, tx: int, now: float) -> None:
        """The last packet of a page has left."""
        self._sent_at[tx & SENT_TIMES - 1] = now
        self._courtesy.on_left(tx, now)

    def on_spared(self, packets: int, now: float) -> None:
        """The last burst has this many packets fewer than `on_sent` was told."""
        self._packets_sent -= packets
        self.window.on_sent(-packets * self._audience.copies, now)

    def on_report(self, flow: Flow, old: Report | None, new: Report, tx: int, now: float) -> None:
        """Take the flow control part of a report."""
        flow.lag += LAG_SMOOTHING * (tx - new.tx_done - flow.lag)
        if new.kernel_drops > (old.kernel_drops if old else 0) and not flow.is_shed:
            self.window.on_congestion(tx, new.tx_seen)
            self.window.keep_cut()  # that is no noise
        if flow in self.monitors:
            is_timed = new.tx_done >= max(self._timed_from, tx - SENT_TIMES + 1)
            if old is not None and new.tx_done > old.tx_done and is_timed:
                rtt_s = max(1e-6, now - self._sent_at[new.tx_done & SENT_TIMES - 1] - new.hold_us / 1e6)
                flow.delay.add(rtt_s, now)
                self._count_rtt(rtt_s)
            self.window.on_progress(self.tx_done(now), self.monitors[0].delay, now)
            self.pacing.on_progress(self.tx_done(now), tx)
            if old is not None:
                self._courtesy.on_report(flow.id, old.tx_seen, new, tx, now)

    def forget_times(self, tx: int) -> None:
        """The caller's clock stood still for a while: only what is sent behind this tx shows a round trip."""
        self._timed_from = tx + 1

    @property
    def gap_s(self) -> float:
        """Seconds from one packet to the next, copies counted; 0: bursts leave whole."""
        return self._listener_gap_s / self._audience.copies

    @property
    def _listener_gap_s(self) -> float:
        return max(self.pacing.gap_s, self._courtesy.gap_s)

    @property
    def share(self) -> NetworkShare:
        """How much of the network this takes."""
        return self._courtesy.share

    def is_courteous(self, now: float) -> bool:
        """Whether a page more leaves others on the way their share."""
        audience, page = self._audience, self._page_packets
        return all(self._courtesy.is_open(flow.id, page) for flow in self.monitors if audience.is_answering(flow, now))

    def note_limit(self, now: float) -> None:
        """There may be more to send: see whether courtesy forbids it."""
        self._courtesy.note(is_limiting=self._courtesy.gap_s > self.pacing.gap_s or not self.is_courteous(now))

    def on_heard(self, flow: Flow, packets: int, lost: int, tx: int, now: float) -> None:
        """A listener spoke for the first time of so many packets, and lost so many of them."""
        if flow.is_shed:
            return
        pacing = self.pacing
        if lost:
            self._courtesy.on_lost(flow.id)
        if self._courtesy.sees_queue(flow.id):
            return
        finding = flow.losses.hear(packets, lost, tx_seen=flow.tx_seen, tx=tx, now=now, is_paced=pacing.is_on)
        if finding is LossFinding.SUSPICION:
            self._slow_down(flow, tx)
            flow.slowed_at = now
        elif finding is LossFinding.CONGESTION:
            self.window.keep_cut()
        elif finding is LossFinding.NOISE:
            pacing.take_back_cut()
            self.window.take_back_cut()

    def _slow_down(self, flow: Flow, tx: int) -> None:
        """More is lost than noise: send as much as came through, or where no timer is fine enough for that, half."""
        pacing, losses = self.pacing, flow.losses
        came_s = self._sending_rate(*losses.span) * (1 - losses.share)
        if not pacing.is_on:
            pacing.begin(came_s, tx)
        else:
            pacing.cut(losses.share - losses.noise, came_s, tx, flow.tx_seen)
        if pacing.is_on:
            for other in self._audience.flows:
                if other is not flow:
                    other.losses.restart(tx)
        else:
            self.window.on_congestion(tx, flow.tx_seen)

    def _sending_rate(self, first_tx: int, last_tx: int) -> float:
        """Packets per second from the one tx to the other."""
        first, last = first_tx & SENT_TIMES - 1, last_tx & SENT_TIMES - 1
        return (self._sent_by[last] - self._sent_by[first]) / max(1e-3, self._busy_by[last] - self._busy_by[first])

    def elect(self, now: float) -> bool:
        """Choose the slowest answering targets as monitors, if there are to be any; True when the choice changed."""
        if not self.window.is_bounded:
            return False
        if self._elected_at is not None:
            for flow in self.monitors[:1]:
                flow.monitor_s += now - self._elected_at
        self._elected_at = now
        incumbents = {flow.id for flow in self.monitors}

        def slowness(flow: Flow) -> float:
            return flow.lag * INCUMBENT_BONUS if flow.id in incumbents else flow.lag

        self.monitors = nlargest(MONITORS_MAX, self._audience.answering(now), key=slowness)
        self._courtesy.listen_to(flow.id for flow in self.monitors)
        return {flow.id for flow in self.monitors} != incumbents

    def slow(self, tx: int) -> set[int]:
        """Those whose progress keeps the window closed."""
        return {flow.id for flow in self.monitors if not self.window.room(tx, flow.tx_done)}

    def tx_done(self, now: float) -> int:
        """The slowest monitor's progress; one that does not answer holds the clock only if none does."""
        audience = self._audience
        answering = [flow.tx_done for flow in self.monitors if audience.is_answering(flow, now)]
        return min(answering or [flow.tx_done for flow in self.monitors], default=0)

    def _count_rtt(self, seconds: float) -> None:
        micros = max(1, round(seconds * 1e6))
        scale = 10 ** max(0, len(str(micros)) - 2)
        bucket = micros // scale * scale
        self.rtt_us[bucket] = self.rtt_us.get(bucket, 0) + 1
