from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mrsync.remote.aliases import ssh_host_name
from mrsync.remote.command import RemoteShell

needs_ssh = pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "config"
    path.write_text("Host n1\n  HostName 10.0.0.7\nHost db*\n  HostName %h.example.org\n")
    return path


@needs_ssh
def test_ssh_knows_what_its_configuration_calls_a_host(configuration: Path) -> None:
    shell = RemoteShell.parse(f"ssh -F {configuration}", 10.0)
    assert shell.real_name("n1") == "10.0.0.7"
    assert shell.real_name("root@n1") == "10.0.0.7"
    assert shell.real_name("db4") == "db4.example.org"
    assert shell.real_name("other") == "other"


def test_other_remote_shells_and_broken_ones_know_nothing(tmp_path: Path) -> None:
    assert RemoteShell.parse("env", 10.0).real_name("n1") is None
    assert ssh_host_name(["/no/such/ssh"], "n1") is None
    assert ssh_host_name(["false"], "n1") is None
