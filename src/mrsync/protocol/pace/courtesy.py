"""Courtesy: leave other senders their share of a queue, by a congestion window and a pace for each monitor.

Invariant: each monitor's own signal moves its own window, and the tightest of them counts. The union of all losses
would not do, because among many targets one always loses something (PGMCC, SIGCOMM 2000).

Round trips of all listeners are noted, because one becomes a monitor when it lags: by then packets queue on the way to
it, and the shortest round trip would seem to be a long one.

A loss is congestion if the queue on that path is long; otherwise it is noise, and costs only its repair. Losses in the
listener's own socket do not concern the network; the caster's window (`sending/window.py`) handles them.

Packets leave evenly, one window per round trip, because a whole page at once would fill a short queue.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import isinf
from typing import Callable, Protocol

from mrsync.protocol.pace.cubic import Cubic
from mrsync.protocol.pace.ledbat import Ledbat
from mrsync.protocol.pace.loss_verdict import LossVerdict
from mrsync.protocol.pace.pacing import LATE_S_MAX, LATE_S_MIN, PACKETS_S_MAX, PACKETS_S_MIN
from mrsync.protocol.pace.queue_signals import QueueSignals
from mrsync.wire.messages import FlowReport, NetworkShare

LATE_SHARE = 4  # of the depth of the queue
SENT_MAX = 8192  # power of two; tx numbers that are remembered


class Control(Protocol):
    """A congestion window, which follows the reports about one path."""

    size: float  # packets that may be under way

    @property
    def is_probing(self) -> bool:
        """Whether the window still doubles, because no limit was seen."""

    def on_seen(self, packets: int, signals: QueueSignals, now: float, *, is_full: bool, is_fresh: bool) -> bool:
        """Note that this many more packets have arrived. Return whether the window was cut.

        is_full: the window kept more from leaving. is_fresh: they left after the last cut.
        """

    def on_congestion(self, signals: QueueSignals, now: float) -> None:
        """Cut the window, because the queue on the path was full."""

    def take_back_cut(self, now: float) -> None:
        """Undo the last cut: its losses were noise."""

    def packets_s(self, signals: QueueSignals) -> float:
        """Return how many packets may leave in a second; infinity: bursts leave whole."""


class Bottleneck:
    """The state of the path to one listener, and its congestion window."""

    def __init__(self, control: Control, signals: QueueSignals, origin: Bottleneck | None = None) -> None:
        self.control = control
        self.signals = signals
        self.origin = origin  # whose control it began with, until its own path was congested
        self.seen = 0  # packets sent up to the last tx that it has seen
        self.cut_tx = 0
        self.marked = 0


class Courtesy:
    """The congestion windows and the pace of a caster; without a control both are unlimited.

    sent: packets planned so far. gap_s: seconds from one packet to the next; 0: bursts leave whole. late_s: seconds
    for which packets may follow at once when a timer was late. Both are asked for several times per page, and
    change only with a report.
    """

    def __init__(self, share: NetworkShare) -> None:
        self.share = share
        self.sent = 0
        self.gap_s = 0.0
        self.late_s = LATE_S_MIN
        self._make_control = _CONTROLS[share]
        self._bottlenecks: dict[int, Bottleneck] = {}  # by listener
        self._signals: dict[int, QueueSignals] = {}  # of all listeners
        self._former: dict[int, Bottleneck] = {}  # of listeners that it followed; it may do so again
        self._is_limiting = False
        self._sent_by = array("Q", bytes(8 * SENT_MAX))  # packets sent up to and with a tx
        self._left_at = array("d", bytes(8 * SENT_MAX))  # when the last packet of a tx left

    def on_sent(self, tx: int, packets: int) -> None:
        """Note a burst that is about to leave."""
        self.sent += packets
        self._sent_by[tx & SENT_MAX - 1] = self.sent
        self._left_at[tx & SENT_MAX - 1] = 0.0

    def on_left(self, tx: int, now: float) -> None:
        """Note that the last packet of a burst has left."""
        self._left_at[tx & SENT_MAX - 1] = now

    def listen_to(self, listeners: Iterable[int]) -> None:
        """Follow these listeners from now on. A new one begins with the smallest window, a former one with its own."""
        if self._make_control is None:
            return
        before, self._bottlenecks = self._bottlenecks, {}
        tightest = min(before.values(), key=lambda known: known.control.size, default=None)
        for listener in listeners:
            known = before.pop(listener, None)
            if known is None:
                known = self._former.pop(listener, None) or self._made_like(tightest, self._signals_of(listener))
                known.seen = self.sent
            self._bottlenecks[listener] = known
        self._former |= before
        self._set_pace()

    def _made_like(self, tightest: Bottleneck | None, signals: QueueSignals) -> Bottleneck:
        if tightest is None:
            assert self._make_control is not None
            return Bottleneck(self._make_control(), signals)
        from copy import deepcopy  # the import takes 1.5 ms, and most sessions have one bottleneck

        return Bottleneck(deepcopy(tightest.control), signals, origin=tightest)

    def _signals_of(self, listener: int) -> QueueSignals:
        if listener not in self._signals:
            self._signals[listener] = QueueSignals()
        return self._signals[listener]

    def on_heard(self, listener: int, packets: int, lost: int, first_tx: int) -> None:
        """Take a listener's first report on this many packets, of which `lost` were lost.

        first_tx: the packets left with this tx and later.
        """
        if self._make_control is not None:
            self._signals_of(listener).hear(packets, lost, first_tx)

    def sees_full_queue(self, listener: int) -> bool:
        """Return whether the queue on its way is so long now that losses may come from it. They are answered here."""
        known = self._bottlenecks.get(listener)
        return known is not None and known.signals.queueing.is_full

    def on_report(self, listener: int, before: int, report: FlowReport, tx: int, now: float) -> None:
        """Take a report of a listener. before: tx_seen of its previous report; tx: the last one sent."""
        tx_seen = report.tx_seen
        if self._make_control is None or tx_seen <= before or tx_seen <= tx - SENT_MAX:
            return
        signals = self._signals_of(listener)
        signals.queueing.forget(now)
        left_at = self._left_at[report.ended_tx & SENT_MAX - 1]
        if left_at and max(signals.ended_tx, tx - SENT_MAX) < report.ended_tx <= tx:
            signals.add_round_trip(report.ended_tx, now - left_at - report.ended_hold_us / 1e6, now)
        if known := self._bottlenecks.get(listener):
            self._follow(known, before, report, tx, now)
            self._set_pace()
            return
        is_settled = not any(other.control.is_probing for other in self._bottlenecks.values())
        if is_settled and signals.learn(*signals.take_heard(), now) and listener in self._former:
            self._former[listener].control.take_back_cut(now)

    def _follow(self, known: Bottleneck, before: int, report: FlowReport, tx: int, now: float) -> None:
        """Move the window of a monitor as its report says."""
        control, signals = known.control, known.signals
        is_used = control.size < 2 * (self.sent - known.seen)
        is_full = is_used and (self._is_limiting or control.is_probing)  # as in Linux
        sent = self._sent_by[report.tx_seen & SENT_MAX - 1]
        packets, known.seen = max(0, sent - known.seen), max(known.seen, sent)
        heard, lost, heard_from = signals.take_heard()
        signals.deliveries.add(max(0, packets - lost), now, is_full=self._is_limiting)
        is_marked, known.marked = report.packets_marked > known.marked, max(known.marked, report.packets_marked)
        is_fresh = before >= known.cut_tx
        verdict = LossVerdict.NOTHING
        if is_fresh and heard_from > known.cut_tx:  # full reports mention some losses later
            verdict = signals.judge(
                heard,
                lost,
                heard_from,
                now,
                is_settled=not control.is_probing,
                are_bursts_whole=isinf(control.packets_s(signals)),
            )
        if verdict is LossVerdict.CONGESTION and not is_marked and signals.queueing.on_cut(now):
            signals.noise.confirm()
            verdict = LossVerdict.NOISE
        if is_fresh and (is_marked or verdict is LossVerdict.CONGESTION):
            known.cut_tx = tx
            known.origin = None
            if is_marked:
                signals.noise.confirm()
            control.on_congestion(signals, now)
        elif verdict is LossVerdict.NOISE:
            for other in self._bottlenecks.values():
                if known in (other, other.origin):
                    other.control.take_back_cut(now)
        elif packets and control.on_seen(
            packets, signals, now, is_full=is_full, is_fresh=signals.ended_tx > known.cut_tx
        ):
            known.cut_tx = tx

    def report_packets(self, reports_per_window: int) -> float:
        """Return after how many packets a report is due; half as many reports do where nothing is limited."""
        return self.size / (reports_per_window if self._is_limiting else reports_per_window / 2)

    def note(self, *, is_limiting: bool) -> None:
        """Note whether there is more to send than this window and this pace allow.

        If not, arrivals show how little there was to send, and not what the path can carry.
        """
        self._is_limiting = is_limiting

    @property
    def size(self) -> float:
        """Number of packets that may be under way."""
        return min((bottleneck.control.size for bottleneck in self._bottlenecks.values()), default=float("inf"))

    def open_until(self, listeners: Iterable[int], page_packets: int) -> float:
        """Return the number of `sent` packets at which the windows of these listeners have no room for another page."""
        followed = [self._bottlenecks[listener] for listener in listeners if listener in self._bottlenecks]
        ends = [known.seen + known.control.size for known in followed]
        return min(ends, default=float("inf")) + 2 * page_packets

    def _set_pace(self) -> None:
        """Set gap_s and late_s:

        the slowest path counts, and packets that follow at once must fit into the shortest queue.
        """
        followed = self._bottlenecks.values()
        rates = (known.control.packets_s(known.signals) for known in followed if known.signals.queueing.rtt_s)
        packets_s = max(PACKETS_S_MIN, min(rates, default=PACKETS_S_MAX))
        self.gap_s = 1 / packets_s if packets_s < PACKETS_S_MAX else 0.0
        depth_s = min((known.signals.queueing.depth_s for known in followed), default=0.0)
        self.late_s = min(LATE_S_MAX, max(LATE_S_MIN, depth_s / LATE_SHARE))


_CONTROLS: dict[NetworkShare, Callable[[], Control] | None] = {
    NetworkShare.ALL: None,
    NetworkShare.FAIR: Cubic,
    NetworkShare.POLITE: Ledbat,
}
