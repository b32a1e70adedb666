"""The HTML report: whole, self-contained, and proof against whatever names come along."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest

from mrsync.cli.output.chart import histogram_chart, line_chart, share_bar
from mrsync.cli.output.html_report import FILES_SHOWN
from mrsync.cli.output.html_report import html_report as page_of
from mrsync.cli.output.recording import Sample
from mrsync.cli.result_files import ResultFiles
from mrsync.cli.settings.output_options import Output
from mrsync.protocol.core.histogram import Histogram
from mrsync.run.cast.outcome import Outcome, SatOut, Seconds, TargetOutcome, TargetState

SAMPLES = [Sample(0.0, 0, 0, 0, 0), Sample(1.0, 5_000_000, 1000, 4_000_000, 5_000_000), Sample(2.0, 9, 2, 1, 9)]
VOID = {"meta", "br", "line", "rect", "polyline"}


def page(run: Outcome, samples: Sequence[Sample] = ()) -> str:
    """The page of a run, by way of its JSON report."""
    files = ResultFiles("mrsync", ["-m", "node[1-3]", "-t", "/a b"], Output(), complain=print)
    return page_of(json.loads(json.dumps(files.fields(run, samples))))


class Reader(HTMLParser):
    """Insists that every element is closed, in order; collects text and elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "href", "style"), value
        if tag not in VOID or (tag in ("rect", "polyline") and not self._is_closed_at_once()):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)

    def _is_closed_at_once(self) -> bool:
        return (self.get_starttag_text() or "").endswith("/>")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] not in (["style"], ["script"]):
            self.text += data + " "


def outcome(*targets: TargetOutcome, source: bytes = b"/from") -> Outcome:
    return Outcome(
        0xABC,
        source,
        b"/to",
        targets,
        Seconds(total=3.0, gather=0.5, compare=0.2, cast=2.0, commit=0.3),
        entries=7,
        files_planned=3,
        bytes_planned=9_000_000,
        bytes_sent=9_100_000,
        bytes_repaired=91_000,
        round_trips=Histogram({900: 10, 1500: 5}),
    )


def done(host: str, seconds: float = 1.0) -> TargetOutcome:
    return TargetOutcome(host, TargetState.DONE, files_updated=3, bytes_written=9_000_000, seconds=seconds)


def test_every_target_has_a_row() -> None:
    reader = Reader(page(outcome(*(done(f"node{i}", i) for i in range(1, 1001))), SAMPLES))
    assert "1000/1000 complete" in reader.text
    assert "1000 done" in reader.text
    assert reader.elements.count("svg") == 3
    assert reader.elements.count("td") == 9 * 1000


def test_the_page_shows_time_place_and_command() -> None:
    text = Reader(page(outcome(done("n1")))).text
    assert "mrsync -m 'node[1-3]' -t '/a b'" in text
    assert socket.gethostname() in text
    assert re.search(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", text)


def test_trouble_comes_first_with_its_reason() -> None:
    bad = TargetOutcome("n9", TargetState.LOST, "silent for 60 s")
    reader = Reader(page(outcome(done("n1"), bad), []))
    assert reader.text.index("n9") < reader.text.index("silent for 60 s") < reader.text.rindex("n1")
    assert "Exit status 23" in reader.text
    assert "polyline" not in reader.elements  # no samples, no chart over time


def test_a_target_of_an_interrupted_run_is_called_so() -> None:
    text = Reader(
        page(outcome(TargetOutcome("n9", TargetState.LOST, "interrupted by SIGINT", is_interrupted=True)))
    ).text
    assert "1 interrupted" in text
    assert "lost" not in text.partition("Targets")[2].partition("packets lost")[0]


def test_a_target_that_was_not_reached_was_on_no_path() -> None:
    gone = TargetOutcome("n9", TargetState.UNREACHABLE, "no route")
    assert "multicast" not in page(outcome(gone))
    assert "multicast" in page(outcome(gone, done("n1")))


def test_links_between_targets_are_in_order_with_the_slowest() -> None:
    chain = (
        done("c")._replace(path="relay", parent="a"),
        done("b")._replace(path="relay", parent="c"),
        done("a")._replace(path="unicast", pages_passed_on=140, packets_passed_again=3, pages_waiting_max=2),
    )
    relay = chain[0]._replace(pages_waiting_max=200)
    text = Reader(page(outcome(relay, *chain[1:]))).text
    assert "fed by a" in text
    assert "slowest link: c to b, for which up to 200 pages waited" in text
    rows = text[text.index("pages waiting at most") :].split()[4:14]
    assert rows == ["a", "c", "140", "3", "2", "c", "b", "0", "0", "200"]
    assert "From target to target" not in Reader(page(outcome(done("a")))).text


def test_all_links_of_an_island_are_shown() -> None:
    island = [done(host)._replace(path="relay", parent=parent) for host, parent in (("b", "a"), ("c", "a"), ("d", "b"))]
    text = Reader(page(outcome(done("a"), *island))).text
    words = text[text.index("pages waiting at most") :].split()[4:19]
    assert list(zip(words[::5], words[1::5], strict=True)) == [("a", "b"), ("a", "c"), ("b", "d")]


def test_files_that_are_behind_are_listed_up_to_a_bound() -> None:
    files = tuple(SatOut(b"f%d" % i, "ENOSPC", "full") for i in range(FILES_SHOWN + 5))
    text = Reader(page(outcome(TargetOutcome("n1", TargetState.PARTIAL, "full", sat_out=files)), [])).text
    assert "and 5 more" in text


@pytest.mark.parametrize("name", [b"<script>alert(1)</script>", b'"onload="x', b"a&b\xff\n", "ü".encode()])
def test_names_are_text_and_nothing_else(name: bytes) -> None:
    hostile = SatOut(name, "EIO", name.decode("latin-1"))
    run = outcome(TargetOutcome("n1", TargetState.PARTIAL, name.decode("latin-1"), sat_out=(hostile,)), source=name)
    text = page(run._replace(warnings=(name.decode("utf-8", "surrogateescape"),)), [])
    text.encode("utf-8")
    assert Reader(text).elements.count("script") == 1  # the one that sorts


def test_nothing_sent_is_no_chart_over_time() -> None:
    run = outcome(TargetOutcome("n1", TargetState.DONE))
    idle = [Sample(0.1, 0, 0, 0, 0), Sample(0.2, 0, 0, 0, 0)]
    assert "polyline" not in Reader(page(run, idle)).elements
    assert "polyline" in Reader(page(run, [*idle, Sample(0.3, 1, 0, 0, 1)])).elements


def test_charts_of_nothing_and_of_zeros_stand() -> None:
    for chart in (line_chart([("a", "b", [(0, 0)])], str, "s"), histogram_chart([(1, 0)], "ms"), share_bar([])):
        Reader(chart)


def test_small_counts_are_seen_beside_large_ones() -> None:
    assert histogram_chart([(1, 1_000_000), (2, 1)], "ms").count('height="2.0"') == 1


def test_a_histogram_has_a_linear_axis() -> None:
    """A bar twice as far along stands for twice the time; empty times in between take up their room."""
    lefts = [
        float(x) for x in re.findall(r'class="bar" x="([\d.]+)"', histogram_chart([(1, 5), (2, 5), (11, 5)], "ms"))
    ]
    assert lefts[2] - lefts[0] == pytest.approx(10 * (lefts[1] - lefts[0]), abs=1)


def test_a_histogram_of_long_times_has_bars_enough_to_see() -> None:
    chart = histogram_chart([(bound, 1) for bound in range(1, 5000)], "ms")
    assert 45 < chart.count('class="bar"') <= 90
