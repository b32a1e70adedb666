from __future__ import annotations

import pytest

from mrsync.errors import ProtocolDataError
from mrsync.transport.pages import sealed_pages
from mrsync.transport.pages.compression import Compressor
from mrsync.transport.pages.sealed_pages import SealedPages
from mrsync.wire.messages import CONTENTS_KINDS, ObjectKind, SealKind
from mrsync.wire.seals.sealing import PageSealer
from tests.unit.transport.link import CONTENTS, GEOMETRY, KEYS, sample

SEALER = PageSealer(KEYS, SealKind.HMAC_SHA256)
DATA = sample(10)
SIZE = GEOMETRY.page_bytes


def read(object: int, page: int) -> bytes:
    return DATA[page * SIZE : (page + 1) * SIZE]


def test_a_page_is_read_and_sealed_once_while_it_is_kept() -> None:
    pages = SealedPages(read, SEALER, GEOMETRY)
    first = pages.sealed(CONTENTS, 3)
    assert pages.sealed(CONTENTS, 3) is first
    assert pages.held(CONTENTS, 3) is first
    assert pages.reads == 1
    plain = SEALER.open(first.sealed, object=CONTENTS, page=3, generation=0, count=GEOMETRY.packets)
    assert plain == read(CONTENTS, 3)


def test_the_page_unused_for_longest_leaves_and_comes_back_as_a_new_generation() -> None:
    pages = SealedPages(read, SEALER, GEOMETRY, pages_kept=2)
    pages.sealed(CONTENTS, 0)
    pages.sealed(CONTENTS, 1)
    pages.sealed(CONTENTS, 0)
    pages.sealed(CONTENTS, 2)
    assert pages.held(CONTENTS, 1) is None
    assert pages.held(CONTENTS, 0) is not None
    again = pages.sealed(CONTENTS, 1)
    assert again.generation == 1
    assert SEALER.open(again.sealed, object=CONTENTS, page=1, generation=1, count=GEOMETRY.packets) == read(2, 1)


def test_only_contents_are_compressed() -> None:
    pages = SealedPages(lambda object, page: bytes(SIZE), SEALER, GEOMETRY, compressor=Compressor(GEOMETRY.slice_bytes))
    counts = {object: len(pages.sealed(object, 0).slices) for object in ObjectKind}
    assert counts == {object: 1 if object in CONTENTS_KINDS else GEOMETRY.packets for object in ObjectKind}


def test_few_pages_are_kept_before_the_first_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_pages, "PAGES_KEPT_WITHOUT_LOSS", 2)
    pages = SealedPages(read, SEALER, GEOMETRY, pages_kept=4)
    for page in range(5):
        pages.sealed(CONTENTS, page)
    assert [page for page in range(10) if pages.held(CONTENTS, page)] == [3, 4]
    for page in range(5, 10):
        pages.sealed(CONTENTS, page)
    assert [page for page in range(10) if pages.held(CONTENTS, page)] == [6, 7, 8, 9]


def test_bytes_bound_the_store_too() -> None:
    pages = SealedPages(read, SEALER, GEOMETRY, bytes_kept=3 * GEOMETRY.sealed_bytes)
    for page in range(10):
        pages.sealed(CONTENTS, page)
    assert [page for page in range(10) if pages.held(CONTENTS, page)] == [7, 8, 9]


def test_objects_are_kept_apart() -> None:
    pages = SealedPages(read, SEALER, GEOMETRY)
    assert pages.sealed(0, 1).sealed != pages.sealed(1, 1).sealed


def test_a_page_is_never_sealed_under_one_nonce_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_pages, "GENERATIONS_MAX", 2)
    pages = SealedPages(read, SEALER, GEOMETRY, pages_kept=1)
    generations = []
    for _ in range(2):
        generations.append(pages.sealed(CONTENTS, 5000).generation)
        pages.sealed(0, 0)
    with pytest.raises(ProtocolDataError, match="page 5000 was sealed 2 times"):
        pages.sealed(CONTENTS, 5000)
    assert generations == [0, 1]
