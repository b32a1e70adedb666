"""What the kernel must be doing before its times can be tested."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from mrsync.transport.network.stamps import STAMP_BYTES, arrived_at, ask_arrival_times
from tests.support.waiting import HANG_S

SLEPT_S = 0.005
WAIT_S = HANG_S


@pytest.fixture(scope="session")
def stamping() -> Iterator[None]:
    """Linux begins to note times a moment after the first socket asked for them; here one has, and goes on asking."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
        ask_arrival_times(asking)
        deadline = time.monotonic() + WAIT_S
        is_noted = False
        while not is_noted:
            asking.sendto(b"x", asking.getsockname())
            time.sleep(SLEPT_S)
            _, ancillary, _, _ = asking.recvmsg(10, STAMP_BYTES)
            is_noted = time.monotonic() - arrived_at(ancillary) >= SLEPT_S
            assert time.monotonic() < deadline
        yield
