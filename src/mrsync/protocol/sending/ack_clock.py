"""AckClock: the monitors that clock the caster, the window that they keep open, and the round trips that they show.

Invariant: the window is measured against the slowest target that answers, so that no such target is overrun. Three
monitors are elected: those that lag most, smoothed, with a bonus for incumbents. They report every few pages, all
others once per cycle. So the cost of clocking does not grow with the number of targets (PGMCC, SIGCOMM 2000).

Why it holds: a target that becomes slower lags more, and is elected soon. Until then its socket buffer takes what it
cannot process. A target that stops answering (it reports nothing new for ANSWER_S) blocks nobody; liveness decides on
it, not the window. What would break it: an acknowledgement before the work is done, which is why tx_done counts only
written pages; and more slow targets than monitors, each slow at another time, for which only repairs make up.

A round trip is the time from the sending of a burst to the report that it is written, without the time for which the
target held the report. Bursts sent before a lapse of the caster's clock show none.
"""

from __future__ import annotations

from heapq import nlargest

from mrsync.protocol.core.recent import Recent
from mrsync.protocol.pace.courtesy import Courtesy
from mrsync.protocol.pace.loss_verdict import LossVerdict
from mrsync.protocol.pace.pacing import Pacing
from mrsync.protocol.sending.departures import TIMES, Departures
from mrsync.protocol.sending.flow import Audience, Flow
from mrsync.protocol.sending.loss_trials import LossSample
from mrsync.protocol.sending.window import Window
from mrsync.wire.geometry import Geometry
from mrsync.wire.limits import MONITORS_MAX
from mrsync.wire.messages import FlowReport, NetworkShare

INCUMBENT_BONUS = 1.3  # a challenger must lag this much more
LAG_SMOOTHING = 0.2
REPORT_PAGES = 40  # with a full window: 16 cost 5 % more CPU on a host of two processors
REPORTS_PER_WINDOW = 4
RATE_SPAN_S = 1.0  # at the end of a session little is sent, and reports are urgent
JUDGED_S = 0.1  # for reports on a trial; one that reports nothing must not keep the rate down


class AckClock:
    """Elect monitors, and update window and pacing by their reports."""

    def __init__(self, audience: Audience, window: Window, courtesy: Courtesy) -> None:
        self.window = window
        self.pacing = Pacing()
        self.monitors: list[Flow] = []
        self.rtt_us: dict[int, int] = {}  # round trip in us, two significant digits -> count
        self._audience = audience
        self._courtesy = courtesy
        self._page_packets = 1
        self._departures = Departures()
        self._timed_from = 0  # earlier tx numbers show no round trips
        self._elected_at: float | None = None
        self._elected_sent = 0  # packets that were sent by then
        self._rates = Recent(RATE_SPAN_S, max)
        self._judged_by = 0.0  # until then the first rate does not grow, or the trial would be of a larger one

    def fit(self, geometry: Geometry) -> None:
        """Set the geometry of pages from now on."""
        self.window.fit(geometry)
        self._page_packets = geometry.packets

    def begin_object(self) -> None:
        """Forget how fast the last object was sent: a small one says little of what the path carries."""
        self._rates = Recent(RATE_SPAN_S, max)

    @property
    def report_pages(self) -> int:
        """Number of pages after which monitors report, often enough for a narrow window."""
        packets = self._courtesy.report_packets(REPORTS_PER_WINDOW)
        return max(1, int(min(REPORT_PAGES, self.window.size // REPORTS_PER_WINDOW, packets / self._page_packets)))

    @property
    def packets_s(self) -> float:
        """The most packets per second that were sent between two elections of late. 0: not known."""
        return self._rates.value or 0.0

    @property
    def round_trip_s(self) -> float:
        """The longest of the monitors' last round trips, with all queues and the writing. 0: none is known."""
        return max((flow.delay.rtt_s for flow in self.monitors), default=0.0)

    def on_sent(self, tx: int, packets: int, payload_bytes: int, now: float) -> None:
        """Note that a burst was sent. packets, payload_bytes: of pages; 0 for a status."""
        self._departures.on_planned(tx, packets, now, self._listener_gap_s)
        self._courtesy.on_sent(tx, packets)
        self.window.on_sent(payload_bytes * self._audience.copies, now)  # the rate cap counts all copies

    def on_left(self, tx: int, now: float) -> None:
        """Note that the last packet of a page was sent."""
        self._departures.on_left(tx, now)
        self._courtesy.on_left(tx, now)

    def on_spared(self, packets: int, payload_bytes: int, now: float) -> None:
        """Note by how much the last burst is smaller than `on_sent` assumed."""
        self._departures.on_spared(packets)
        self.window.on_sent(-payload_bytes * self._audience.copies, now)

    def on_report(self, flow: Flow, old: FlowReport | None, new: FlowReport, tx: int, now: float) -> None:
        """Take the part of a report that is about flow control. tx: the last one sent."""
        flow.lag += LAG_SMOOTHING * (tx - new.tx_done - flow.lag)
        if new.kernel_drops > (old.kernel_drops if old else 0) and not flow.is_shed:
            self.window.on_congestion(tx, new.tx_seen)
            self.window.keep_cut()  # drops at a host are not noise
        if flow in self.monitors:
            is_timed = new.tx_done >= max(self._timed_from, tx - TIMES + 1)
            if old is not None and new.tx_done > old.tx_done and is_timed:
                rtt_s = max(1e-6, now - self._departures.at(new.tx_done) - new.hold_us / 1e6)
                flow.delay.add(rtt_s, now)
                self._count_rtt(rtt_s)
            self.window.on_progress(self.tx_done(now), self.monitors[0].delay, now)
            if now >= self._judged_by:
                self.pacing.on_progress(self.tx_done(now), tx)
        if old is not None:
            self._courtesy.on_report(flow.id, old.tx_seen, new, tx, now)

    @property
    def plan_max(self) -> int:
        """Number of bursts to plan at once."""
        return 1 if self.gap_s else self._departures.plan_max  # if it is spread, the driver asks again after each

    def forget_times(self, tx: int) -> None:
        """Ignore round trips of bursts up to this tx, because the caller's clock stood still."""
        self._timed_from = tx + 1

    @property
    def gap_s(self) -> float:
        """Seconds between two packets, counting copies. 0: bursts are sent whole."""
        return self._listener_gap_s / self._audience.copies

    @property
    def late_s(self) -> float:
        """Seconds for which packets may follow at once when a timer was late."""
        return self.pacing.late_s if self.pacing.is_on else self._courtesy.late_s

    @property
    def _listener_gap_s(self) -> float:
        return max(self.pacing.gap_s, self._courtesy.gap_s)

    @property
    def share(self) -> NetworkShare:
        """How the session shares the network."""
        return self._courtesy.share

    def is_courteous(self, until: float) -> bool:
        """Return whether another page leaves other traffic its share. until: see `courteous_until`."""
        return self._courtesy.sent < until

    def courteous_until(self, now: float) -> float:
        """Return the number of packets, of all that were sent, at which courtesy waits for further reports.

        It holds for a whole plan, so that not every monitor is asked for every page.
        """
        answering = [flow.id for flow in self.monitors if self._audience.is_answering(flow, now)]
        return self._courtesy.open_until(answering, self._page_packets)

    def note_limit(self, until: float, *, has_more: bool) -> None:
        """Note whether courtesy limits what could be sent now. has_more: there is something to send."""
        is_limiting = has_more and (self._courtesy.gap_s > self.pacing.gap_s or not self.is_courteous(until))
        self._courtesy.note(is_limiting=is_limiting)

    def on_losses(self, flow: Flow, heard: LossSample, first_tx: int, tx: int, now: float) -> None:
        """Take a first report on packets that left with first_tx and later.

        tx: the last one sent. Without monitors, only the rate cap
        limits the caster: nothing would show that a slower pace may grow again. Where the queue can be seen to be full,
        courtesy answers. Other losses are tried here, whatever queue was seen before: late programs look like one, and
        nobody else would answer what a short queue drops. While a trial has spread the packets, all losses are judged
        here as well: the rate must not grow into a queue.
        """
        if flow.is_shed or not self.window.is_bounded:
            return
        pacing = self.pacing
        self._courtesy.on_heard(flow.id, heard.packets, heard.lost, first_tx)
        if self._courtesy.sees_full_queue(flow.id) and not (flow.losses.is_on_trial or pacing.is_on):
            return
        verdict = flow.losses.add(heard, first_tx=first_tx, tx_seen=flow.tx_seen, tx=tx, now=now, is_paced=pacing.is_on)
        if verdict is LossVerdict.SUSPICION:
            self._slow_down(flow, tx, now)
            flow.slowed_at = now
        elif verdict is not LossVerdict.NOTHING:
            self._judged_by = now
        if verdict is LossVerdict.CONGESTION:
            self.window.keep_cut()
        elif verdict is LossVerdict.NOISE:
            pacing.take_back_cut(tx)
            self.window.take_back_cut()

    def _slow_down(self, flow: Flow, tx: int, now: float) -> None:
        """Slow down to the rate that arrived, or halve the window if timers are too coarse for pacing."""
        pacing, losses = self.pacing, flow.losses
        excess = max(0.0, losses.share - losses.noise) / (1 - losses.noise)  # of the packets that noise leaves
        came_s = self._departures.packets_s(*losses.span) * (1 - excess)
        if not pacing.is_on:
            pacing.begin(came_s, tx)
            self._judged_by = now + JUDGED_S + 2 * self._audience.cycle_s
        else:
            pacing.cut(excess, came_s, tx, flow.tx_seen)
        if pacing.is_on:
            for other in self._audience.flows:
                if other is not flow:
                    other.losses.restart(tx, now)
        else:
            self.window.on_congestion(tx, flow.tx_seen)

    def elect(self, now: float) -> bool:
        """Elect the slowest answering targets as monitors. Return whether the monitors changed."""
        if not self.window.is_bounded:
            return False
        if self._elected_at is not None:
            for flow in self.monitors[:1]:
                flow.monitor_s += now - self._elected_at
            if now > self._elected_at:
                self._rates.add((self._courtesy.sent - self._elected_sent) / (now - self._elected_at), now)
        self._elected_at, self._elected_sent = now, self._courtesy.sent
        incumbents = {flow.id for flow in self.monitors}

        def slowness(flow: Flow) -> float:
            return flow.lag * INCUMBENT_BONUS if flow.id in incumbents else flow.lag

        self.monitors = nlargest(MONITORS_MAX, self._audience.answering(now), key=slowness)
        self._courtesy.listen_to(flow.id for flow in self.monitors)
        return {flow.id for flow in self.monitors} != incumbents

    def slow(self, tx: int) -> set[int]:
        """Return the monitors that keep the window closed."""
        return {flow.id for flow in self.monitors if not self.window.room(tx, flow.tx_done)}

    def tx_done(self, now: float) -> int:
        """Return the tx_done of the slowest monitor that answers, or of the slowest one if none answers."""
        audience = self._audience
        answering = [flow.tx_done for flow in self.monitors if audience.is_answering(flow, now)]
        return min(answering or [flow.tx_done for flow in self.monitors], default=0)

    def _count_rtt(self, seconds: float) -> None:
        micros = max(1, round(seconds * 1e6))
        scale = 10 ** max(0, len(str(micros)) - 2)
        bucket = micros // scale * scale
        self.rtt_us[bucket] = self.rtt_us.get(bucket, 0) + 1
