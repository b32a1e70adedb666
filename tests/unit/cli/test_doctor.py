"""What the doctor prints: verdicts folded, faults first; a table; JSON."""

from __future__ import annotations

import json
import sys

import pytest

from mrsync.cli import doctor
from mrsync.cli.doctor import HEADS, ROWS_MAX, complaint, outcome_fields, table_rows, tables, verdict_line, verdicts
from mrsync.cli.settings.tools.doctor_options import parse_doctor
from mrsync.errors import UsageError
from mrsync.run.measure.doctor import DoctorOutcome, Examined
from mrsync.run.measure.evidence import Evidence, Setting
from mrsync.run.measure.finding import Finding
from mrsync.run.settings import Network
from tests.unit.run.measure.test_diagnosis import DEAF, SETTING, WELL

FAULT = Finding("MTU", "too large", "make it smaller")
NOTE = Finding("clock", "1 h ahead", "run NTP", is_fault=False)
GONE = Finding("not reachable", "Connection refused", "start sshd")


def examined(host: str, *findings: Finding, seen: Evidence = WELL) -> Examined:
    return Examined(seen._replace(host=host), findings)


def gone(host: str) -> Examined:
    return Examined(Evidence(host, reason="Connection refused"), (GONE,))


def outcome(*targets: Examined, setting: Setting = SETTING) -> DoctorOutcome:
    return DoctorOutcome(setting, targets, 5.5)


def lines(result: DoctorOutcome) -> list[str]:
    return [verdict_line(verdict) for verdict in verdicts(result)]


def test_fit_hosts_share_one_line() -> None:
    result = outcome(*(examined(f"n{i}") for i in range(1, 21)))
    assert lines(result) == ["n[1-20]: fit"]
    assert (result.exit_status, complaint(result)) == (0, None)
    (row,) = table_rows(result, is_verbose=False)
    assert row[:2] == ("n[1-20]", "100%")
    assert len(row) == len(HEADS)
    assert len(table_rows(result, is_verbose=True)) == 20


def test_equal_findings_are_folded_and_faults_come_first() -> None:
    result = outcome(examined("a", NOTE), examined("b1", FAULT, NOTE), examined("b2", FAULT), gone("c"), examined("d"))
    assert lines(result) == [
        "b[1-2]: MTU: too large; remedy: make it smaller",
        "c: not reachable: Connection refused; remedy: start sshd",
        "a,b1: clock: 1 h ahead; remedy: run NTP",
        "a,d: fit",
    ]
    assert (result.exit_status, complaint(result)) == (23, "not fit: b[1-2],c")
    assert [row[0] for row in table_rows(result, is_verbose=False)] == ["b1", "b2", "a,d"]


def test_the_rows_of_many_unfit_are_bounded() -> None:
    result = outcome(*(examined(f"n{i}", FAULT, seen=DEAF) for i in range(200)))
    assert lines(result) == ["n[0-199]: MTU: too large; remedy: make it smaller"]
    assert len(table_rows(result, is_verbose=False)) == ROWS_MAX


@pytest.mark.parametrize(("width", "count"), [(100, 1), (80, 1), (50, 2), (30, 4)])
def test_the_table_fits_the_terminal(width: int, count: int) -> None:
    rows = [HEADS, *table_rows(outcome(*(examined(f"node{i}") for i in range(1, 4))), is_verbose=True)]
    made = list(tables(rows, width))
    assert len(made) == count
    assert max(len(line) for lines in made for line in lines) <= width
    words = [word for lines in made for word in lines[0].replace("p50 us", "p50us").split()]
    assert [word for word in words if word != "target"] == [head.replace(" ", "") for head in HEADS[1:]]


def test_exit_status_follows_from_targets_and_faults() -> None:
    assert outcome(gone("a"), gone("b")).exit_status == 5
    assert complaint(outcome(gone("a"))) == "no target can be reached"
    assert outcome(examined("a", NOTE)).exit_status == 0
    assert outcome(examined("a"))._replace(is_interrupted=True).exit_status == 20


def test_the_result_has_all_fields_in_json() -> None:
    fields = json.loads(json.dumps(outcome_fields(outcome(examined("a", FAULT), gone("c")))))
    assert (fields["schema"], fields["exit_status"], fields["port"]) == (1, 23, 8888)
    target = fields["targets"]["a"]
    assert target["findings"] == [FAULT._asdict()]
    assert target["is_fit"] is False
    assert target["facts"]["python"] == "3.11.7"
    assert target["group"] == {"sent": 10, "heard": 10, "echoed": 10}
    assert fields["targets"]["c"]["facts"] is None
    half = outcome_fields(outcome(examined("a", FAULT), gone("c"))._replace(is_interrupted=True))
    assert [(target["is_fit"], target["findings"]) for target in half["targets"].values()] == [(None, [])] * 2


def test_a_terminal_gets_colours_and_all_the_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    doctor._print(outcome(examined("a", FAULT), examined("b")), is_verbose=False)
    said = capsys.readouterr().out
    assert "\x1b[1;31mMTU" in said
    assert "make it smaller" in said
    assert "\x1b[1;32mfit" in said


def test_options_become_settings() -> None:
    line = "-m node[1-2] -t /data -A 239.1.2.3 -P 7000 -T 2 --rate 10MB --json"
    settings, output = parse_doctor(line.split())
    assert (settings.targets, settings.dest, settings.remote_shell) == (("node1", "node2"), b"/data", "ssh")
    assert settings.network == Network("239.1.2.3", 7000, ttl=2)
    assert settings.rate_bytes_s == 10_000_000
    assert output.is_json
    assert parse_doctor(["-m", "a"])[0].rate_bytes_s == 25_000_000
    with pytest.raises(UsageError, match="TARGETS is missing"):
        parse_doctor([])
