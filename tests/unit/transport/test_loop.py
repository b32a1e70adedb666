from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from mrsync.transport.loop import QUICK_S, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    with closing(Loop()) as made:
        yield made


def test_watched_descriptors_call_back_until_unwatched(loop: Loop) -> None:
    readable, writable = os.pipe()
    with open(readable, "rb", 0) as reader, open(writable, "wb", 0) as writer:
        seen: list[bytes] = []
        loop.watch(reader, lambda: seen.append(os.read(readable, 1)))
        writer.write(b"ab")
        loop.wait(1)
        loop.wait(1)
        loop.unwatch(reader)
        writer.write(b"c")
        loop.wait(0)
        assert seen == [b"a", b"b"]


def test_the_end_of_a_pipe_calls_back(loop: Loop) -> None:
    readable, writable = os.pipe()
    with open(readable, "rb", 0):
        os.close(writable)
        seen: list[bytes] = []
        loop.watch(readable, lambda: seen.append(os.read(readable, 1)))
        loop.wait(1)
        assert seen == [b""]


def test_a_callback_may_stop_watching_another(loop: Loop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    seen: list[int] = []

    def stop_other(number: int) -> None:
        seen.append(number)
        loop.unwatch(pairs[1 - number][0])

    for number, (near, far) in enumerate(pairs):
        loop.watch(near, lambda number=number: stop_other(number))  # type: ignore[misc]
        far.send(b"x")
    loop.wait(1)
    assert len(seen) == 1
    for pair in pairs:
        for end in pair:
            end.close()


def test_writability_is_watched_only_while_wanted(loop: Loop) -> None:
    near, far = socket.socketpair()
    with near, far:
        seen: list[str] = []
        loop.watch(near, lambda: seen.append("ready"))
        loop.wait(0)
        assert seen == []
        loop.wait_writable(near, True)
        loop.wait(1)
        assert seen == ["ready"]
        loop.wait_writable(near, False)
        loop.wait(0)
        assert seen == ["ready"]


def test_work_and_posts_come_back_through_wait(loop: Loop) -> None:
    seen: list[int] = []
    loop.work(lambda: 7, seen.append)
    while not seen:
        loop.wait(1)
    loop.post(lambda: seen.append(8))
    loop.wait(1)
    assert seen == [7, 8]


def where(seen: list[bool]) -> bool:
    seen.append(threading.current_thread() is threading.main_thread())
    return seen[-1]


def test_quick_work_is_done_here_and_now(loop: Loop) -> None:
    seen: list[bool] = []
    results: list[bool] = []
    loop.work_if_slow(lambda: where(seen), results.append)
    assert results == seen == [True]


def test_after_slow_work_the_worker_does_it(loop: Loop) -> None:
    seen: list[bool] = []
    loop.work_if_slow(lambda: time.sleep(2 * QUICK_S), lambda _: None)
    loop.work_if_slow(lambda: where(seen), lambda _: None)
    while not seen:
        loop.wait(1)
    assert seen == [False]


@pytest.mark.skipif(not os.path.exists("/proc/thread-self/schedstat"), reason="this kernel counts no waiting")
def test_a_job_that_is_never_blocked_is_quick_however_long_it_takes(loop: Loop) -> None:
    seen: list[bool] = []

    def compute() -> None:
        until = time.thread_time() + 2 * QUICK_S
        while time.thread_time() < until:
            pass

    loop.work_if_slow(compute, lambda _: None)
    loop.work_if_slow(lambda: where(seen), lambda _: None)
    assert seen == [True]


def test_where_the_kernel_does_not_tell_all_time_counts(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mrsync.transport.blocking._STATISTICS", "/proc/none")
    seen: list[bool] = []
    until = time.monotonic() + 2 * QUICK_S
    loop.work_if_slow(lambda: [None for _ in iter(lambda: time.monotonic() < until, False)], lambda _: None)
    loop.work_if_slow(lambda: where(seen), lambda _: None)
    while not seen:
        loop.wait(1)
    assert seen == [False]


def test_jobs_run_in_order(loop: Loop) -> None:
    gate = threading.Event()
    seen: list[str] = []
    loop.work(gate.wait, lambda _: seen.append("first"))
    loop.work_if_slow(lambda: None, lambda _: seen.append("second"))
    gate.set()
    while len(seen) < 2:
        loop.wait(1)
    assert seen == ["first", "second"]


def test_time_without_listening_does_not_count(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    before = loop.now()
    clock[0] += 12.0  # stopped between two steps of a turn
    assert loop.now() == before
    clock[0] += 0.1
    loop.wait(0.0)
    assert loop.now() == pytest.approx(before + 0.1)
    assert loop.lapsed_s == pytest.approx(12.0)


PEAKS = """
from mrsync.transport.loop import Loop
def peak_kb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak_kb()
Loop()
print(peak_kb() - before)
"""


def test_a_loop_takes_little_memory() -> None:
    """A block that is freed at once makes malloc keep memory. It is never touched, or each start would pay for it."""
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 4096
