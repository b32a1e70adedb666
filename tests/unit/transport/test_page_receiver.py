"""PageWriter: when opened pages are written, and what becomes of those whose digest is false or late."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import cast

import pytest

from mrsync.protocol.catcher import Catcher
from mrsync.protocol.receiving.reception import Counters
from mrsync.transport.loop import Loop
from mrsync.transport.page_receiver import PAGES_PER_JOB, PATIENCE_S, PageWriter
from mrsync.transport.verifying import GIVE_UP_S, OVERDUE_S
from mrsync.wire.messages import Digests, ObjectKind

CONTENTS = ObjectKind.CONTENTS


class Core:
    """What a PageWriter tells the state machine."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.active = CONTENTS
        self.written: list[tuple[list[int], int]] = []  # pages, tx_done
        self.disowned: list[int] = []
        self.asked: list[int] = []

    def pages_written(self, object: int, pages: list[int], tx_done: int, now: float) -> None:
        self.written.append((pages, tx_done))

    def page_disowned(self, object: int, page: int) -> None:
        self.disowned.append(page)

    def ask_digests(self, page: int, now: float) -> None:
        self.asked.append(page)


class Desk:
    """A PageWriter with a loop of its own. on_disk: the pages that it has written."""

    def __init__(self, loop: Loop, *, is_signed: bool) -> None:
        self.core = Core()
        self.loop = loop
        self.on_disk: list[int] = []
        self.dropped: list[int] = []
        self.tx = 9
        self.writer = PageWriter(
            cast("Catcher", self.core),
            loop,
            lambda object, pages: self.on_disk.extend(page for page, _, _ in pages),
            is_signed=is_signed,
            tx_seen=lambda: self.tx,
            on_false=lambda object, page: self.dropped.append(page),
        )

    def take(self, *pages: int) -> None:
        self.writer.take([(CONTENTS, page, 0, b"%d" % page, bytes(16)) for page in pages], self.loop.now())

    def digests(self, first: int, *texts: bytes) -> None:
        entries = tuple((0, hashlib.sha256(text).digest()) for text in texts)
        self.writer.receive_digests(Digests(1, CONTENTS, first, entries))

    def later(self, seconds: float) -> None:
        self.writer.keep_time(self.loop.now() + seconds)


@pytest.fixture
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    loop = Loop()
    made = Desk(loop, is_signed=getattr(request, "param", False))
    yield made
    made.writer.close()
    loop.close()


signed = pytest.mark.parametrize("desk", [True], indirect=True, ids=["signed"])


def test_pages_are_written_in_groups_or_after_a_while(desk: Desk) -> None:
    desk.take(*range(PAGES_PER_JOB - 1))
    assert desk.on_disk == []
    desk.take(7)
    assert desk.on_disk == list(range(PAGES_PER_JOB))
    desk.take(8)
    desk.later(0)
    assert desk.core.counters.queue_pages == 1
    desk.later(PATIENCE_S)
    assert desk.core.written == [(list(range(PAGES_PER_JOB)), 9), ([8], 9)]
    assert desk.core.counters.queue_pages == 0
    assert desk.writer.deadlines == (None, None)


def test_digests_of_a_session_without_signatures_are_ignored(desk: Desk) -> None:
    desk.digests(0, b"0")
    desk.take(0)
    desk.later(PATIENCE_S)
    assert desk.on_disk == [0]


@signed
def test_a_page_waits_for_its_digest(desk: Desk) -> None:
    desk.take(0)
    desk.later(PATIENCE_S)
    assert desk.on_disk == []
    desk.digests(0, b"0")
    desk.later(PATIENCE_S)
    assert desk.on_disk == [0]


@signed
def test_a_page_with_a_false_digest_is_dropped_and_requested_again(desk: Desk) -> None:
    desk.digests(0, b"what the caster has read")
    desk.take(0)
    desk.later(PATIENCE_S)
    assert (desk.on_disk, desk.dropped, desk.core.disowned) == ([], [0], [0])
    assert desk.core.counters.queue_pages == 0


@signed
def test_an_overdue_digest_is_requested_until_the_page_is_given_up(desk: Desk) -> None:
    desk.take(3)
    desk.later(OVERDUE_S + PATIENCE_S)
    assert desk.core.asked == [3]
    desk.core.counters.unverified = 4
    desk.later(GIVE_UP_S + OVERDUE_S)
    assert desk.core.disowned == [3]
    assert desk.core.counters.unverified == 0
    assert desk.writer.deadlines == (None, None)
