"""The wait for verifiers: it is long while they get on, and ends where one does not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mrsync.cli.verify import complaint, lines
from mrsync.run.observer import Notice, Snapshot
from mrsync.run.stop import Stop
from mrsync.run.verify import verifier, verify
from mrsync.run.verify.findings import Pulse, TreeVerdict, encode_finding
from mrsync.run.verify.verify import VerifiedTarget, VerifyOutcome, VerifySettings, verify_targets

# Stands for a remote shell, and for the verifiers behind it: one hangs, the other takes longer than the patience.
SHELL = """#!/bin/sh
printf '\\nmrsync catcher\\n'
[ "$1" = hangs ] && exec sleep 100
for i in 1 2 3 4 5; do sleep 0.2; echo '%s'; done
echo '%s'
"""


def test_a_verifier_without_progress_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "SILENCE_S", 0.6)
    shell = tmp_path / "shell"
    shell.write_text(SHELL % (encode_finding(Pulse(1)), encode_finding(TreeVerdict(entries=7))))
    shell.chmod(0o755)
    began = time.monotonic()
    settings = VerifySettings(("hangs", "works"), b"/dest", str(shell))
    watcher = Watcher()
    outcome = verify_targets(settings, watcher, Stop())
    assert time.monotonic() - began < 50
    hangs, works = outcome.targets
    assert (hangs.verdict, hangs.reason) == (None, "it made no progress for 1 s")
    assert works.verdict is not None
    assert works.verdict.entries == 7
    assert {snapshot.phase for snapshot in watcher.seen} == {"verifying"}
    states = [tuple(target.state for target in snapshot.targets) for snapshot in watcher.seen]
    assert states[-1] == ("unreachable", "done")


def test_an_interrupted_run_names_the_targets_not_verified(tmp_path: Path) -> None:
    shell = tmp_path / "shell"
    shell.write_text(SHELL % (encode_finding(Pulse(1)), encode_finding(TreeVerdict(entries=7))))
    shell.chmod(0o755)
    stop = Stop()
    stop.request("interrupted by SIGINT")
    outcome = verify_targets(VerifySettings(("hangs",), b"/dest", str(shell)), Watcher(), stop)
    assert lines(outcome, b"/dest") == ["hangs: interrupted before it was verified"]


class Watcher:
    """Observer that keeps every snapshot."""

    due_at = 0.0

    def __init__(self) -> None:
        self.seen: list[Snapshot] = []

    def on_notice(self, notice: Notice) -> None:
        """Nothing is expected to be told."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.seen.append(snapshot)


def test_a_verifier_tells_only_that_it_gets_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verifier, "PULSE_S", 0.01)
    with verifier._Pulses() as pulses:
        pulses.add(3)
        time.sleep(0.1)
    assert capsys.readouterr().out == encode_finding(Pulse(3)) + "\n"


def test_why_no_target_can_be_reached_is_told_once() -> None:
    outcome = VerifyOutcome((VerifiedTarget("a", None, "no route", ()),), "", 1.0, is_interrupted=False)
    assert lines(outcome, b"/d") == ["a: no route"]
    assert complaint(outcome) == "no target can be reached"
