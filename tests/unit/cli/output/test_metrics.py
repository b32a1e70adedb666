"""Figures for Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mrsync.cli.output.metrics import metrics
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState

SAMPLE = re.compile(r'mrsync_[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\} [0-9.e+-]+')


def test_every_line_is_of_the_text_format() -> None:
    run = Outcome(1, b'/a"b\\c\nd\xff', b"/to", (TargetOutcome("n", TargetState.DONE, packets_lost=4),), entries=3)
    text = metrics(run, 1_700_000_000.5)
    assert text.endswith("\n")
    for line in text.splitlines():
        assert re.match(r"# (HELP|TYPE) mrsync_[a-z_]+ .", line) or SAMPLE.fullmatch(line), line
    assert "mrsync_end_time_seconds{" in text
    assert " 1700000000.5\n" in text
    assert 'state="done"} 1\n' in text
    assert 'state="lost"} 0\n' in text


def test_each_target_has_its_own_series() -> None:
    ended = (
        TargetOutcome("n1", TargetState.DONE, bytes_written=7, deleted=2, seconds=1.5),
        TargetOutcome("n2", TargetState.LOST),
    )
    told: dict[str, list[str]] = {}
    for line in metrics(Outcome(1, b"/s", b"/d", ended), 0.0).splitlines():
        if ',target="' in line:
            told.setdefault(line.split("{")[0], []).append(line.split('target="')[1])
    assert told == {
        "mrsync_target_complete": ['n1"} 1', 'n2"} 0'],
        "mrsync_target_written_bytes": ['n1"} 7', 'n2"} 0'],
        "mrsync_target_deleted": ['n1"} 2', 'n2"} 0'],
        "mrsync_target_duration_seconds": ['n1"} 1.5', 'n2"} 0.0'],
    }


def run() -> Outcome:
    return Outcome(1, b'/a"b\\c\nd\xff', b"/to", (TargetOutcome("n", TargetState.DONE, packets_lost=4),), entries=3)


def test_promtool_accepts_them() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    text = metrics(run(), 1_700_000_000.5)
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    path = Path(__file__).parents[4] / "packaging" / "grafana" / "mrsync.json"
    asked = set(
        re.findall(r"mrsync_[a-z_]+", json.dumps([p["targets"] for p in json.loads(path.read_text())["panels"]]))
    )
    told = set(re.findall(r"^(mrsync_[a-z_]+)\{", metrics(run(), 0.0), re.MULTILINE))
    assert len(asked) >= 8
    assert asked <= told
