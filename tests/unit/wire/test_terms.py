"""Coded packets name their terms; terms that no caster sends are not decoded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.wire.header import Header
from mrsync.wire.limits import CASTER_ID, PAGES_MAX, TERM_BYTES, TERM_DISTANCE_MAX, TERMS_MAX
from mrsync.wire.messages import Kind
from mrsync.wire.terms import Term, decode_terms, encode_terms
from tests.unit.wire.samples import u8, u32

indices = st.integers(0, 63)
terms_behind = st.sets(st.tuples(st.integers(1, TERM_DISTANCE_MAX), indices), min_size=1, max_size=TERMS_MAX - 1)


def coded_header(first: Term, count: int) -> Header:
    page, index = first
    return Header(
        kind=Kind.CODED, packet_index=index, packet_count=count, object=2, segment=0, session_tag=7, generation=0,
        sender=CASTER_ID, page=page, tx=5,
    )  # fmt: skip


@given(st.integers(0, PAGES_MAX - TERM_DISTANCE_MAX - 1), indices, terms_behind)
def test_encoded_terms_are_decoded_unchanged(page: int, index: int, behind: set[Term]) -> None:
    terms = ((page, index), *((page + distance, other) for distance, other in sorted(behind)))
    encoded = encode_terms(terms)
    assert len(encoded) == TERM_BYTES * len(behind)
    header = coded_header(terms[0], len(terms))
    assert decode_terms(header, encoded + b"slice") == list(terms)
    assert decode_terms(header, encoded[:-1]) is None


def test_two_packets_of_one_page_may_be_terms() -> None:
    assert decode_terms(coded_header((9, 1), 2), encode_terms(((9, 1), (9, 63)))) == [(9, 1), (9, 63)]


@pytest.mark.parametrize(
    "terms",
    [
        ((9, 1),),
        tuple((page, 0) for page in range(TERMS_MAX + 1)),
        ((9, 1), (8, 1)),
        ((9, 1), (9 + TERM_DISTANCE_MAX + 1, 1)),
    ],
)
def test_terms_out_of_range_raise(terms: tuple[Term, ...]) -> None:
    with pytest.raises(ValueError, match="terms"):
        encode_terms(terms)


def test_terms_that_no_caster_sends() -> None:
    same = coded_header((0, 0), 2)
    assert decode_terms(same, bytes(2)) is None  # the first term again
    assert decode_terms(coded_header((PAGES_MAX - 1, 0), 2), b"\x00\x40") is None  # a page that does not exist
    assert decode_terms(coded_header((0, 64), 2), b"\x00\x40") is None
    for count in (0, 1, TERMS_MAX + 1):
        assert decode_terms(coded_header((0, 0), count), bytes(range(100))) is None


@given(u32, u8, u8, st.binary(max_size=40))
def test_any_payload_gives_terms_or_none(page: int, index: int, count: int, payload: bytes) -> None:
    terms = decode_terms(coded_header((page, index), count), payload)
    assert terms is None or len(terms) == count
