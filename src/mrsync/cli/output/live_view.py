"""The live view: make one frame of text for a terminal from the latest snapshot.

A frame has a headline (phase, amount, rate, time left), a bar, a line of counts, and a table of targets. Active targets
come first, the slowest on top. Hosts that have ended badly are combined in one line per state. A frame never has more
or longer lines than the terminal. It consists of plain strings with style names, so it can be tested without a
terminal. It is cheap, because a table of 1000 targets is built only as far as it fits.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from functools import lru_cache

from mrsync.cli.output.report import percentage, size
from mrsync.run.cast.outcome import TargetState
from mrsync.run.observer import Snapshot, TargetProgress
from mrsync.spelling import counted

SPARKS = "▁▂▃▄▅▆▇█"
RATES_KEPT = 16  # in the sparkline, one per frame
SILENT_S = 2.0  # seconds without a packet, after which a target is marked
WAITING_MIN = 64  # pages; fewer wait at every relay now and then
STALLED_S = 3.0  # seconds without progress, after which no remaining time is estimated
FILE_BYTES = 32_768  # a file takes about as long to be put into place as so many bytes to be sent
NAME_WIDTH, NOTE_WIDTH = 32, 40  # what names may take of any line, and what longer ones leave to notes
# How targets have ended badly. One that is partial at the end has ended well as far as the roster knows.
ENDED = sorted({state.value for state in TargetState} - {TargetState.DONE.value, TargetState.PARTIAL.value})
SENDING = ("digesting", "casting")  # phases in which bytes count

# What an active target is doing in each phase.
WORDS = {"gathering": "joined", "comparing": "comparing", "casting": "receiving", "finishing": "finishing"}
STYLES = {**dict.fromkeys(ENDED, "red"), "silent": "yellow", "done": "green"}

_Span = tuple[str, str]  # text, style
FrameLine = list[_Span]


class Rate:
    """Bytes per second between snapshots: smoothed, and the most recent values."""

    def __init__(self) -> None:
        self.bytes_s = 0.0
        self.recent: deque[float] = deque(maxlen=RATES_KEPT)
        self.files_s = 0.0
        self.moved_at = 0.0  # time of the run at which a byte was last sent
        self._seconds = 0.0
        self._bytes = 0
        self._files = 0

    def update(self, snapshot: Snapshot) -> None:
        """Take the next snapshot."""
        elapsed_s = snapshot.seconds - self._seconds
        if elapsed_s > 0:
            now_bytes_s = max(0.0, (snapshot.bytes_sent - self._bytes) / elapsed_s)
            self.recent.append(now_bytes_s)
            self.bytes_s = _smoothed(self.bytes_s, now_bytes_s)
            self.files_s = _smoothed(self.files_s, max(0, snapshot.files_done - self._files) / elapsed_s)
        if snapshot.bytes_sent != self._bytes:
            self.moved_at = snapshot.seconds
        self._seconds, self._bytes, self._files = snapshot.seconds, snapshot.bytes_sent, snapshot.files_done

    def left_s(self, snapshot: Snapshot) -> float:
        """Return how many seconds the rest will take. 0 if nothing moves.

        Bytes and files are one amount of work. Apart, files told nothing while the first large ones are sent. They do
        not count before one is in place: with --commit job that is after the last byte.
        """
        file_bytes = FILE_BYTES if snapshot.files_done else 0
        bytes_s = self.bytes_s + file_bytes * self.files_s
        files_left = snapshot.files_planned - snapshot.files_done
        bytes_left = snapshot.bytes_planned - snapshot.bytes_sent + file_bytes * files_left
        return bytes_left / bytes_s if bytes_s > 0 else 0.0

    def sparkline(self) -> str:
        """Return the recent rates as bars, scaled to the highest."""
        top = max(self.recent, default=0.0)
        return "".join(SPARKS[min(7, int(8 * rate / top))] for rate in self.recent) if top else ""


def _smoothed(before: float, now: float) -> float:
    return (3 * before + now) / 4 if before else now


def frame(snapshot: Snapshot, rate: Rate, width: int, height: int) -> list[FrameLine]:
    """Return at most height lines of at most width characters."""
    lines = [_headline(snapshot, rate, width)]
    if snapshot.phase in SENDING and snapshot.bytes_planned:
        lines.append(_bar(snapshot.bytes_sent / snapshot.bytes_planned, width))
    if snapshot.targets:
        lines.append(_counts(snapshot))
        gone = _gone(snapshot)
        lines += _table(snapshot, width, height - len(lines) - len(gone))
        lines += gone
    return [_cut(line, width) for line in lines[: max(1, height)]]


def duration(seconds: float) -> str:
    """Return 42 s, 3 min 20 s, or 2 h 5 min."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def scanned(snapshot: Snapshot) -> str:
    """Return how much of SOURCE is known while it is scanned."""
    number = snapshot.files_planned
    return counted(number, "entry", "entries") if number else "no entries yet"


def work_done(snapshot: Snapshot) -> str:
    """Return what every target has done in phases without bytes; "" if nothing is known."""
    if snapshot.phase == "casting" and snapshot.files_planned > 1:
        return f"{snapshot.files_done}/{snapshot.files_planned} files in place"
    if snapshot.phase == "comparing" and snapshot.entries_done:
        return f"{snapshot.entries_done} looked at, the source has {counted(snapshot.entries, 'entry', 'entries')}"
    if snapshot.phase == "verifying" and snapshot.entries_done:
        return f"{counted(snapshot.entries_done, 'entry or portion', 'entries and portions of files')} looked at"
    if snapshot.phase == "finishing" and snapshot.entries_done:
        return f"{counted(snapshot.entries_done, 'entry', 'entries')} worked on"
    return ""


def state_of(target: TargetProgress, phase: str) -> str:
    """Return the name of a target's state for people: "silent" if it was not heard for SILENT_S."""
    if target.state == "expected":
        return "awaited"
    if target.state != "present":
        return target.state
    return "silent" if target.silent_s > SILENT_S else WORDS.get(phase, "present")


def _headline(snapshot: Snapshot, rate: Rate, width: int) -> FrameLine:
    line: FrameLine = [(snapshot.phase, "bold")]
    if snapshot.phase in SENDING and snapshot.bytes_planned:
        done = 100 * snapshot.bytes_sent // snapshot.bytes_planned
        line += [("  ", ""), (f"{done} % of {size(snapshot.bytes_planned)}  {size(rate.bytes_s)}/s", "")]
        if width >= 100:
            line.append((f" {rate.sparkline()}", "cyan"))
        line.append((f"  {_time_left(snapshot, rate)}", ""))
    elif snapshot.phase == "scanning":
        line.append((f"  {scanned(snapshot)}", ""))
    if work := work_done(snapshot):
        line.append((f"  {work}", ""))
    line.append((f"  {duration(snapshot.seconds)} elapsed", "dim"))
    return line


def _time_left(snapshot: Snapshot, rate: Rate) -> str:
    left = snapshot.bytes_planned - snapshot.bytes_sent
    if not left:
        return "all sent"
    if rate.bytes_s < 1 or snapshot.seconds - rate.moved_at > STALLED_S:
        return "waiting"
    return f"{duration(rate.left_s(snapshot))} left"


def _bar(share: float, width: int) -> FrameLine:
    cells = max(1, width)
    full = min(cells, int(share * cells))
    return [("━" * full, "green"), ("─" * (cells - full), "dim")]


def _counts(snapshot: Snapshot) -> FrameLine:
    counts = Counter(state_of(target, snapshot.phase) for target in snapshot.targets)
    line: FrameLine = []
    for state in (WORDS.get(snapshot.phase, "present"), "silent", "done", "awaited", *ENDED):
        if counts[state]:
            line += [(" · " if line else "", "dim"), (f"{counts[state]} {state}", STYLES.get(state, ""))]
    if snapshot.bytes_repaired and snapshot.bytes_sent:  # the share is meaningless without contents
        share = percentage(snapshot.bytes_repaired, snapshot.bytes_traffic)
        line += [(" · ", "dim"), (f"{share} repairs", "")]
    return line


def _gone(snapshot: Snapshot) -> list[FrameLine]:
    """Return a line for each state of targets that ended badly."""
    lines = []
    for state in ENDED:
        names = [target.host for target in snapshot.targets if target.state == state]
        if names:
            lines.append([(f"{state}: ", STYLES[state]), (_folded(tuple(names)), "")])
    return lines


def _table(snapshot: Snapshot, width: int, room: int) -> list[FrameLine]:
    """Return a head, the targets in their order or only the slowest, and the number of others, in `room` lines."""
    live = [target for target in snapshot.targets if target.state in ("present", "expected")]
    if room < 2 or not live:
        return []
    shown = live if len(live) < room else heapq.nsmallest(room - 2, live, key=_urgency)
    longest = max([len(target.host) for target in shown], default=0)
    room_for_names = max(width - 46, min(16, width - 20))
    names = max(6, min(longest, room_for_names, max(NAME_WIDTH, room_for_names - NOTE_WIDTH)))
    lines: list[FrameLine] = [
        [
            (text, "bold")
            for text in (f"{'target':<{names}}  state         done", f"  {'behind':>9}", "   losses", "  note")
        ]
    ]
    lines += [_row(target, snapshot, names) for target in shown]
    if rest := len(live) - len(shown):
        lines.append([(f"and {rest} more, further ahead", "dim")])
    return lines


def _urgency(target: TargetProgress) -> tuple[bool, int, float]:
    return (target.state != "present", target.bytes_done, -target.silent_s)


def _row(target: TargetProgress, snapshot: Snapshot, names: int) -> FrameLine:
    state = state_of(target, snapshot.phase)
    shown = f"silent {target.silent_s:.0f} s" if state == "silent" else state
    done = f"{100 * target.bytes_done // snapshot.bytes_planned} %" if snapshot.bytes_planned else ""
    behind = size(max(0, snapshot.bytes_sent - target.bytes_done)) if snapshot.bytes_planned else ""
    lost = str(target.packets_lost) if target.packets_lost else ""
    return [
        (f"{_short(target.host, names):<{names}}  ", ""),
        (f"{shown:<12}", STYLES.get(state, "")),
        (f" {done:>5}", ""),
        (f"  {behind:>9}", ""),
        (f"  {lost:>7}", ""),
        ("  ", ""),
        (", ".join(_notes(target)), "dim"),
    ]


def _notes(target: TargetProgress) -> Iterable[str]:
    if target.is_monitor:
        yield "sets the pace"
    if target.parent:
        yield f"fed by {target.parent}"
    elif target.is_unicast:
        yield "unicast"
    if target.pages_waiting >= WAITING_MIN:
        yield f"{target.pages_waiting} pages wait"
    if target.kernel_drops:
        yield f"{target.kernel_drops} dropped by its kernel"


def _short(name: str, width: int) -> str:
    return name if len(name) <= width else name[: width - 1] + "…"


@lru_cache(maxsize=8)  # folding is slow, and every frame has the same names
def _folded(names: tuple[str, ...]) -> str:
    from mrsync.remote.folding import fold

    return fold(list(names))


def _cut(line: Sequence[_Span], width: int) -> FrameLine:
    """Shorten a line to the width. A part that begins with two blanks and does not fit is left out, with the rest."""
    cut: FrameLine = []
    for text, style in line:
        if len(text) > width:
            if cut and text.startswith("  "):
                return cut
            return [*cut, (_short(text, width) if width else "", style)]
        cut.append((text, style))
        width -= len(text)
    return cut
