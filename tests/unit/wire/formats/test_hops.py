"""Assign, Feed, Claim, Hop: round trips, limits, and who can seal what on a hop."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrsync.wire.formats.codec import decode_message, encode_message
from mrsync.wire.formats.hops import (
    FEED_BYTES,
    decode_assign,
    decode_claim,
    decode_feed,
    encode_assign,
    encode_claim,
    encode_feed,
)
from mrsync.wire.formats.session import ControlCodec, Rejection
from mrsync.wire.limits import ISLAND_ID
from mrsync.wire.messages import Assign, Claim, Feed, Message, ObjectKind, Peer
from mrsync.wire.seals.keys import TargetKeys
from tests.unit.wire.samples import KEYS, SESSION, assigns, claims, feeds, hops

PARENT, CHILD, OTHER, LINK = 3, 4, 5, 9
FEED = Feed(PARENT, 1, 7, CHILD, LINK, ObjectKind.CONTENTS, 10, 4, False, FEED_BYTES)
ISLAND = Peer(PARENT, LINK, b"\xff" + bytes(14) + b"\1", 8888)
CLAIM = Claim(CHILD, 11, 1, PARENT, LINK, 1472, ObjectKind.CONTENTS, 7, 6, 10, 5, 1 << 20, 0, 5, 9, ((5, 1, 0),))


@given(st.one_of(assigns, hops, feeds, claims()))
def test_an_encoded_message_is_decoded_unchanged(message: Message) -> None:
    assert decode_message(*encode_message(message)) == message


@pytest.mark.parametrize("room", [-1, 0])
def test_a_feed_is_padded_to_its_claimed_size(room: int) -> None:
    feed = FEED._replace(size_bytes=FEED_BYTES + room)
    if room < 0:
        with pytest.raises(ValueError, match="out of its limits"):
            encode_feed(feed)
    else:
        assert decode_feed(*encode_feed(feed)) == feed


def test_a_feed_of_the_wrong_size_is_rejected() -> None:
    clear, body = encode_feed(FEED._replace(size_bytes=FEED_BYTES + 4))
    for wrong in (body[:-1], body + b"\0", body[:-1] + b"\1"):
        with pytest.raises(ValueError, match="out of its limits"):
            decode_feed(clear, wrong)


def test_target_is_not_its_own_peer() -> None:
    clear, body = encode_assign(Assign(0, 1, PARENT, 2, 1472, Peer(PARENT, LINK, bytes(16), 1), None))
    with pytest.raises(ValueError, match="out of its limits"):
        decode_assign(clear, body)


def test_an_assignment_has_two_peers() -> None:
    clear, body = encode_assign(Assign(0, 1, PARENT, 2, 1472, None, None))
    with pytest.raises(ValueError, match="out of its limits"):
        decode_assign(clear, body + b"\0")
    with pytest.raises((ValueError, struct.error)):
        decode_assign(clear, body[:-1])


def test_more_needs_than_fit_are_cut() -> None:
    needs = tuple((page, 1, 1) for page in range(0, 4000, 2))
    decoded = decode_claim(*encode_claim(CLAIM._replace(needs_first=0, needs_end=4000, needs=needs)))
    assert 0 < len(decoded.needs) < len(needs)
    assert decoded.needs == needs[: len(decoded.needs)]
    assert decoded.needs_end == needs[len(decoded.needs)][0]


def codecs() -> dict[int, ControlCodec]:
    """Parent, child and another target, each with its own secret, after an assignment of the master."""
    secrets = {target: bytes([target]) * 32 for target in (PARENT, CHILD, OTHER)}
    master = ControlCodec(KEYS, TargetKeys(secrets, SESSION))
    made = {target: ControlCodec(KEYS, TargetKeys({target: secrets[target]}, SESSION), target) for target in secrets}
    peers = {target: Peer(target, LINK, bytes(16), 7) for target in secrets}
    for assign in (
        Assign(0, 1, PARENT, 1, 1472, None, peers[CHILD]),
        Assign(0, 2, CHILD, 1, 1472, peers[PARENT], None),
        Assign(0, 3, OTHER, 1, 1472, peers[PARENT], peers[CHILD]),
    ):
        codec = made[assign.target]
        told = codec.decode(master.encode(assign))
        assert isinstance(told, Assign)
        codec.set_peers(told.parent, told.child)
    return made


def test_parent_and_child_understand_each_other() -> None:
    made = codecs()
    assert made[CHILD].decode(made[PARENT].encode(FEED)) == FEED
    assert made[PARENT].decode(made[CHILD].encode(CLAIM)) == CLAIM


def test_no_message_without_a_peer() -> None:
    codec = codecs()[PARENT]
    codec.set_peers(None, None)
    with pytest.raises(ValueError, match="has no key"):
        codec.encode(FEED)


def test_another_target_can_neither_feed_nor_claim_in_their_names() -> None:
    made = codecs()
    forged_feed = made[OTHER].encode(FEED)
    assert made[CHILD].decode(forged_feed) is Rejection.FORGED
    made[OTHER].set_peers(None, Peer(PARENT, LINK, bytes(16), 7))
    assert made[PARENT].decode(made[OTHER].encode(CLAIM)) is Rejection.FORGED


def test_forwarded_packets_do_not_come_back() -> None:
    made = codecs()
    assert made[PARENT].decode(made[PARENT].encode(FEED)) is Rejection.FORGED


def islanders() -> dict[int, ControlCodec]:
    """The relay of an island and two that listen to it, each with its own secret."""
    secrets = {target: bytes([target]) * 32 for target in (PARENT, CHILD, OTHER)}
    master = ControlCodec(KEYS, TargetKeys(secrets, SESSION))
    made = {target: ControlCodec(KEYS, TargetKeys({target: secrets[target]}, SESSION), target) for target in secrets}
    relay = Peer(PARENT, LINK, bytes(16), 7)
    for target, codec in made.items():
        parent = None if target == PARENT else relay
        told = codec.decode(master.encode(Assign(0, target, target, 1, 1472, parent, None, ISLAND)))
        assert isinstance(told, Assign)
        codec.set_peers(told.parent, told.child, told.island)
    return made


def test_island_and_its_relay_understand_each_other() -> None:
    made = islanders()
    feed = made[PARENT].encode(FEED._replace(child=ISLAND_ID))
    for target in (CHILD, OTHER):
        assert made[target].decode(feed) == FEED._replace(child=ISLAND_ID)
        claim = CLAIM._replace(child=target)
        assert made[PARENT].decode(made[target].encode(claim)) == claim


def test_no_target_claims_in_the_name_of_another_one_of_its_island() -> None:
    made = islanders()
    assert made[PARENT].decode(made[OTHER].encode(CLAIM)) is Rejection.FORGED
    assert made[CHILD].decode(made[OTHER].encode(CLAIM)) is Rejection.FORGED


@pytest.mark.parametrize(
    "assign",
    [
        Assign(0, 1, PARENT, 2, 1472, None, Peer(CHILD, 3, bytes(16), 7), ISLAND),
        Assign(0, 1, CHILD, 2, 1472, None, None, ISLAND),
        Assign(0, 1, CHILD, 2, 1472, Peer(PARENT, LINK + 1, bytes(16), 7), None, ISLAND),
        Assign(0, 1, CHILD, 2, 1472, Peer(OTHER, LINK, bytes(16), 7), None, ISLAND),
        Assign(0, 1, PARENT, 2, 1472, None, None, ISLAND._replace(address=bytes(15) + b"\1")),
        Assign(0, 1, PARENT, 2, 1472, None, None, ISLAND._replace(address=bytes(10) + b"\xff\xff\xc0\0\2\1")),
        Assign(0, 1, PARENT, 2, 1472, None, ISLAND._replace(target=CHILD)),
    ],
)
def test_a_target_listens_to_its_parent_or_casts_itself(assign: Assign) -> None:
    with pytest.raises(ValueError, match="out of its limits"):
        decode_assign(*encode_assign(assign))
