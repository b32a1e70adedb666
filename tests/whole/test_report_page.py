"""The HTML report in a real browser: light and dark, few and many targets, sorted, printed, made later from JSON."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mrsync.cli.output.html_report import html_report
from mrsync.cli.output.recording import Sample
from mrsync.cli.result_files import ResultFiles
from mrsync.cli.settings.output_options import Output
from mrsync.protocol.core.histogram import Histogram
from mrsync.run.cast.outcome import Outcome, SatOut, Seconds, TargetOutcome, TargetState
from tests.browser import Browser, browser
from tests.programs import program
from tests.whole.site import Site

SAMPLES = [Sample(at / 4, at * 5_000_000, at * 40_000, at * 4_800_000, at * 5_000_000) for at in range(40)]


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def outcome(count: int) -> Outcome:
    """Return a run of this many targets. Of every hundred, one is lost and one lacks a file."""
    full = SatOut(b"films/reel7", "ENOSPC", "cannot write: No space left on device")
    ends = {7: (TargetState.LOST, "silent for 60 s"), 2: (TargetState.PARTIAL, "1 of its entries could not be changed")}
    targets = tuple(
        TargetOutcome(f"node{number}", *ends.get(number % 100, (TargetState.DONE, None)))._replace(
            files_updated=number, bytes_written=number * 195_000_000 // count, seconds=10 + number / 7,
            packets_lost=number * 7 % 13, sat_out=(full,) if number % 100 == 2 else (),
        )
        for number in range(1, count + 1)
    )  # fmt: skip
    return Outcome(
        0xABC, b"/srv/data", b"/srv/copy", targets, Seconds(total=12.5, gather=1.5, compare=0.7, cast=9.8, commit=0.4),
        entries=1000, files_planned=300, bytes_planned=195_000_000, bytes_sent=197_000_000, bytes_repaired=1_560_000,
        round_trips=Histogram({us: 1 + us % 977 for us in range(200, 60_000, 130)}),
        warnings=("served by unicast: node3",),
    )  # fmt: skip


def written(folder: Path, count: int) -> str:
    """Return the URL of a report of this many targets."""
    files = ResultFiles("mrsync", ["-m", f"node[1-{count}]", "-s", "/srv/data"], Output(), complain=print)
    path = folder / "report.html"
    path.write_text(html_report(files.fields(outcome(count), SAMPLES)))
    return path.as_uri()


@pytest.mark.parametrize("count", [3, 300])
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_page_is_shown_without_complaint(window: Browser, tmp_path: Path, count: int, is_dark: bool) -> None:
    window.use_dark(is_dark)
    window.resize(1000, 1400)
    window.open(written(tmp_path, count))
    assert window.complaints() == []
    assert window.run("return document.querySelectorAll('table.sortable tbody tr').length") == count
    assert window.run("return document.documentElement.scrollWidth <= window.innerWidth")
    paper = window.run("return getComputedStyle(document.body).backgroundColor")
    assert (paper != "rgb(255, 255, 255)") is is_dark
    assert window.screenshot().startswith(b"\x89PNG")


def test_page_fits_a_narrow_window(window: Browser, tmp_path: Path) -> None:
    window.resize(520, 900)
    window.open(written(tmp_path, 3))
    assert window.run("return document.documentElement.scrollWidth <= window.innerWidth")


def test_table_is_sorted_by_a_click_on_its_head(window: Browser, tmp_path: Path) -> None:
    window.open(written(tmp_path, 12))

    def column(number: int) -> list[str]:
        cells = f"document.querySelectorAll('table.sortable tbody td:nth-child({number})')"
        found: list[str] = window.run(f"return [...{cells}].map((cell) => cell.textContent)")
        return found

    window.click("table.sortable th:nth-child(1) button")
    assert column(1) == [f"node{number}" for number in range(1, 13)]
    window.click("table.sortable th:nth-child(5) button")
    assert column(1)[0] == "node1"
    window.click("table.sortable th:nth-child(5) button")
    assert column(1) == [f"node{number}" for number in range(12, 0, -1)]
    assert window.run("return document.querySelector('th[aria-sort]').getAttribute('aria-sort')") == "descending"
    assert window.complaints() == []


def test_page_prints_on_a4(window: Browser, tmp_path: Path) -> None:
    window.open(written(tmp_path, 300))
    printed = window.pdf()
    assert printed.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 4 <= pages <= 20  # 300 rows, and none of them a page of its own
    for box in re.findall(rb"/MediaBox\s*\[([^\]]*)\]", printed):
        assert [round(float(edge)) for edge in box.split()][2:] in ([595, 842], [594, 841], [596, 842], [595, 841])


def test_the_same_page_is_made_from_json_later(site: Site, tmp_path: Path) -> None:
    site.source.mkdir()
    (site.source / "f").write_bytes(b"x" * 100_000)
    report, first, later = tmp_path / "run.json", tmp_path / "first.html", tmp_path / "run.html"
    assert site.sync("--report", report).status == 0
    assert site.sync("--report", first).status == 0
    made = subprocess.run(program("mrsync", "report", report), capture_output=True, text=True)
    assert (made.returncode, made.stdout, made.stderr) == (0, f"{later}\n", "")
    assert html_report(json.loads(report.read_text())) == later.read_text()


SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


@pytest.mark.parametrize(
    "options", [[], ["-n"], ["-m", "n[1-3]", "-r", "/no/such/shell"]], ids=["run", "dry", "failed"]
)
def test_every_report_keeps_to_the_published_schema(site: Site, tmp_path: Path, options: list[str]) -> None:
    site.source.mkdir()
    (site.source / "f").write_bytes(b"x" * 100_000)
    report = tmp_path / "run.json"
    site.sync("--report", report, *options)
    fields = json.loads(report.read_text())
    assert [error.message for error in VALIDATOR.iter_errors(fields)] == []
    assert set(fields) == set(SCHEMA["properties"]), "a field is not described"
    described = set(SCHEMA["$defs"]["target"]["properties"])
    assert all(set(target) == described for target in fields["targets"].values())


def test_the_schema_refuses_invalid_reports() -> None:
    assert not VALIDATOR.is_valid({"schema": 1})
    assert not VALIDATOR.is_valid([])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1, 2]", "is not a report of mrsync: its schema is not 1"),
        ("{", "is not JSON"),
        ('{"schema": 1}', "is not a complete report of mrsync: it lacks command"),
    ],
)
def test_invalid_reports_are_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "x.json").write_text(text)
    made = subprocess.run(program("mrsync", "report", tmp_path / "x.json"), capture_output=True, text=True)
    assert made.returncode != 0
    assert made.stderr.count("\n") == 1
    assert sentence in made.stderr
    assert not (tmp_path / "x.html").exists()


def test_a_report_is_never_replaced_by_its_page(tmp_path: Path) -> None:
    report = tmp_path / "x.html"
    report.write_text(json.dumps({"schema": 1}))
    made = subprocess.run(program("mrsync", "report", report), capture_output=True, text=True)
    assert made.returncode != 0
    assert "would replace the report" in made.stderr
