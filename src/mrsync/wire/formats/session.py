"""Encode and seal control datagrams of one session, or open, check and decode them. Rejected ones are counted."""

from __future__ import annotations

from enum import Enum

from mrsync.wire.formats.clear import Clear
from mrsync.wire.formats.codec import PADDED, decode_message, encode_message
from mrsync.wire.header import BytesLike, Header, is_other_version, pack_header, session_tag, unpack_header
from mrsync.wire.limits import (
    CASTER_ID,
    CONTROL_BYTES_MAX,
    HEADER_BYTES,
    INSTANCE_BYTES,
    ISLAND_ID,
    MTU_MAX,
    SESSION_BYTES,
    SIGNATURE_BYTES,
    TAG_BYTES,
)
from mrsync.wire.messages import Assign, Claim, Feed, Kind, Message, Peer, Ping, SealKind, Status
from mrsync.wire.seals.keys import SessionKeys, TargetKeys
from mrsync.wire.seals.sealing import HmacSealer, Sealer, sealer
from mrsync.wire.seals.signing import Signer, Verifier

_BODY_AT = HEADER_BYTES + INSTANCE_BYTES
_COUNTER_AT = slice(16, 20)  # [header-page]
_FROM_CASTER = (Kind.STATUS, Kind.WELCOME, Kind.ACK, Kind.FAREWELL, Kind.PROBE, Kind.PING, Kind.ASSIGN, Kind.DIGESTS)
_TO_ONE = (Kind.WELCOME, Kind.ACK, Kind.FAREWELL, Kind.ASSIGN)
_FROM_ONE = (Kind.HELLO, Kind.REPORT, Kind.HOP)
_HOPS = ((Kind.FEED, SealKind.HMAC_SHA256), (Kind.CLAIM, SealKind.HMAC_SHA256))  # sealed with the key of a hop
ISLAND_USE = b"island"  # of the mask of an island's key
_SIGNED = (Kind.STATUS, Kind.DIGESTS, Kind.PROBE)  # they decide for all targets


class Rejection(Enum):
    """Why a datagram was dropped. The value is for statistics and logs."""

    STRANGE = "not of this session"
    VERSION = "of another version of the protocol"
    MALFORMED = "makes no sense"
    FORGED = "a wrong seal"


class ControlCodec:
    """Encode and decode the control messages of one session, on the master and on targets.

    target: the target that uses it; None: the master. own: keys of single targets; messages from or to one target are
    then sealed with its own keys. signer: the master's; it signs what decides for all. verifier: of a catcher, which
    then accepts STATUS, DIGESTS and PROBE only if they are signed. Replays are decoded too; callers compare counters.
    """

    def __init__(
        self,
        keys: SessionKeys,
        own: TargetKeys | None = None,
        target: int | None = None,
        *,
        signer: Signer | None = None,
        verifier: Verifier | None = None,
    ) -> None:
        self.rejections = dict.fromkeys(Rejection, 0)
        self._keys = keys
        self._session_tag = session_tag(keys.session)
        self._report_seal = SealKind.HMAC_SHA256
        cast, catch, reports = (HmacSealer(key) for key in (keys.cast_control, keys.catch_control, keys.reports))
        self._sealers: dict[tuple[int, int], Sealer] = {(kind, SealKind.HMAC_SHA256): cast for kind in _FROM_CASTER}
        self._sealers[Kind.HELLO, SealKind.HMAC_SHA256] = catch
        self._sealers[Kind.ECHO, SealKind.HMAC_SHA256] = catch
        self._sealers[Kind.KNOCK, SealKind.HMAC_SHA256] = catch
        self._sealers[Kind.HOP, SealKind.HMAC_SHA256] = catch
        self._sealers[Kind.REPORT, SealKind.HMAC_SHA256] = reports
        for kind in _SIGNED:
            self._sealers[kind, SealKind.ED25519] = cast
        self._signer = signer
        self._verifier = verifier
        self._own = own
        self._target = target
        self._own_sealers: dict[tuple[int, int, int], Sealer | None] = {}  # by target, kind and seal
        self._hops: dict[tuple[int, int], Sealer] = {}  # by kind, and the target at the other end
        self._island_link: int | None = None  # of an island whose relay this is

    def set_peers(self, parent: Peer | None, child: Peer | None, island: Peer | None = None) -> None:
        """Set the only peers whose FEED and CLAIM are sealed and opened from now on, from an authentic Assign."""
        keys = self._keys_of(self._target)
        self._hops, self._island_link = {}, None
        if parent is not None:
            self._set_hop(parent.target, keys.mask(parent.link, parent.key))
        if child is not None:
            self._set_hop(child.target, keys.hop_key(child.link))
        if island is not None and parent is not None and parent.link == island.link:
            feeds = keys.mask(island.link, island.key, ISLAND_USE)
            self._hops[Kind.FEED, parent.target] = HmacSealer(feeds)
        elif island is not None:
            self._island_link = island.link
            self._hops[Kind.FEED, ISLAND_ID] = HmacSealer(keys.hop_key(island.link))

    def _set_hop(self, other: int, key: bytes) -> None:
        self._hops[Kind.FEED, other] = self._hops[Kind.CLAIM, other] = HmacSealer(key)

    def _keys_of(self, target: int | None) -> SessionKeys:
        """Return a target's own keys, or the session's if targets have none. Raise ValueError if they are not known."""
        if self._own is None:
            return self._keys
        keys = self._own.find(target) if target is not None else None
        if keys is None:
            raise ValueError(f"target {target} has no key")
        return keys

    def _with_key(self, assign: Assign) -> Assign:
        """Return the master's assignment with the masked keys of the hop to its target."""
        parent, island = assign.parent, assign.island
        own = self._keys_of(assign.target)
        if island is not None and island.target != assign.target:
            key = self._keys_of(island.target).hop_key(island.link)
            assign = assign._replace(island=island._replace(key=own.mask(island.link, key, ISLAND_USE)))
        if parent is None:
            return assign
        keys, link = self._keys_of(parent.target), parent.link
        is_shared = island is not None and island.link == link
        key = keys.claim_key(link, assign.target) if is_shared else keys.hop_key(link)
        return assign._replace(parent=parent._replace(key=own.mask(link, key)))

    def use_report_seal(self, kind: SealKind) -> None:
        """Seal reports with this kind from now on. Reports that are sealed with HMAC are still opened.

        Raise ValueError for NONE, or for AES_256_GCM without `cryptography`.
        """
        self._sealers[Kind.REPORT, kind] = sealer(kind, self._keys.reports)
        self._report_seal = kind

    def encode(self, message: Message) -> bytes:
        """Return the datagram, at most CONTROL_BYTES_MAX bytes. Raise the errors of codec.encode_message.

        The same instance must not use a counter twice for different contents, because the nonce is made of it. Raise
        ValueError for a peer that is not one of `set_peers`.
        """
        if isinstance(message, Assign) and self._target is None:
            message = self._with_key(message)
        clear, body = encode_message(message)
        seal = self._seal_of(clear.kind)
        header = pack_header(
            Header(
                kind=clear.kind,
                packet_index=0,
                packet_count=seal,
                object=0,
                segment=0,
                session_tag=self._session_tag,
                generation=0,
                sender=clear.sender,
                page=clear.counter,
                tx=clear.tx,
            )
        )
        context = header + clear.instance.to_bytes(INSTANCE_BYTES, "big")  # [control-instance]
        if seal is SealKind.ED25519:
            assert self._signer is not None
            body = _without_room(clear.kind, body)
            body += self._signer.sign(context + body)  # [control-signature]
        one = clear.sender if clear.kind in _FROM_ONE else _receiver(message)
        chosen = self._sealer(clear.kind, seal, one)
        if chosen is None:
            raise ValueError(f"target {one} has no key")
        sealed = chosen.seal(body, nonce=_nonce(context), context=context)
        return context + sealed  # [control-body] [control-tag]

    def _seal_of(self, kind: int) -> SealKind:
        """Return how this end seals such messages."""
        if kind in _SIGNED and self._signer is not None:
            return SealKind.ED25519
        return self._report_seal if kind == Kind.REPORT else SealKind.HMAC_SHA256

    def _open_signed(self, header: Header, context: bytes, body: bytes) -> bytes | None:
        """Return the body without its signature, or None if the signature is wrong, or missing but required."""
        if header.packet_count != SealKind.ED25519:
            return body if self._verifier is None else None
        body, signature = body[:-SIGNATURE_BYTES], body[-SIGNATURE_BYTES:]
        if self._verifier is not None and not self._verifier.is_signed(context + body, signature):
            return None
        return body + bytes(SIGNATURE_BYTES) if header.kind in PADDED else body

    def _sealer(self, kind: int, seal: int, one: int) -> Sealer | None:
        """Return the sealer for a kind of message, or None without a key. one: the target that sends or gets it."""
        if (kind, seal) in _HOPS:
            return self._hop_sealer(kind, one)
        if self._own is None or kind not in (*_FROM_ONE, *_TO_ONE):
            return self._sealers[kind, seal]
        place = (one, kind, seal)
        if place not in self._own_sealers:
            keys = self._own.find(one)
            if keys is None:
                return None
            uses = {Kind.HELLO: keys.catch_control, Kind.HOP: keys.catch_control, Kind.REPORT: keys.reports}
            self._own_sealers[place] = sealer(SealKind(seal), uses.get(Kind(kind), keys.cast_control))
        return self._own_sealers[place]

    def _hop_sealer(self, kind: int, other: int) -> Sealer | None:
        """Return the sealer of a hop's message. Keep none for claims of an island, whose names may be forged."""
        if self._island_link is not None and kind == Kind.CLAIM and (kind, other) not in self._hops:
            return HmacSealer(self._keys_of(self._target).claim_key(self._island_link, other))
        return self._hops.get((kind, other))

    def decode(self, datagram: BytesLike) -> Message | Rejection:
        """Return the message, or the reason why it was rejected, which is counted. Never raise."""
        decoded = self._decode(bytes(datagram))
        if isinstance(decoded, Rejection):
            self.rejections[decoded] += 1
        return decoded

    def _decode(self, datagram: bytes) -> Message | Rejection:
        header = _control_header(datagram)
        if isinstance(header, Rejection):
            return header
        if header.session_tag != self._session_tag:
            return Rejection.STRANGE
        if (header.kind, header.packet_count) not in (*self._sealers, *_HOPS):
            return Rejection.MALFORMED
        one = self._target if header.kind in _TO_ONE and self._target is not None else header.sender
        opener = self._sealer(header.kind, header.packet_count, one)
        if opener is None:
            return Rejection.FORGED
        context = datagram[:_BODY_AT]
        body = opener.open(datagram[_BODY_AT:], nonce=_nonce(context), context=context)
        if body is not None and header.kind in _SIGNED:
            body = self._open_signed(header, context, body)
        if body is None:
            return Rejection.FORGED
        instance = int.from_bytes(context[HEADER_BYTES:], "big")
        message = decode_message(Clear(header.kind, header.sender, header.page, header.tx, instance), body)
        if message is None or (isinstance(message, (Status, Ping)) and message.session != self._keys.session):
            return Rejection.MALFORMED
        return message


def open_status(
    secret: bytes, datagram: BytesLike, verifier: Verifier | None = None
) -> tuple[SessionKeys, Status] | Rejection:
    """Return the keys and the first status of a session, whose id is taken from that status. Never raise.

    secret: SECRET_BYTES long. A datagram that is not a status is MALFORMED, one of another secret is FORGED.
    """
    opened = _open_first(secret, datagram, Kind.STATUS, verifier)
    if isinstance(opened, Rejection):
        return opened
    keys, message = opened
    assert isinstance(message, Status)  # its kind is authentic
    return keys, message


def open_ping(secret: bytes, datagram: BytesLike) -> tuple[SessionKeys, Ping] | Rejection:
    """Do the same as open_status for the pings of rtt and doctor."""
    opened = _open_first(secret, datagram, Kind.PING)
    if isinstance(opened, Rejection):
        return opened
    keys, message = opened
    assert isinstance(message, Ping)
    return keys, message


def _open_first(
    secret: bytes, datagram: BytesLike, kind: Kind, verifier: Verifier | None = None
) -> tuple[SessionKeys, Message] | Rejection:
    """Return the keys of a session and a message of this kind, whose body begins with the session's id."""
    datagram = bytes(datagram)
    header = _control_header(datagram)
    if isinstance(header, Rejection):
        return header
    session = int.from_bytes(datagram[_BODY_AT : _BODY_AT + SESSION_BYTES], "big")  # [status-session] [ping-session]
    if header.kind != kind or session_tag(session) != header.session_tag:
        return Rejection.MALFORMED
    keys = SessionKeys.derive(secret, session)
    message = ControlCodec(keys, verifier=verifier).decode(datagram)
    return message if isinstance(message, Rejection) else (keys, message)


def _control_header(datagram: bytes) -> Header | Rejection:
    """Return the header of a control message, or why it is rejected without looking at its seal."""
    header = unpack_header(datagram)
    if header is None:
        return Rejection.VERSION if is_other_version(datagram) else Rejection.STRANGE
    if not _BODY_AT + TAG_BYTES <= len(datagram) <= (MTU_MAX if header.kind in PADDED else CONTROL_BYTES_MAX):
        return Rejection.MALFORMED
    if header.packet_index or header.object or header.segment or header.generation:
        return Rejection.MALFORMED
    return header


def _without_room(kind: int, body: bytes) -> bytes:
    """Return the body to sign. The signature of a padded message replaces its last zeros."""
    if kind not in PADDED:
        return body
    if any(body[-SIGNATURE_BYTES:]) or len(body) < SIGNATURE_BYTES:
        raise ValueError(f"a datagram with a body of {len(body)} bytes has no room for a signature")
    return body[:-SIGNATURE_BYTES]


def _nonce(context: bytes) -> bytes:
    """Return a nonce of 12 bytes that differs for every report of a session."""
    return context[HEADER_BYTES:] + context[_COUNTER_AT]  # [report-nonce]


def _receiver(message: Message) -> int:
    """Return the target that a message is for, or CASTER_ID if it is for more than one."""
    if isinstance(message, Feed):
        return message.child
    return message.parent if isinstance(message, Claim) else getattr(message, "target", CASTER_ID)
