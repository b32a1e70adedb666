"""A process whose master is gone ends, whatever its threads do."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from mrsync.run.watchdog import Watchdog

SOURCE = Path(__file__).parents[3] / "src"
PROGRAM = """
import os, sys, threading, time
sys.path.insert(0, sys.argv[1])
from mrsync.run.watchdog import Watchdog
Watchdog(0, 20, grace_s=0.2)
print("ready", flush=True)
{hang}
"""
HANGS = {
    "sleeping": "time.sleep(1000)",
    "joining": "thread = threading.Thread(target=time.sleep, args=(1000,)); thread.start(); thread.join()",
    "spinning": "while True: pass",
    "opening a fifo": "os.open(sys.argv[2], os.O_RDONLY)",
    "deaf to signals": "import signal; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 13, 15)]; time.sleep(1000)",
}


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_the_end_of_stdin_ends_a_process_that_hangs(hang: str, kind: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    if kind == "pipe":
        theirs, ours = os.pipe()
    else:
        one, other = socket.socketpair()
        theirs, ours = one.detach(), other.detach()
    command = [sys.executable, "-c", PROGRAM.format(hang=hang), str(SOURCE), str(tmp_path / "fifo")]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert process.poll() is None
        os.close(ours)
        assert process.wait(timeout=60) == 20


def test_half_a_connection_that_ends_is_an_end_too() -> None:
    """sshd gives programs a socket, and closes its sending half."""
    ended = threading.Event()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        Watchdog(theirs.fileno(), 0, grace_s=0.0, end=lambda status: ended.set())
        ours.shutdown(socket.SHUT_WR)
        assert ended.wait(60)


def test_unread_input_is_not_the_end_and_is_kept() -> None:
    ended = threading.Event()
    readable, writable = os.pipe()
    os.write(writable, b"more")
    dog = Watchdog(readable, 0, grace_s=0.0, end=lambda status: ended.set())
    assert select.select([readable], [], [], 60)[0]
    assert not ended.wait(0.1)
    assert os.read(readable, 10) == b"more"
    dog.begin()
    assert ended.wait(60)
    os.close(writable)
    os.close(readable)


def test_progress_extends_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    readable, writable = os.pipe()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) < 4:
            dog.postpone()

    monkeypatch.setattr("mrsync.run.watchdog.time", SimpleNamespace(monotonic=lambda: sum(slept), sleep=sleep))
    dog = Watchdog(readable, 0, grace_s=5.0, end=lambda status: ended.set())
    os.close(writable)
    assert ended.wait(30)
    assert slept == [5.0] * 4
    os.close(readable)
