"""The comparison with other tools: its page, and what counts as slower than before."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.peers import page
from tests.bench.peers.__main__ import check, chosen
from tests.bench.peers.parts import PARTS, Row
from tests.bench.peers.record import Record, better_of, falls

MACHINE = {"processor": "2 cores, of some kind", "memory": "8 GB", "rsync": "3.2.7"}
FOUND = [
    Row(1, "rsync", [1.0, 1.2], 1.0),
    Row(1, "mrsync", [2.0, 2.4], 0.5),
    Row(8, "rsync", [8.0, 9.0], 1.0),
    Row(8, "mrsync", [2.0, 3.0], 3.5),
    Row(8, "uftp", [], None, failed="status 7: it said nothing"),
]


def test_the_page_shows_what_was_kept(tmp_path: Path) -> None:
    record = Record(tmp_path / "peers.json")
    record.machine = MACHINE
    record.keep("targets", [FOUND[0]._replace(ratio=7.0)])
    record.keep("targets", FOUND)
    record.save()
    again = Record(tmp_path / "peers.json")
    assert again.rows("targets") == FOUND
    page.write(again, tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "| mrsync, catchers wait | 0.50 (2.2 s) | 3.50 (2.5 s) |" in text
    assert "| UFTP |  | failed: status 7: it said nothing |" in text
    assert "- Number of targets, mrsync, catchers wait at 1 targets: 0.50 (2.2 s)\n" in text
    assert (tmp_path / "peers-targets.svg").read_text().count("<polyline") == 2


def test_a_point_of_a_part_can_be_chosen() -> None:
    assert list(chosen("loss:0.1")) == [("loss", 0.1)]
    assert [point for _, point in chosen("start")] == [1, 8, 32]
    with pytest.raises(ValueError, match="loss has the points 0, "):
        list(chosen("loss:2"))
    with pytest.raises(ValueError, match="there is no part speed"):
        list(chosen("speed"))


def test_a_part_that_was_not_measured_is_left_out(tmp_path: Path) -> None:
    record = Record(tmp_path / "peers.json")
    record.machine = MACHINE
    page.write(record, tmp_path)
    assert not any(f"## {part.title}" in (tmp_path / "README.md").read_text() for part in PARTS.values())


def test_only_our_own_ratio_that_fell_by_more_than_a_fifth_is_a_fall() -> None:
    ratios: dict[tuple[float, str], float | None] = {(1, "mrsync"): 0.41, (8, "mrsync"): 2.7, (1, "rsync"): 0.1}
    now = [row._replace(ratio=ratios.get((row.x, row.tool), row.ratio)) for row in FOUND]
    assert list(falls(FOUND, now)) == ["mrsync at 8 (s): 2.70 times as good as rsync x N, was 3.50"]
    failed = [Row(1, "mrsync", [], None, failed="status 1")]
    assert list(falls(FOUND, failed)) == ["mrsync at 1: failed, status 1"]


def test_of_two_measurements_the_better_ratios_count() -> None:
    slow = [FOUND[1]._replace(ratio=0.3), FOUND[3]._replace(ratio=3.4)]
    failed = [FOUND[1], Row(8, "mrsync", [], None, failed="status 1")]
    assert better_of(slow, failed) == better_of(failed, slow) == [FOUND[1], slow[1]]
    assert not list(falls(FOUND, better_of(slow, failed)))


def test_a_check_compares_with_earlier_figures_and_measures_a_fall_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = Record(tmp_path / "peers.json")
    record.keep("targets", FOUND)
    turns = iter([0.5, 2.0, 2.5])  # at 1 target no fall, at 8 one, and again

    def measure(name: str, point: float) -> list[Row]:
        return [Row(point, "mrsync", [1.0], next(turns))]

    assert check(record, list(chosen("targets")), measure) == 1
    said = capsys.readouterr()
    assert said.err == "targets: mrsync at 8 (s): 2.50 times as good as rsync x N, was 3.50\n"
    assert said.out == "targets: once more\npoints compared: 2, ratios that fell: 1\n"
    assert check(record, list(chosen("noop")), measure) == 1
    assert capsys.readouterr().out == "nothing to compare with\n"
