"""Itemized lines name their targets in short and spoil no terminal."""

from __future__ import annotations

import json

import pytest

from mrsync.cli.output.itemized import change_events, change_lines, escaped
from mrsync.run.cast.ledger import Line
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState


def outcome(*changes: Line, untold: int = 0) -> Outcome:
    hosts = [TargetOutcome(f"node{number}", TargetState.DONE) for number in range(1, 5)]
    hosts[0] = hosts[0]._replace(changes_untold=untold)
    return Outcome(0, b"", b"", tuple(hosts), changes=changes)


def test_lines_are_folded() -> None:
    changes = [
        Line((0, 1, 2), ">f.st......", b"a file"),
        Line((3,), "hf+++++++++", b"a", b" => b"),
        Line((0, 1, 2, 3), "*deleting  ", b"d/"),
    ]
    assert list(change_lines(outcome(*changes, untold=7))) == [
        "node[1-3]: >f.st...... a file",
        "node4: hf+++++++++ a => b",
        "node[1-4]: *deleting   d/",
        "node1: and 7 more changes",
    ]
    first, second, third = map(json.loads, change_events(outcome(*changes)))
    assert first == {
        "event": "change",
        "targets": ["node1", "node2", "node3"],
        "change": ">f.st......",
        "path": "a file",
    }
    assert second["leads_to"] == "b"
    assert third["path"] == "d/"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"plain", "plain"),
        ("sn\N{SNOWMAN}w".encode(), "sn\N{SNOWMAN}w"),
        (b"tab\t", "tab\t"),
        (b"new\nline", r"new\#012line"),
        (b"\xff\x7f", r"\#377\#177"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}".encode(), r"\#342\#200\#256"),
        (rb"\#123", r"\#134#123"),
        (rb"\#12x \n", r"\#12x \n"),
    ],
)
def test_names_are_escaped_as_rsync_does(path: bytes, expected: str) -> None:
    assert escaped(path) == expected
