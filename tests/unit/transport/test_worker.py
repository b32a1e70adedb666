from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from mrsync.transport.worker import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    with closing(Worker()) as made:
        yield made


def collect(worker: Worker) -> None:
    assert select.select([worker], [], [], 5)[0]
    worker.collect()


def test_jobs_run_elsewhere_in_order_and_results_come_back_here(worker: Worker) -> None:
    results: list[tuple[int, bool, bool]] = []
    here = threading.get_ident()
    for number in range(5):

        def done(result: tuple[int, bool]) -> None:
            results.append((*result, threading.get_ident() == here))

        worker.submit(lambda number=number: (number, threading.get_ident() == here), done)  # type: ignore[misc]
    while len(results) < 5:
        collect(worker)
    assert results == [(number, False, True) for number in range(5)]


def test_an_error_of_a_job_is_raised_where_results_are_collected(worker: Worker) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    worker.submit(fail, lambda _: pytest.fail("there is no result"))
    with pytest.raises(OSError, match="No space left on device"):
        collect(worker)


def test_an_error_keeps_no_other_result_from_being_collected(worker: Worker) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    seen: list[str] = []
    worker.post(fail)
    worker.post(lambda: seen.append("the other"))
    with pytest.raises(OSError, match="No space"):
        collect(worker)
    collect(worker)
    assert seen == ["the other"]


def test_a_slow_job_does_not_delay_posted_calls(worker: Worker) -> None:
    gate = threading.Event()
    seen: list[str] = []
    worker.submit(gate.wait, lambda _: seen.append("job"))
    worker.post(lambda: seen.append("posted"))
    collect(worker)
    assert seen == ["posted"]
    gate.set()
    collect(worker)
    assert seen == ["posted", "job"]


def test_calls_posted_during_a_collection_wait_for_the_next_one(worker: Worker) -> None:
    """Sockets are read in between."""
    calls: list[int] = []

    def first() -> None:
        calls.append(1)
        worker.post(lambda: calls.append(2))

    worker.post(first)
    collect(worker)
    assert calls == [1]
    collect(worker)
    assert calls == [1, 2]


def test_collecting_nothing_is_harmless(worker: Worker) -> None:
    worker.collect()


def test_close_lets_queued_jobs_finish() -> None:
    seen: list[int] = []
    worker = Worker()
    for number in range(3):
        worker.submit(lambda number=number: seen.append(number), lambda _: None)  # type: ignore[misc]
    worker.close()
    assert seen == [0, 1, 2]


def test_a_post_after_close_writes_to_no_descriptor() -> None:
    worker = Worker()
    worker.close()
    pipes = [os.pipe() for _ in range(4)]  # which get the numbers that the worker had
    worker.post(lambda: pytest.fail("nobody collects"))
    written = select.select([readable for readable, _ in pipes], [], [], 0)[0]
    for pair in pipes:
        for descriptor in pair:
            os.close(descriptor)
    assert written == []


def test_every_posted_call_wakes_a_collector_that_is_done(worker: Worker) -> None:
    seen: list[int] = []
    for number in range(3):
        worker.post(lambda number=number: seen.append(number))  # type: ignore[misc]
        collect(worker)
        assert seen == list(range(number + 1))


def test_many_posted_calls_are_collected_in_order(worker: Worker) -> None:
    count = 70_000
    seen: list[int] = []
    for number in range(count):
        worker.post(lambda number=number: seen.append(number))  # type: ignore[misc]
    while len(seen) < count:
        collect(worker)
    assert seen == list(range(count))


def test_a_job_that_hangs_is_not_waited_for_longer_than_asked() -> None:
    worker, answer = Worker(), threading.Event()
    worker.submit(answer.wait, lambda _: pytest.fail("nobody collects"))
    assert not worker.close(patience_s=0.01)
    answer.set()  # what the thread then wants to hand back is dropped
    patient = Worker()
    patient.submit(lambda: time.sleep(0.01), lambda _: None)
    assert patient.close()
