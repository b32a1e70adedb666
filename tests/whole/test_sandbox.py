"""A catcher is in its sandbox before it hears anything."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mrsync.run.sandbox import Sandbox
from tests.programs import program
from tests.whole.site import Site


def test_every_thread_of_a_catcher_that_listens_is_in_it(site: Site, tmp_path: Path) -> None:
    if Sandbox().missing():
        pytest.skip(f"the kernel lacks {', '.join(Sandbox().missing())}")
    key = tmp_path / "key"
    key.write_text("long enough for a key")
    key.chmod(0o600)
    command = program(
        "multicatcher", "-i", 0, "-t", site.dest("a"), "--key-file", key, "-A", site.group, "-P", site.port, "-I", "lo"
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as catcher:
        assert catcher.stdout is not None
        assert catcher.stdout.readline().startswith(b'{"ready"')
        threads = list(Path(f"/proc/{catcher.pid}/task").iterdir())
        statuses = [dict(line.split(":", 1) for line in (each / "status").read_text().splitlines()) for each in threads]
        limits = Path(f"/proc/{catcher.pid}/limits").read_text()
        catcher.terminate()
    assert len(threads) > 1
    assert {each["NoNewPrivs"].strip() for each in statuses} == {"1"}
    assert next(line for line in limits.splitlines() if "core file" in line).split()[4] == "0"
    if os.geteuid() == 0:
        assert not any(int(each["CapEff"], 16) >> 19 & 1 for each in statuses)  # CAP_SYS_PTRACE
