"""The page of a report that somebody else has written, or changed: it is refused, or it is text."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mrsync.cli.report_page import report_page
from mrsync.errors import FileError

MARKUP = "n[1-999999999]<img src=x onerror=alert(1)>"
JUNK: tuple[Any, ...] = (
    KeyError,
    None,
    -1,
    10**400,
    float("inf"),
    float("nan"),
    True,
    "x",
    "\x1b[",
    "\ud800",
    [],
    {},
    [[]],
    {"a": 1},
    MARKUP,
    [MARKUP],
)
TARGET = {
    **{"state": "done", "reason": "", "path": "multicast", "parent": None, "seconds": 0.5, "bytes_written": 7},
    **{"files_updated": 1, "deleted": 0, "packets_lost": 0, "kernel_drops": 0, "pages_passed_on": 3},
    **{"packets_passed_again": 0, "pages_waiting_max": 2, "sat_out": [{"path": "f", "error": "EIO", "message": "e"}]},
}
REPORT: dict[str, Any] = {
    **{"schema": 1, "mrsync": "5", "session": "12", "started": "now", "master": "m", "command": ["mrsync", "-m", "a"]},
    **{
        "source": "/s",
        "dest": "/d",
        "verdict": "2/2 complete",
        "complaint": "no",
        "exit_status": 23,
        "warnings": ["w"],
    },
    **{"files_planned": 1, "entries": 2, "bytes_planned": 7, "bytes_sent": 9, "bytes_repaired": 1},
    "seconds": {"gather": 0.1, "compare": 0.1, "cast": 0.1, "commit": 0.1, "total": 0.5},
    "samples": [[0.1 * at, 10 * at, 0, 5 * at, 0] for at in range(3)],
    "rtt_ms": {"p50": 1.0, "p99": 2.0, "histogram": [[1, 5], [2, 1]]},
    "targets": {"a": TARGET, "b": {**TARGET, "parent": "a", "state": "lost"}},
}


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a report."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        yield (key,)
        yield from ((key, *rest) for rest in places(below))


def page_of(tmp_path: Path, fields: Any) -> str:
    """Return the page, or "" if the report is refused."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps(fields))
    path.with_suffix(".html").unlink(missing_ok=True)
    try:
        report_page([str(path)])
    except FileError:
        return ""
    return (tmp_path / "x.html").read_text()


def test_no_report_ends_in_a_traceback_or_brings_markup_into_the_page(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    assert "2/2 complete" in page_of(tmp_path, REPORT)
    for *way, last in places(REPORT):
        for junk in chance.sample(JUNK, 2):
            fields = copy.deepcopy(REPORT)
            inside: Any = fields
            for key in way:
                inside = inside[key]
            if junk is not KeyError:
                inside[last] = junk
            elif isinstance(inside, dict):
                inside[MARKUP] = inside.pop(last)
            assert MARKUP not in page_of(tmp_path, fields), (way, last, junk)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000])
def test_invalid_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(FileError, match="is not JSON"):
        report_page([str(tmp_path / "x.json")])


def test_only_the_page_of_the_same_run_is_replaced(tmp_path: Path) -> None:
    report, page = tmp_path / "x.json", tmp_path / "x.html"
    report.write_text(json.dumps(REPORT))
    page.symlink_to("nowhere")
    for seconds in (0.5, 0.7):  # made anew
        report.write_text(json.dumps({**REPORT, "seconds": {**REPORT["seconds"], "total": seconds}}))
        assert report_page([str(report)]) == 0
        assert f"<b>{seconds} s</b>" in page.read_text()
    report.write_text(json.dumps({**REPORT, "session": "13"}))
    for other in ("session 12", "notes"):
        with pytest.raises(FileError, match=r"x\.html exists, and is not the page of this run: name a file with -o"):
            report_page([str(report)])
        assert other in page.read_text()
        page.write_text("notes")
    assert report_page([str(report), "-o", str(page)]) == 0
    assert "session 13" in page.read_text()
    page.unlink()
    page.mkdir()
    with pytest.raises(FileError, match="in the way: Is a directory"):
        report_page([str(report)])
