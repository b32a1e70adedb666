"""The status line of a systemd unit."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from mrsync.cli.output.service_status import STATUS_INTERVAL_S, ServiceStatus
from mrsync.run.observer import Notice
from tests.unit.cli.output.test_recording import Display, snapshot


def test_the_status_is_updated_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        display = Display(time.monotonic())
        status = ServiceStatus(display)
        status.on_snapshot(snapshot(0.1))
        status.on_snapshot(snapshot(0.2))
        assert manager.recv(1000).decode().startswith("STATUS=casting: 90 % of 10 B")
        with pytest.raises(BlockingIOError):
            manager.recv(1000)
    assert display.shown == [snapshot(0.1)]
    assert status.due_at is not None
    assert status.due_at <= time.monotonic() + STATUS_INTERVAL_S


def test_notices_are_passed_on() -> None:
    display = Display(None)
    status = ServiceStatus(display)
    status.on_notice(Notice(0, "hello"))
    assert display.shown == [Notice(0, "hello")]
    assert status.due_at is not None
