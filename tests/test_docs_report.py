"""The JSON report: code, docs/report.schema.json and docs/cli.md have the same fields, states and paths."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mrsync.cli.output.report import report_fields
from mrsync.cli.result_files import ResultFiles
from mrsync.cli.settings.output_options import Output
from mrsync.run.cast.outcome import MULTICAST, RELAY, UNICAST, Outcome, TargetOutcome, TargetState

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "report.schema.json").read_text())
REFERENCE = (DOCS / "cli.md").read_text()
OUTCOME = Outcome(0, b"/s", b"/d", (TargetOutcome("node1", TargetState.DONE),))
OF_TARGET = SCHEMA["$defs"]["target"]["properties"]
WORDS = [
    ("state", [state.value for state in TargetState]),
    ("path", [MULTICAST, UNICAST, RELAY]),
]


def example() -> dict[str, Any]:
    """The report as cli.md shows it."""
    found = re.search(r"^## The JSON report\n\n```\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL)
    assert found is not None
    shown: dict[str, Any] = json.loads(found[1])
    return shown


def test_the_schema_describes_every_field() -> None:
    fields = ResultFiles("mrsync", [], Output(), complain=pytest.fail).fields(OUTCOME)
    assert set(SCHEMA["properties"]) == set(fields)
    assert set(OF_TARGET) == set(fields["targets"]["node1"])
    for part in ("seconds", "rtt_ms"):
        assert set(SCHEMA["properties"][part]["required"]) == set(fields[part])


def test_the_reference_shows_every_field() -> None:
    shown, fields = example(), report_fields(OUTCOME)
    assert set(shown) == set(fields)
    for part in ("seconds", "rtt_ms"):
        assert set(shown[part]) == set(fields[part])
    assert set(shown["targets"]["node1"]) == set(fields["targets"]["node1"])


@pytest.mark.parametrize(("field", "words"), WORDS)
def test_states_and_paths_are_those_of_the_code(field: str, words: list[str]) -> None:
    assert OF_TARGET[field]["enum"] == words
    quoted = [f"`{word}`" for word in words]
    lists = f"{', '.join(quoted)}|{', '.join(quoted[:-1])} or {quoted[-1]}"
    assert re.search(rf"`{field}` is (?:one of )?(?:{lists})", " ".join(REFERENCE.split()))
