from __future__ import annotations

from mrsync.transport.pages.coded_packets import coded_packet, xor_slices
from mrsync.wire.header import unpack_header
from mrsync.wire.limits import CASTER_ID
from mrsync.wire.messages import Kind
from mrsync.wire.terms import decode_terms


def test_the_lowest_term_is_in_the_header_whatever_the_order() -> None:
    slices = [(9, 1, b"\x04"), (7, 5, b"\x01\x02"), (7, 2, b"\x03\x03")]
    packed, payload = coded_packet(slices, 2, session_tag=3, object=2, generation=1, tx=8)
    header = unpack_header(packed)
    assert header is not None
    assert (header.kind, header.packet_count, header.page, header.packet_index) == (Kind.CODED, 3, 7, 2)
    assert (header.session_tag, header.object, header.generation, header.tx) == (3, 2, 1, 8)
    assert header.sender == CASTER_ID
    assert decode_terms(header, payload) == [(7, 2), (7, 5), (9, 1)]
    assert payload[-2:] == b"\x06\x01"


def test_xor_pads_short_slices_with_zeros() -> None:
    assert xor_slices([b"\x01\x02\x03", b"\x01"], 4) == b"\x00\x02\x03\x00"
