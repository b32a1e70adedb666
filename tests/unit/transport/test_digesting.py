"""Digests of pages: told by the caster, asked for again, and what a catcher makes of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from mrsync.transport import verifying
from mrsync.transport.digesting import AGE_S, PAGES_PER_JOB, REPEAT_S, PageDigester
from mrsync.transport.loop import Loop
from mrsync.transport.pages.opener import OpenedPage
from mrsync.transport.verifying import (
    GIVE_UP_MAX_S,
    GIVE_UP_S,
    HOLD_S,
    OVERDUE_S,
    WAITING_MAX,
    PageVerifier,
    VerifiedPage,
)
from mrsync.wire.limits import DIGESTS_MAX
from mrsync.wire.messages import Digests, ObjectKind
from tests.support.waiting import HANG_S

CONTENTS = ObjectKind.CONTENTS


class Caster:
    """A digester, and what it told."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.told: list[Digests] = []
        self.digester = PageDigester(self.loop, self.told.append, lambda kind: 0)

    def wait_for(self, pages: int) -> None:
        """Wait until the digests of this many pages were sent."""
        while sum(len(digests.entries) for digests in self.told) < pages:
            before = len(self.told)
            self.loop.wait(HANG_S)
            assert len(self.told) >= before


class Target:
    """A verifier, and what became of its pages."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.passed: list[VerifiedPage] = []
        self.false: list[tuple[int, int, int]] = []
        self.verifier = PageVerifier(
            self.loop, on_verified=self.passed.extend, on_false=lambda *key: self.false.append(key)
        )

    @property
    def verified(self) -> list[tuple[int, int, bytes]]:
        """Without the digests, which must be those of the data."""
        assert all(hashlib.sha256(data).digest() == digest for _, _, data, digest in self.passed)
        return [passed[:3] for passed in self.passed]

    def take(self, *pages: OpenedPage, tx: int = 1, now: float = 0.0) -> None:
        """Pages come, and are hashed."""
        waiting = len(self.verified) + len(self.false)
        self.verifier.take(pages, tx, now)
        self.wait_until_hashed()
        assert len(self.verified) + len(self.false) >= waiting

    def hear(self, digests: Digests, now: float = 0.0) -> None:
        """Digests come."""
        self.verifier.receive(digests, now)

    def wait_until_hashed(self) -> None:
        while not self.verifier.is_hashed:
            self.loop.wait(HANG_S)


@pytest.fixture
def caster() -> Iterator[Caster]:
    made = Caster()
    yield made
    made.digester.close()
    made.loop.close()


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.verifier.close()
    made.loop.close()


def page(number: int, generation: int = 0, text: str = "page") -> OpenedPage:
    return (CONTENTS, number, generation, f"{text} {number} {generation}".encode(), b"tag")


def told(*pages: OpenedPage, first: int = 0) -> Digests:
    entries = tuple((generation, hashlib.sha256(data).digest()) for _, _, generation, data, _ in pages)
    return Digests(1, CONTENTS, first, entries)


# the caster


def test_digests_are_sent_in_full_messages_and_the_rest_at_a_flush(caster: Caster) -> None:
    pages = [page(number) for number in range(2 * DIGESTS_MAX + PAGES_PER_JOB + 3)]
    for each in pages:
        caster.digester.take(*each[:4])
    caster.wait_for(2 * DIGESTS_MAX)
    caster.digester.flush()
    caster.wait_for(len(pages))
    assert [(digests.first, len(digests.entries)) for digests in caster.told] == [
        (0, DIGESTS_MAX), (DIGESTS_MAX, DIGESTS_MAX), (2 * DIGESTS_MAX, PAGES_PER_JOB + 3),
    ]  # fmt: skip
    assert [entry for digests in caster.told for entry in digests.entries] == list(told(*pages).entries)
    assert len({digests.counter for digests in caster.told}) == 3


def test_a_digest_waits_for_company_only_so_long(caster: Caster, monkeypatch: pytest.MonkeyPatch) -> None:
    now = caster.loop.now()
    monkeypatch.setattr(caster.loop, "now", lambda: now)
    caster.digester.take(*page(0)[:4])
    caster.digester.flush_aged()
    caster.digester.take(*page(1)[:4])
    assert caster.told == []
    now += AGE_S * 1.1
    caster.digester.flush_aged()
    caster.wait_for(2)
    caster.digester.flush_aged()
    assert [len(digests.entries) for digests in caster.told] == [2]


def test_as_many_digests_are_sent_together_as_is_asked_for(caster: Caster) -> None:
    assert caster.digester.due_at is None
    for number in range(PAGES_PER_JOB - 1):
        caster.digester.take(*page(number)[:4])
    caster.digester.flush(PAGES_PER_JOB)
    assert caster.told == []
    assert caster.digester.due_at is not None
    caster.digester.take(*page(PAGES_PER_JOB - 1)[:4])  # which begins to hash them all
    caster.digester.flush(PAGES_PER_JOB)
    assert caster.digester.due_at is None
    caster.wait_for(PAGES_PER_JOB)
    assert [len(digests.entries) for digests in caster.told] == [PAGES_PER_JOB]


def test_digests_of_separate_pages_are_sent_separately(caster: Caster) -> None:
    for each in (page(3), page(4), page(9), page(4, generation=1), (ObjectKind.CONTENTS_AGAIN, 5, 0, b"x")):
        caster.digester.take(*each[:4])
    caster.digester.flush()
    caster.wait_for(5)
    assert [(digests.object, digests.first, len(digests.entries)) for digests in caster.told] == [
        (CONTENTS, 3, 2), (CONTENTS, 9, 1), (CONTENTS, 4, 1), (ObjectKind.CONTENTS_AGAIN, 5, 1),
    ]  # fmt: skip


def test_requested_digests_are_repeated_but_not_at_once(caster: Caster) -> None:
    for each in (page(3), page(4), page(4, generation=1)):
        caster.digester.take(*each[:4])
    caster.digester.flush()
    caster.wait_for(3)
    caster.told.clear()
    for now in (0.0, REPEAT_S / 2):
        caster.digester.repeat(CONTENTS, 3, now)
    assert caster.told == [
        Digests(3, CONTENTS, 3, told(page(3), page(4)).entries),
        Digests(4, CONTENTS, 4, told(page(4, generation=1)).entries),
    ]
    caster.digester.repeat(CONTENTS, 3, REPEAT_S)
    assert len(caster.told) == 4
    caster.digester.repeat(CONTENTS, 99, 0.0)
    caster.digester.repeat(ObjectKind.PLAN, 3, 0.0)
    assert len(caster.told) == 4


# a catcher


@pytest.mark.parametrize("is_told_first", [True, False])
def test_a_page_is_handed_on_when_its_digest_is_its_own(target: Target, is_told_first: bool) -> None:
    if is_told_first:
        target.hear(told(page(0), page(1)))
    target.take(page(0), page(1))
    if not is_told_first:
        assert target.verified == []
        target.hear(told(page(0), page(1)))
    assert target.verified == [(CONTENTS, 0, page(0)[3]), (CONTENTS, 1, page(1)[3])]
    assert (target.false, target.verifier.is_waiting) == ([], False)


def test_another_page_is_not_the_caster_s_and_the_true_one_may_come_next(target: Target) -> None:
    target.take(page(0, text="forged"))
    target.hear(told(page(0)))
    assert (target.verified, target.false) == ([], [(CONTENTS, 0, 0)])
    target.take(page(0))
    assert target.verified == [(CONTENTS, 0, page(0)[3])]


def test_a_reading_has_a_digest_of_its_own(target: Target) -> None:
    target.take(page(0, generation=1))
    target.hear(told(page(0)))
    assert (target.verified, target.false) == ([], [])
    target.hear(told(page(0, generation=1)))
    assert target.verified == [(CONTENTS, 0, page(0, generation=1)[3])]


def test_pages_without_a_digest_hold_up_nobody_unless_they_are_many(target: Target) -> None:
    target.take(page(5), tx=10, now=0.0)
    target.take(page(4), tx=20, now=0.1)
    assert target.verifier.tx_done(20, 0.1) == 20
    assert target.verifier.overdue(CONTENTS, OVERDUE_S + 0.01) == 5, "it is requested all the same"


def test_many_pages_without_a_digest_are_not_done_and_are_requested(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "UNCHECKED_MAX", 1)
    target.take(page(5), tx=10, now=0.0)
    target.take(page(4), tx=20, now=0.1)
    assert target.verifier.tx_done(20, 0.1) == 0
    assert target.verifier.tx_done(20, HOLD_S) == 10, "the first one holds nobody up any more"
    assert target.verifier.tx_done(20, 0.2 + HOLD_S) == 20
    assert target.verifier.overdue(CONTENTS, OVERDUE_S) is None
    assert target.verifier.overdue(CONTENTS, OVERDUE_S + 0.01) == 5
    assert target.verifier.overdue(CONTENTS, 1.0) == 4
    assert target.verifier.overdue(ObjectKind.PLAN, 1.0) is None
    target.hear(told(page(5), first=5))
    assert target.verifier.tx_done(20, 0.1) == 20, "one is not many"


def test_a_digest_belongs_to_the_bytes_that_it_was_computed_from(target: Target) -> None:
    """The caster's page is rejected while it is being hashed, and then another member's comes in its place."""
    target.verifier.take([page(7), page(8)], 1, now=0.0)
    target.verifier.give_up(GIVE_UP_S)
    target.verifier.take([page(7, text="forged"), page(8)], 1, now=GIVE_UP_S)
    target.hear(told(page(7), page(8), first=7))
    target.wait_until_hashed()
    assert target.verified == [(CONTENTS, 8, page(8)[3])]
    assert target.false[-1] == (CONTENTS, 7, 0)


def test_unverified_pages_give_way(target: Target) -> None:
    target.take(*(page(number) for number in range(WAITING_MAX + 2)))
    assert target.false == [(CONTENTS, 0, 0), (CONTENTS, 1, 0)]


def test_a_page_that_the_caster_never_vouches_for_is_given_up(target: Target) -> None:
    """It may be one that it sends much later; the true one must not be kept out till then."""
    target.take(page(7), now=0.0)
    target.verifier.give_up(GIVE_UP_S / 2)
    assert target.false == []
    target.verifier.give_up(GIVE_UP_S)
    assert target.false == [(CONTENTS, 7, 0)]
    assert not target.verifier.is_waiting


def test_where_digests_come_late_pages_wait_longer_for_them(target: Target) -> None:
    """Processors are scarce: authentic pages would be rejected, and sent again."""
    for number in range(20):
        target.take(page(number), now=0.0)
        target.hear(told(page(number), first=number), now=0.5)
    target.take(page(20), now=1.0)
    assert target.verifier.overdue(CONTENTS, 1.0 + 2 * OVERDUE_S) is None
    target.verifier.give_up(1.0 + 2 * GIVE_UP_S)
    assert target.false == []
    target.verifier.give_up(1.0 + GIVE_UP_MAX_S)
    assert target.false == [(CONTENTS, 20, 0)]
