"""Whole datagrams: ours are decoded, all others counted and dropped, whatever their bytes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mrsync.wire.formats.session import ControlCodec, Rejection, open_status
from mrsync.wire.header import pack_header, unpack_header
from mrsync.wire.limits import (
    CONTROL_BYTES_MAX,
    HEADER_BYTES,
    INSTANCE_BYTES,
    MAGIC,
    SIGNATURE_BYTES,
    TAG_BYTES,
    VERSION,
)
from mrsync.wire.messages import (
    Ack,
    Ending,
    Farewell,
    Hello,
    Kind,
    Message,
    Peer,
    Probe,
    Report,
    SealKind,
    Status,
    Welcome,
)
from mrsync.wire.seals.keys import SessionKeys, TargetKeys
from mrsync.wire.seals.sealing import has_aes_gcm, sealer
from mrsync.wire.seals.signing import SEED_BYTES, Signer, Verifier, can_sign
from tests.unit.protocol.builders import status as any_status
from tests.unit.wire.samples import KEYS, SECRET, SESSION, messages, reports, statuses

SEALS = [SealKind.HMAC_SHA256] + [SealKind.AES_256_GCM] * has_aes_gcm()
ACK = Ack(99, 1, 3, 50)
STATUS = any_status(5)._replace(session=SESSION)


def codec(seal: SealKind = SealKind.HMAC_SHA256) -> ControlCodec:
    made = ControlCodec(KEYS)
    made.use_report_seal(seal)
    made.set_peers(None, Peer(3, 5, bytes(16), 7))
    return made


@given(messages, st.sampled_from(SEALS), st.sampled_from([bytes, bytearray, memoryview]))
def test_a_sealed_message_is_opened_unchanged(message: Message, seal: SealKind, buffer: type) -> None:
    datagram = codec(seal).encode(message)
    assert len(datagram) <= CONTROL_BYTES_MAX or isinstance(message, Probe)
    reader = codec(seal)
    assert reader.decode(buffer(datagram)) == message
    assert set(reader.rejections.values()) == {0}


@given(messages, st.sampled_from(SEALS), st.data())
def test_a_changed_byte_anywhere_is_rejected(message: Message, seal: SealKind, data: st.DataObject) -> None:
    datagram = bytearray(codec(seal).encode(message))
    datagram[data.draw(st.integers(0, len(datagram) - 1))] ^= data.draw(st.integers(1, 255))
    reader = codec(seal)
    rejection = reader.decode(datagram)
    assert isinstance(rejection, Rejection)
    assert reader.rejections[rejection] == sum(reader.rejections.values()) == 1


@given(messages, st.data())
def test_a_datagram_of_another_length_is_rejected(message: Message, data: st.DataObject) -> None:
    datagram = codec().encode(message)
    length = data.draw(st.integers(0, len(datagram) - 1))
    assert isinstance(codec().decode(datagram[:length]), Rejection)
    assert isinstance(codec().decode(datagram + datagram[:length] + b"x"), Rejection)


@given(st.binary(max_size=1400))
@example(bytes([MAGIC, VERSION]))
@example(bytes([MAGIC]))
def test_any_bytes_are_rejected_and_counted(datagram: bytes) -> None:
    reader = codec()
    rejection = reader.decode(datagram)
    assert isinstance(rejection, Rejection)
    assert reader.rejections[rejection] == 1
    assert isinstance(open_status(SECRET, datagram), Rejection)


@given(st.sampled_from(list(Kind)), st.binary(max_size=200), st.sampled_from(SEALS))
def test_a_good_seal_around_any_body_gives_a_message_or_a_rejection(kind: Kind, body: bytes, seal: SealKind) -> None:
    """What a broken or hostile holder of the secret can send."""
    header = unpack_header(codec().encode(ACK))
    assert header is not None
    context = pack_header(header._replace(kind=kind, packet_count=seal, sender=3)) + bytes(8)
    uses = dict.fromkeys((Kind.HELLO, Kind.ECHO, Kind.KNOCK), KEYS.catch_control) | {Kind.REPORT: KEYS.reports}
    uses[Kind.HOP] = KEYS.catch_control
    uses |= dict.fromkeys((Kind.FEED, Kind.CLAIM), KEYS.hop_key(5))
    key = uses.get(kind, KEYS.cast_control)
    datagram = context + sealer(seal, key).seal(body, nonce=context[24:] + context[16:20], context=context)
    assert codec(seal).decode(datagram) is not Rejection.FORGED


def test_the_reasons_for_a_rejection() -> None:
    datagram = codec().encode(ACK)
    header = unpack_header(datagram)
    assert header is not None

    def rejection(changed: bytes) -> Message | Rejection:
        return codec().decode(changed)

    def relabelled(**fields: int) -> bytes:
        return pack_header(header._replace(**fields)) + datagram[HEADER_BYTES:]

    assert rejection(b"stranger" + datagram) is Rejection.STRANGE
    assert rejection(relabelled(session_tag=1)) is Rejection.STRANGE
    assert rejection(bytes([MAGIC, VERSION + 1]) + datagram[2:]) is Rejection.VERSION
    assert rejection(datagram[:40]) is Rejection.MALFORMED
    assert rejection(datagram + bytes(CONTROL_BYTES_MAX)) is Rejection.MALFORMED
    for field in ("packet_index", "object", "segment", "generation"):
        assert rejection(relabelled(**{field: 1})) is Rejection.MALFORMED
    assert rejection(relabelled(kind=Kind.PAGE)) is Rejection.MALFORMED
    assert rejection(relabelled(packet_count=SealKind.NONE)) is Rejection.MALFORMED
    assert rejection(relabelled(page=2)) is Rejection.FORGED
    assert rejection(relabelled(kind=Kind.HELLO)) is Rejection.FORGED
    other = ControlCodec(KEYS._replace(cast_control=bytes(32)))
    assert rejection(other.encode(ACK)) is Rejection.FORGED
    assert rejection(codec().encode(ACK._replace(target=0xFFFF))) is Rejection.MALFORMED


@given(reports())
def test_the_report_seal_is_opened_beside_hmac(report: Report) -> None:
    by_hmac = codec().encode(report)
    assert codec(SEALS[-1]).decode(by_hmac) == report
    if has_aes_gcm():
        by_gcm = codec(SealKind.AES_256_GCM).encode(report)
        assert len(by_gcm) == len(by_hmac)
        assert codec().decode(by_gcm) is Rejection.MALFORMED


def test_a_report_seal_must_be_chosen() -> None:
    with pytest.raises(ValueError, match="chosen"):
        codec(SealKind.NONE)


@given(statuses())
def test_a_status_opens_a_session(status: Status) -> None:
    assert open_status(SECRET, codec().encode(status)) == (KEYS, status)
    assert open_status(bytes(32), codec().encode(status)) is Rejection.FORGED


def test_only_a_status_opens_a_session() -> None:
    assert open_status(SECRET, codec().encode(ACK)) is Rejection.MALFORMED
    assert open_status(SECRET, b"") is Rejection.STRANGE


@given(statuses())
def test_a_status_must_name_its_own_session(status: Status) -> None:
    same_tag = codec().encode(status._replace(session=SESSION + 1))
    assert codec().decode(same_tag) is Rejection.MALFORMED
    assert open_status(SECRET, same_tag) is Rejection.FORGED
    other_tag = codec().encode(status._replace(session=SESSION ^ 1 << 63))
    assert open_status(SECRET, other_tag) is Rejection.MALFORMED


def test_sessions_of_one_secret_do_not_mix() -> None:
    neighbour = ControlCodec(SessionKeys.derive(SECRET, SESSION + 1))
    assert codec().decode(neighbour.encode(ACK)) is Rejection.FORGED
    stray = ControlCodec(SessionKeys.derive(SECRET, SESSION ^ 1 << 40))
    assert codec().decode(stray.encode(ACK)) is Rejection.STRANGE


OWN_SECRETS = {3: bytes(range(3, 35)), 4: bytes(range(4, 36))}
FROM_ONE: list[Message] = [
    Hello(3, 99, 1, 6, 1 << 20, 512, 1472, 0, 5, "node1", "5.0"),
    Welcome(99, 1, 3, 4, 7, 5),
    ACK,
    Farewell(99, 1, 3, Ending.DONE, ""),
]


@pytest.mark.parametrize("message", FROM_ONE, ids=lambda m: type(m).__name__)
def test_own_secret_prevents_impersonation(message: Message) -> None:
    master = ControlCodec(KEYS, TargetKeys(OWN_SECRETS, SESSION))
    target = ControlCodec(KEYS, TargetKeys({3: OWN_SECRETS[3]}, SESSION), 3)
    says, hears = (target, master) if isinstance(message, Hello) else (master, target)
    assert hears.decode(says.encode(message)) == message
    stolen = ControlCodec(KEYS, TargetKeys({3: OWN_SECRETS[4]}, SESSION), 3)  # what another target has
    for member in (codec(), stolen):
        assert hears.decode(member.encode(message)) is Rejection.FORGED


@given(reports(), st.sampled_from(SEALS))
def test_a_report_is_sealed_by_the_target_s_own_secret(report: Report, seal: SealKind) -> None:
    secrets = {report.target: OWN_SECRETS[3]}
    master, target = (ControlCodec(KEYS, TargetKeys(secrets, SESSION), who) for who in (None, report.target))
    for each in (master, target):
        each.use_report_seal(seal)
    assert master.decode(target.encode(report)) == report
    assert master.decode(codec(seal).encode(report)) is Rejection.FORGED
    assert codec(seal).decode(target.encode(report)) is Rejection.FORGED


def test_target_without_its_own_secret_is_unknown() -> None:
    master = ControlCodec(KEYS, TargetKeys({4: OWN_SECRETS[4]}, SESSION))
    assert master.decode(codec().encode(FROM_ONE[0])) is Rejection.FORGED
    with pytest.raises(ValueError, match="target 3 has no key"):
        master.encode(ACK)


needs_signatures = pytest.mark.skipif(not can_sign(), reason="needs the package cryptography")


@needs_signatures
@given(statuses())
def test_no_member_makes_a_status(status: Status) -> None:
    """All members have the group's secret; only the master has the key that signs."""
    signer = Signer(bytes(range(SEED_BYTES)))
    verifier = Verifier(signer.public)
    datagram = ControlCodec(KEYS, signer=signer).encode(status)
    assert len(datagram) <= CONTROL_BYTES_MAX
    target = ControlCodec(KEYS, verifier=verifier)
    assert target.decode(datagram) == status
    assert open_status(SECRET, datagram, verifier) == (KEYS, status)
    for member in (ControlCodec(KEYS), ControlCodec(KEYS, signer=Signer(bytes(SEED_BYTES)))):
        forged = member.encode(status)
        assert target.decode(forged) is Rejection.FORGED
        assert open_status(SECRET, forged, verifier) is Rejection.FORGED


@needs_signatures
@pytest.mark.parametrize("size", [128, 1172, 8972])
def test_no_member_makes_a_probe(size: int) -> None:
    """The signature takes the place of padding, so that the datagram has the size that it says."""
    signer = Signer(bytes(range(SEED_BYTES)))
    probe = Probe(1, size)
    datagram = ControlCodec(KEYS, signer=signer).encode(probe)
    assert len(datagram) == size
    assert ControlCodec(KEYS, verifier=Verifier(signer.public)).decode(datagram) == probe
    assert ControlCodec(KEYS).decode(datagram) == probe
    forged = ControlCodec(KEYS, signer=Signer(bytes(SEED_BYTES))).encode(probe)
    for bad in (forged, ControlCodec(KEYS).encode(probe)):
        assert ControlCodec(KEYS, verifier=Verifier(signer.public)).decode(bad) is Rejection.FORGED
    with pytest.raises(ValueError, match="no room"):
        ControlCodec(KEYS, signer=signer).encode(Probe(1, 100))


@needs_signatures
def test_a_signature_is_of_one_status_only() -> None:
    """A member can seal what it likes behind a signature that it heard."""
    signer = Signer(bytes(range(SEED_BYTES)))
    datagram = ControlCodec(KEYS, signer=signer).encode(STATUS)
    body_at, tag_at = HEADER_BYTES + INSTANCE_BYTES, len(datagram) - TAG_BYTES
    hmac = sealer(SealKind.HMAC_SHA256, KEYS.cast_control)
    target = ControlCodec(KEYS, verifier=Verifier(signer.public))
    for at in (16, 20, body_at + 8, tag_at - SIGNATURE_BYTES - 1, tag_at - 1):  # counter, tx, phase, last of the body
        changed = bytearray(datagram)
        changed[at] ^= 1
        context = bytes(changed[:body_at])
        assert target.decode(context + hmac.seal(bytes(changed[body_at:tag_at]), nonce=b"", context=context)) is (
            Rejection.FORGED
        )
    cut = hmac.seal(datagram[body_at : body_at + 10], nonce=b"", context=datagram[:body_at])
    assert target.decode(datagram[:body_at] + cut) is Rejection.FORGED


@needs_signatures
def test_target_without_signature_support_takes_part() -> None:
    signer = Signer(bytes(range(SEED_BYTES)))
    datagram = ControlCodec(KEYS, signer=signer).encode(STATUS)
    assert ControlCodec(KEYS).decode(datagram) == STATUS
    assert ControlCodec(KEYS).decode(datagram[:-20] + bytes(4) + datagram[-16:]) is Rejection.FORGED
