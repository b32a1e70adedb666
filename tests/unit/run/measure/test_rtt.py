"""A measurement that cannot wait for all of its targets."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from mrsync.cli.output.progress import make_progress
from mrsync.cli.settings.tools.rtt_options import parse_rtt
from mrsync.run.cast.outcome import TargetState
from mrsync.run.measure import rtt
from mrsync.run.stop import Stop

SHELL = """#!/bin/sh
[ "$1" = works ] && shift && exec sh -c "$*"
printf '\\nmrsync catcher\\n'
exec sleep 100
"""


def test_a_target_that_hangs_after_its_start_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtt, "LATE_S", 1.0)
    shell = tmp_path / "shell"
    shell.write_text(SHELL)
    shell.chmod(0o755)
    line = ["-r", str(shell), "-m", "hangs,works", "-I", "lo", "-L", "-n", "3", "--connect-timeout", "1"]
    place = ["-A", f"239.255.77.{random.randrange(1, 255)}", "-P", str(random.randrange(20000, 32000, 2))]
    began = time.monotonic()
    hangs, works = rtt.measure(parse_rtt(line + place)[0], make_progress("none", 0), Stop()).targets
    assert time.monotonic() - began < 50
    assert (hangs.state, hangs.reason) == (TargetState.UNREACHABLE, rtt.NOT_READY)
    assert (works.state, works.missing) == (TargetState.DONE, 0)
