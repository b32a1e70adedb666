"""docs/dialogues.md, made from three sessions of the simulator: python -m tests.sim.dialogues.

What is drawn is what the two cores really said. Left out is only what repeats the last message of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from pathlib import Path

from mrsync.wire.formats.record_codec import RecordDecoder
from mrsync.wire.formats.session import Rejection
from mrsync.wire.geometry import Geometry
from mrsync.wire.messages import Ack, Farewell, Hello, Knock, Message, ObjectKind, Probe, Report, Status, Welcome
from mrsync.wire.records import ComparedRecord, LogRecord, NeedsRecord, ResultRecord
from tests.sim.network import Burst, Cast, CodedBurst, Receiver
from tests.sim.reception import bits
from tests.sim.scenario import Scenario, TargetScenario
from tests.sim.simulation import Simulation

DOCUMENT = Path(__file__).parents[2] / "docs" / "dialogues.md"
HEAD = """\
# Three dialogues

What a caster and its catchers say to each other, in three short sessions of the simulator. `python -m
tests.sim.dialogues` ran them and wrote this page; `tests/sim/test_dialogues.py` runs them again and compares.
[protocol.md](protocol.md) describes the messages, [glossary.md](glossary.md) the words.

Arrows to *group* reach every target that hears it. What repeats an earlier message is left out: a REPORT shows
what is new in it, and a STATUS appears when it changes.
"""
CLEAN = """\
Two targets need all three files. The tree is described by one page (the manifest), the files are listed in another
one (the plan), and their contents are eight pages. Once both targets report a file as ready, the STATUS allows
them to rename it.
"""
LOSS = """\
The same session, but target1 loses packet 2 of page 2 of the contents, and target2 loses packet 0 of page 4. Both
say so in their next reports. The master repairs both losses with a single packet, the XOR of the two: each target
has one of them and so obtains the other. Meanwhile the first file, which is not affected, may be renamed already.
"""
DEAF = """\
target2 does not receive multicast at all. It hears nothing, knocks at the master's door by unicast, and is served
by unicast from then on, in the same session. What goes to the group goes to target2 as well.
"""
PAGE = re.compile(r"(?P<arrow> *\w+->>\w+): PAGE (?P<page>\d+) of the (?P<object>[a-z ]+)")
GEOMETRY = Geometry(200, 4)  # small pages, so that few packets make a session


class ScriptedLoss:
    """Loses one packet, that of this index in the burst of this number; on_loss is called when that happens."""

    def __init__(self, burst: int, packet: int, on_loss: Callable[[], None]) -> None:
        self._bursts_left = burst
        self._packet = packet
        self._on_loss = on_loss

    def draw(self, packets: int, now: float) -> int:
        """Stand in for LossProcess; what is shorter than a page is no burst of contents."""
        if packets < GEOMETRY.packets:
            return 0
        self._bursts_left -= 1
        if self._bursts_left != -1:
            return 0
        self._on_loss()
        return 1 << self._packet


class Dialogue:
    """Runs one session, and notes what is said in it as lines of a Mermaid sequence diagram.

    losses: by target, the number of a burst and the packet of it that does not arrive.
    """

    def __init__(self, targets: tuple[TargetScenario, ...], losses: dict[int, tuple[int, int]] | None = None) -> None:
        scenario = Scenario(seed=1, geometry=GEOMETRY, targets=targets, manifest_bytes=700, plan_bytes=300,
                            file_bytes=(1500, 3000, 1600))  # fmt: skip
        self.lines: list[str] = []
        self._simulation = Simulation(scenario)
        self._world = self._simulation.world
        self._records = [RecordDecoder() for _ in targets]
        self._logged = [0 for _ in targets]
        self._last: dict[tuple[str, str, str], str] = {}
        self._told: list[set[str]] = [set() for _ in targets]  # facts of earlier reports
        for index, (burst, packet) in (losses or {}).items():
            note = f"    Note over {name(index)}: packet {packet} is lost"
            loss = ScriptedLoss(burst, packet, partial(self.lines.append, note))
            self._world.network.paths[index].losses = loss  # type: ignore[assignment]
        self._listen()

    def run(self) -> list[str]:
        """Return the lines of the whole session."""
        self._simulation.run()
        return self.lines

    def _listen(self) -> None:
        network = self._world.network
        cast, send, answer = network.cast, network.send, network.answer

        def on_cast(what: Cast, packets: int, size_bytes: int, when: float) -> None:
            self._note("master", "group", what)
            cast(what, packets, size_bytes, when)

        def on_send(receiver: Receiver, what: Cast, packets: int, size_bytes: int, when: float) -> None:
            self._note("master", name(receiver.index), what)
            send(receiver, what, packets, size_bytes, when)

        def on_answer(index: int, datagram: bytes, hear: Callable[[bytes], None], now: float) -> None:
            self._note(name(index), "master", datagram)
            answer(index, datagram, hear, now)

        network.cast, network.send, network.answer = on_cast, on_send, on_answer  # type: ignore[method-assign,assignment]

    def _note(self, sender: str, receiver: str, what: Cast) -> None:
        kind, text = self._described(what)
        if self._last.get((sender, receiver, kind)) == text or (kind == "REPORT" and not text):
            return
        self._last[sender, receiver, kind] = text
        self.lines.append(f"    {sender}->>{receiver}: {kind} {text}".rstrip())

    def _described(self, what: Cast) -> tuple[str, str]:
        if isinstance(what, Burst):
            packets = list(bits(what.mask))
            part = "" if len(packets) == what.packets else f", packet {', '.join(map(str, packets))}"
            return "PAGE", f"{what.page} of the {object_name(what.object)}{part}"
        if isinstance(what, CodedBurst):
            combined = (
                " xor ".join(f"page {page} packet {packet}" for page, packet in terms) for terms in what.combinations
            )
            return "CODED", "; ".join(combined)
        message = self._world.codec.decode(what)
        if isinstance(message, Rejection):
            message = self._world.knocks.decode(what)
        assert not isinstance(message, Rejection)
        return type(message).__name__.upper(), self._said(message)

    def _said(self, message: Message) -> str:
        if isinstance(message, Status):
            span = message.commit
            return message.phase.name.lower() + (f", rename files below {span.end}" if span.end else "")
        if isinstance(message, Hello):
            return f"hears {message.group_bytes} bytes on the group, {message.unicast_bytes} by unicast"
        if isinstance(message, Report):
            return self._reported(message)
        if isinstance(message, Ack):
            return f"log below {message.log_offset}"
        if isinstance(message, Probe):
            return f"of {message.size_bytes} bytes"
        if isinstance(message, Farewell):
            return message.ending.name.lower()
        assert isinstance(message, Welcome | Knock), message
        return ""

    def _reported(self, report: Report) -> str:
        """Return what the target has not said before; empty if that is nothing."""
        facts = [f"has {pages(0, report.frontier)} of the {object_name(report.active)}"] if report.frontier else []
        for page, run, mask in report.needs:
            packets = f"packet {', '.join(map(str, bits(mask)))} of " if mask else ""
            facts.append(f"needs {packets}{pages(page, page + run)}")
        if report.ready:
            facts.append(f"files below {report.ready} are ready")
        if report.committed:
            facts.append(f"files below {report.committed} are in place")
        told = self._told[report.target]
        new = [fact for fact in [*facts, *self._news(report)] if fact not in told]
        told.update(new)
        return ", ".join(new)

    def _news(self, report: Report) -> Iterable[str]:
        """Return what is new in a target's log."""
        if report.log_offset != self._logged[report.target] or not report.log_bytes:
            return
        self._logged[report.target] += len(report.log_bytes)
        for record in self._records[report.target].feed(report.log_bytes):
            yield f"log {record_name(record)}"


def name(index: int) -> str:
    return f"target{index + 1}"


def object_name(kind: int) -> str:
    return ObjectKind(kind).name.lower().replace("_", " ")


def record_name(record: LogRecord) -> str:
    if isinstance(record, NeedsRecord):
        return "needs entries " + ", ".join(f"{first} to {end - 1}" for first, end in record.ranges)
    if isinstance(record, ComparedRecord):
        return f"compared, {record.files_needed} files needed"
    if isinstance(record, ResultRecord):
        return f"result, {record.files_updated} files updated, {record.errors} errors"
    return type(record).__name__


def pages(first: int, end: int) -> str:
    return f"page {first}" if end == first + 1 else f"pages {first} to {end - 1}"


def folded(lines: list[str]) -> list[str]:
    """Return the lines with each run of whole pages told as one line for each receiver."""
    found: list[str] = []
    for is_page, run in groupby(lines, lambda line: PAGE.fullmatch(line) is not None):
        if not is_page:
            found += run
            continue
        ranges: dict[tuple[str, str], list[int]] = {}
        for match in map(PAGE.fullmatch, run):
            assert match is not None
            ranges.setdefault((match["arrow"], match["object"]), []).append(int(match["page"]))
        for (arrow, object), numbers in ranges.items():
            assert numbers == list(range(numbers[0], numbers[-1] + 1))
            found.append(f"{arrow}: PAGE {pages(numbers[0], numbers[-1] + 1).partition(' ')[2]} of the {object}")
    return found


def diagram(lines: list[str], names: Iterable[str]) -> str:
    participants = [f"    participant {name}" for name in names]
    return "\n".join(["```mermaid", "sequenceDiagram", *participants, *folded(lines), "```", ""])


def document() -> str:
    """Run the sessions, and return the whole page."""
    good = TargetScenario(compare_s=0.002)
    names = ("master", "group", "target1", "target2")
    clean = Dialogue((good, good)).run()
    loss = Dialogue((good, good), {0: (3, 2), 1: (5, 0)}).run()
    deaf = Dialogue((good, TargetScenario(compare_s=0.002, is_deaf=True))).run()
    chapters = (("A clean run", CLEAN, clean), ("A loss", LOSS, loss), ("A deaf target", DEAF, deaf))
    parts = [f"\n## {title}\n\n{text}\n{diagram(lines, names)}" for title, text, lines in chapters]
    return HEAD + "".join(parts)


if __name__ == "__main__":
    DOCUMENT.write_text(document())
