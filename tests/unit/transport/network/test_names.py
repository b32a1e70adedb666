"""Names are looked up side by side, and one that nobody answers for holds up nobody for long."""

from __future__ import annotations

import socket
import threading

import pytest

from mrsync.transport.network import names
from mrsync.transport.network.names import address_of, look_up_all

Row = tuple[int, int, int, str, tuple[str, int]]


class Resolver:
    """Knows `slow-N` only when all of them are asked for at once, `hangs` never, `real` at once; nobody else."""

    def __init__(self, slow: int) -> None:
        self.asked: list[str] = []
        self.over = threading.Event()
        self._together = threading.Barrier(slow)

    def __call__(self, name: str, *_: object) -> list[Row]:
        self.asked.append(name)
        if name.startswith("slow-"):
            self._together.wait(20)
        elif name == "hangs":
            self.over.wait(60)
        elif name != "real":
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("10.0.0.7", 0))]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    made = Resolver(20)
    monkeypatch.setattr(socket, "getaddrinfo", made)
    monkeypatch.setattr(names, "_known", {})
    return made


def nobody(name: str) -> None:
    return None


def test_many_are_asked_for_at_the_same_time(resolver: Resolver) -> None:
    wanted = [f"slow-{i}" for i in range(20)]
    look_up_all([*wanted, "unknown"], nobody, wait_s=30)
    assert {address_of(name, socket.AF_INET) for name in wanted} == {("10.0.0.7", 0)}
    for name, family in (("unknown", socket.AF_INET), ("slow-1", socket.AF_INET6)):
        with pytest.raises(socket.gaierror):
            address_of(name, family)
    assert len(resolver.asked) == 21, "nobody is asked twice"


def test_unanswered_request_stops_no_other(resolver: Resolver) -> None:
    look_up_all(["hangs", "real"], nobody, wait_s=0.5)
    assert address_of("real", socket.AF_INET) == ("10.0.0.7", 0)
    with pytest.raises(socket.gaierror, match="no answer came in time"):
        address_of("hangs", socket.AF_INET)
    resolver.over.set()


def test_a_name_that_had_no_address_is_tried_again_in_the_next_run(resolver: Resolver) -> None:
    look_up_all(["real", "unknown"], nobody)
    look_up_all(["real", "unknown"], nobody)
    assert sorted(resolver.asked) == ["real", "unknown", "unknown"]


def test_somebody_else_may_know_another_name(resolver: Resolver) -> None:
    asked = []

    def real_name(name: str) -> str | None:
        asked.append(name)
        return {"alias": "real", "loop": "loop"}.get(name)

    look_up_all(["alias", "real", "loop", "nothing"], real_name, wait_s=30)
    assert address_of("alias", socket.AF_INET) == ("10.0.0.7", 0)
    assert sorted(asked) == ["alias", "loop", "nothing"]
    with pytest.raises(socket.gaierror):
        address_of("loop", socket.AF_INET)
