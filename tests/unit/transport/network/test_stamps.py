"""Stamps: times of the kernel, on the loopback interface."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import pytest

from mrsync.transport.network.stamps import (
    STAMP_BYTES,
    LastArrival,
    StampedSocket,
    arrived_at,
    as_held,
    ask_arrival_times,
)
from mrsync.wire.messages import ObjectKind, Report
from tests.support.waiting import HANG_S

pytestmark = pytest.mark.usefixtures("stamping")


@pytest.fixture
def pair() -> Iterator[tuple[StampedSocket, socket.socket]]:
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(HANG_S)
    ask_arrival_times(receiver)
    with receiver, StampedSocket.of(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
        yield sender, receiver


def test_how_long_a_program_slept_does_not_count(pair: tuple[StampedSocket, socket.socket]) -> None:
    sender, receiver = pair
    before = time.monotonic()
    sender.sendmsg([b"x"], [], 0, receiver.getsockname())
    after = time.monotonic()
    time.sleep(0.05)
    _, ancillary, _, _ = receiver.recvmsg(10, STAMP_BYTES)
    at = arrived_at(ancillary)
    assert sender.sent_at is not None
    assert before <= sender.sent_at <= after
    assert sender.sent_at - 0.001 < at < after + 0.01


def test_the_first_of_several_sends_counts_until_renewed(pair: tuple[StampedSocket, socket.socket]) -> None:
    sender, receiver = pair
    sender.sendmsg([b"x"], [], 0, receiver.getsockname())
    first = sender.sent_at
    sender.sendmsg([b"x"], [], 0, receiver.getsockname())
    assert sender.sent_at == first
    sender.renew()
    assert sender.sent_at is None
    sender.sendmsg([b"x"], [], 0, receiver.getsockname())
    again: float | None = sender.sent_at
    assert first is not None
    assert again is not None
    assert again > first


@pytest.mark.parametrize("seconds", [None, -3600.0, 3600.0])
def test_without_a_stamp_or_with_a_clock_that_was_set_it_is_now(seconds: float | None) -> None:
    stamp = struct.pack("@ll", int(time.time() + (seconds or 0)), 0)
    ancillary = [(socket.SOL_SOCKET, 35, stamp)] if seconds else [(socket.SOL_SOCKET, 35, b"short")]
    before = time.monotonic()
    assert before <= arrived_at(ancillary) <= time.monotonic()


def test_the_last_arrival_is_known_by_the_caller_s_clock(pair: tuple[StampedSocket, socket.socket]) -> None:
    sender, receiver = pair
    arrival = LastArrival(receiver, lambda: 1000.0)
    assert arrival.read() == 1000.0
    sender.sendmsg([b"x"], [], 0, receiver.getsockname())
    receiver.recvmsg(10)
    assert 1000.0 <= arrival.read() < 1000.0 + HANG_S
    arrival.set_clock()
    assert 1000.0 - HANG_S < arrival.read() <= 1000.0


def test_an_arrival_is_rather_late_than_early_if_another_program_runs_between_two_clocks(
    pair: tuple[StampedSocket, socket.socket],
) -> None:
    sender, receiver = pair

    def late() -> float:
        time.sleep(0.02)
        return time.monotonic()

    arrival = LastArrival(receiver, late)
    before = time.monotonic()
    sender.sendmsg([b"x"], [], 0, receiver.getsockname())
    receiver.recvmsg(10)
    arrival.read()  # the kernel notes times from now on
    sender.sendmsg([b"x"], [], 0, receiver.getsockname())
    receiver.recvmsg(10)
    arrival.set_clock()
    assert before < arrival.read() < time.monotonic()


def test_a_report_that_waited_in_the_socket_was_held_so_long() -> None:
    report = Report(0, 5, 1, ObjectKind.CONTENTS, 0, 0, 7, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b"", 0, 0, ())
    held = as_held(report, 0.002)
    assert (held.hold_us, held.ended_hold_us) == (2007, 2000)
    assert as_held(report, -1.0) == report  # the clock was set
