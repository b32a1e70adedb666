"""systemd: the unit files, and what services tell the service manager."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from mrsync.tree.fs.state_directory import STATE_NAME
from tests.programs import program
from tests.whole.site import Site

UNITS = Path(__file__).parents[2] / "packaging" / "systemd"


@pytest.mark.parametrize("unit", ["mrsync@.service", "mrsync@.timer", "multicatcher.service"])
def test_unit_is_valid(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for path in UNITS.iterdir():
        text = path.read_text().replace("/usr/bin/multicatcher", "/bin/true").replace("/usr/bin/mrsync", "/bin/true")
        (tmp_path / path.name.replace("@", "@nightly")).write_text(text)
    path = tmp_path / unit.replace("@", "@nightly")
    checked = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True)
    complaints = [line for line in checked.stderr.splitlines() if str(tmp_path) in line or "nightly" in line]
    assert (checked.returncode, complaints) == (0, [])


def test_a_wrong_unit_would_be_found(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    (tmp_path / "wrong.service").write_text("[Service]\nExecStart=true maybe\nType=whatever\n")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "wrong.service"], capture_output=True, text=True
    )
    assert "wrong.service" in checked.stderr


def test_the_command_of_each_unit_exists() -> None:
    for path in UNITS.glob("*.service"):
        name = re.search(r"^ExecStart=/usr/bin/(\w+)", path.read_text(), re.MULTILINE)
        assert name
        assert subprocess.run(program(name[1], "--version"), capture_output=True).returncode == 0


def test_a_job_gets_no_directory_of_others() -> None:
    """systemd gives a StateDirectory and all in it to User=, so it must not hold the records of root."""
    settings = dict(re.findall(r"^(\w+)=(.*)$", (UNITS / "mrsync@.service").read_text(), re.MULTILINE))
    assert settings["StateDirectory"].endswith("/%i")
    assert settings["WorkingDirectory"] == f"/var/lib/{settings['StateDirectory']}"
    assert settings["StateDirectory"].split("/")[0] != STATE_NAME.decode()


def test_a_job_is_not_killed_for_a_call_that_its_filter_lacks() -> None:
    """Catchers of -r local ask for Landlock, which older sets of systemd lack, and go on without it."""
    settings = dict(re.findall(r"^(\w+)=(.*)$", (UNITS / "mrsync@.service").read_text(), re.MULTILINE))
    assert settings["SystemCallErrorNumber"] == "ENOSYS"
    assert {f"landlock_{name}" for name in ("create_ruleset", "add_rule", "restrict_self")} <= set(
        settings["SystemCallFilter"].split()
    )


def test_a_run_keeps_the_status_line_of_its_unit(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.source.mkdir()
    (site.source / "big").write_bytes(os.urandom(4 << 20))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{tmp_path}/notify")
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/notify")
        assert site.sync("--rate", "4M").status == 0
        assert manager.recv(1000).startswith(b"STATUS=")
