"""Hello, Welcome, Ack, Farewell, Probe: their limits."""

from __future__ import annotations

import struct

import pytest

from mrsync.wire.formats.letters import (
    decode_ack,
    decode_farewell,
    decode_hello,
    decode_probe,
    decode_welcome,
    encode_ack,
    encode_farewell,
    encode_hello,
    encode_probe,
    encode_welcome,
)
from mrsync.wire.limits import LOG_BYTES_MAX, TARGETS_MAX, TEXT_BYTES_MAX
from mrsync.wire.messages import Ack, Ending, Farewell, Hello, Probe, Welcome


def test_a_hello_with_long_texts_is_cut_to_fit() -> None:
    decoded = decode_hello(*encode_hello(Hello(1, 2, 3, 6, 5, 6, 7, 8, 9, "h" * 1000, "v" * 1000)))
    assert (decoded.host, decoded.version) == ("h" * TEXT_BYTES_MAX, "v" * TEXT_BYTES_MAX)


def test_a_hello_has_two_texts() -> None:
    clear, body = encode_hello(Hello(1, 2, 3, 6, 5, 6, 7, 8, 9, "node1", "5.0"))
    for damaged in (body[:-1], body + b"x", body[:18]):
        with pytest.raises(ValueError, match=r"\w"):
            decode_hello(clear, damaged)


def test_letters_are_for_targets_there_can_be() -> None:
    nobody = TARGETS_MAX
    with pytest.raises(ValueError, match="limits"):
        decode_welcome(*encode_welcome(Welcome(1, 2, nobody, 4, 5, 6)))
    with pytest.raises(ValueError, match="limits"):
        decode_ack(*encode_ack(Ack(1, 2, nobody, 3)))
    with pytest.raises(ValueError, match="limits"):
        decode_farewell(*encode_farewell(Farewell(1, 2, nobody, Ending.DONE, "")))


def test_an_ack_stays_within_the_longest_log() -> None:
    assert decode_ack(*encode_ack(Ack(9, 2, 1, LOG_BYTES_MAX))).log_offset == LOG_BYTES_MAX
    with pytest.raises(ValueError, match="limits"):
        decode_ack(*encode_ack(Ack(9, 2, 1, LOG_BYTES_MAX + 1)))


def test_fixed_letters_have_one_length() -> None:
    clear, body = encode_welcome(Welcome(1, 2, 3, 4, 5, 6))
    with pytest.raises(struct.error):
        decode_welcome(clear, body + b"x")


def test_a_farewell_for_no_reason_we_know() -> None:
    clear, body = encode_farewell(Farewell(9, 2, 1, Ending.ABORTED, "why"))
    with pytest.raises(ValueError, match="4 is not a valid Ending"):
        decode_farewell(clear, body[:2] + b"\x04" + body[3:])


def test_a_probe_has_its_claimed_size_and_zeros() -> None:
    clear, body = encode_probe(Probe(1, 1472))
    assert len(body) + 48 == 1472
    assert decode_probe(clear, body) == Probe(1, 1472)
    for damaged in (body[:-1], body + b"\0", body[:-1] + b"x"):
        with pytest.raises(ValueError, match="limits"):
            decode_probe(clear, damaged)


def test_a_probe_smaller_than_its_frame_cannot_be() -> None:
    with pytest.raises(ValueError, match="limits"):
        encode_probe(Probe(1, 49))


def test_every_catcher_can_expand_deflate_data() -> None:
    clear, body = encode_hello(Hello(1, 2, 3, 6, 5, 6, 7, 8, 9, "node1", "5.0", compressions=2))
    with pytest.raises(ValueError, match="limits"):
        decode_hello(clear, body)
