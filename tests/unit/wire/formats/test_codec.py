"""Every message survives encoding and decoding; bytes that contradict themselves are no message."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.wire.formats.clear import Clear
from mrsync.wire.formats.codec import decode_message, encode_message
from mrsync.wire.limits import CASTER_ID, CONTROL_BODY_MAX, TARGETS_MAX
from mrsync.wire.messages import Ack, Ending, Farewell, Hello, Kind, Message, Welcome
from tests.unit.wire.samples import messages, u8, u16, u32, u64

HELLO = Hello(3, 99, 1, 6, 1 << 20, 512, 1472, 0, 5, "node1", "5.0")


@given(messages)
def test_an_encoded_message_is_decoded_unchanged(message: Message) -> None:
    clear, body = encode_message(message)
    assert len(body) <= CONTROL_BODY_MAX or clear.kind == Kind.PROBE
    assert clear.counter == message.counter
    assert decode_message(clear, body) == message


@given(messages, st.binary(min_size=1, max_size=3))
def test_a_body_must_end_where_it_ends(message: Message, more: bytes) -> None:
    clear, body = encode_message(message)
    longer = decode_message(clear, body + more)
    assert longer is None or encode_message(longer) == (clear, body + more)  # a report may have more needs
    if clear.kind != Kind.REPORT:
        assert longer is None


@given(messages)
def test_a_truncated_body_is_rejected(message: Message) -> None:
    clear, body = encode_message(message)
    if clear.kind == Kind.REPORT:
        body = body[: 111 + len(getattr(message, "log_bytes", b""))]  # a report may have fewer needs
    assert decode_message(clear, body[:-1]) is None
    assert decode_message(clear, b"") is None


@given(st.builds(Clear, u8, u16, u32, u32, u64), st.binary(max_size=300))
def test_any_body_is_a_message_or_none(clear: Clear, body: bytes) -> None:
    message = decode_message(clear, body)
    assert message is None or encode_message(message)[0] == clear


@pytest.mark.parametrize(
    "message",
    [HELLO, Welcome(99, 1, 3, 4, 7, 5), Ack(99, 1, 3, 50), Farewell(99, 1, 3, Ending.DONE, "")],
    ids=lambda m: type(m).__name__,
)
def test_a_speaker_must_fit_the_kind(message: Message) -> None:
    clear, body = encode_message(message)
    wrong_sender = {Kind.HELLO: CASTER_ID}.get(Kind(clear.kind), 3)
    assert decode_message(clear._replace(sender=wrong_sender), body) is None
    assert decode_message(clear._replace(tx=1), body) is None


@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.CODED, 8, 255])
def test_no_other_kind_is_a_message(kind: int) -> None:
    clear, body = encode_message(HELLO)
    assert decode_message(clear._replace(kind=kind), body) is None


def test_target_number_out_of_range_is_unknown() -> None:
    clear, body = encode_message(HELLO._replace(target=TARGETS_MAX))
    assert decode_message(clear, body) is None


def test_numbers_out_of_their_width_are_our_own_mistake() -> None:
    with pytest.raises(struct.error):
        encode_message(HELLO._replace(buffer_bytes=-1))
