"""Signals become requests to stop."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from mrsync.cli.signals import signals_requesting
from mrsync.errors import Interrupted
from mrsync.run.stop import Stop


def test_a_signal_asks_a_listening_run_to_stop() -> None:
    stop, heard = Stop(), list[str]()
    stop.listen(lambda: heard.append(stop.reason))
    with signals_requesting(stop):
        signal.raise_signal(signal.SIGTERM)
    assert heard == ["interrupted by SIGTERM"]


def test_a_signal_ends_a_program_that_does_not_listen_yet() -> None:
    with pytest.raises(Interrupted, match="SIGHUP"), signals_requesting(Stop()):
        signal.raise_signal(signal.SIGHUP)


def test_a_run_under_nohup_survives_the_end_of_its_terminal() -> None:
    stop, before = Stop(), signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_requesting(stop):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not stop.reason


def test_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with signals_requesting(Stop()):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


HANGS = """
import os, signal, sys, threading
from mrsync.cli import signals
from mrsync.run.stop import Stop

def leave(reason):
    print(reason, flush=True)
    os._exit(20)

with signals.signals_requesting(Stop(), leave), signals.unheard_signals(leave) as watch:
    watch()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # as in a system call that cannot be interrupted
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait()
"""


def test_a_signal_that_the_main_thread_cannot_take_ends_the_program() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (20, "")
    assert done.stdout == "interrupted by SIGINT, and a file system does not answer\n"
