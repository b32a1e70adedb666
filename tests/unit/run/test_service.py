"""What systemd is told."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mrsync.run.service import WARNING, notify, priority_mark


@pytest.mark.parametrize("is_abstract", [False, True], ids=["path", "abstract"])
def test_the_service_manager_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_abstract: bool) -> None:
    name = f"@{tmp_path}/notify" if is_abstract else f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("name", ["", "relative", "/no/such/socket", "vsock:2:1234"])
def test_a_manager_that_cannot_be_reached_changes_nothing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify("READY=1")


def test_lines_for_the_journal_begin_with_their_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w") as journal:
        status = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert priority_mark(journal.fileno(), WARNING) == "<4>"
        assert priority_mark(0, WARNING) == ""
    monkeypatch.delenv("JOURNAL_STREAM")
    assert priority_mark(0, WARNING) == ""
