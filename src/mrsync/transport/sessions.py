"""The sessions that a catcher hears: their keys, and the address of their caster."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Callable

from mrsync.transport.network.paths import Address
from mrsync.tuples import NamedTuple
from mrsync.wire.formats.session import ControlCodec, Rejection, open_status
from mrsync.wire.header import BytesLike, session_tag, unpack_header
from mrsync.wire.messages import Message, Status
from mrsync.wire.seals.keys import SessionKeys, TargetKeys
from mrsync.wire.seals.signing import Verifier

SILENT_S = 1.0  # in which ten statuses should arrive


class CasterAddress:
    """The address from which a session's caster sends.

    Anyone who receives a status can forward it from another address. So the first address is kept until no status has
    come from it for SILENT_S. One of `masters`, its known addresses, replaces any other one at once.
    """

    def __init__(self, masters: Collection[str]) -> None:
        self.address: Address | None = None
        self._masters = masters
        self._heard_at = -math.inf

    def receive_from(self, address: Address, now: float) -> None:
        """Note that an authentic status came from this address."""
        if address != self.address and not self._gives_way(address, now):
            return
        self.address = address
        self._heard_at = now

    def _gives_way(self, address: Address, now: float) -> bool:
        if self._is_master(address) and not self._is_master(self.address):
            return True
        return now - self._heard_at > SILENT_S

    def _is_master(self, address: Address | None) -> bool:
        return address is not None and address[0] in self._masters


class CatcherSecrets(NamedTuple):
    """The secrets that a catcher got at its launch."""

    group: bytes  # shared by all members
    own: bytes = b""  # shared with the master only; empty: everything is sealed with the group's
    target: int = 0  # its id
    verify_key: bytes = b""  # public key of the master; empty: it does not sign

    @property
    def checks_digests(self) -> bool:
        """Whether pages are checked against digests that the master signed."""
        return bool(self.verify_key)


class HeardSession:
    """A session that may be ours: its keys, its last status, and its caster's address.

    verifier: of the master's signatures, or None. masters: as for CasterAddress.
    """

    def __init__(
        self, keys: SessionKeys, secrets: CatcherSecrets, verifier: Verifier | None, masters: Collection[str]
    ) -> None:
        own = TargetKeys({secrets.target: secrets.own}, keys.session) if secrets.own else None
        self.keys = keys
        self.codec = ControlCodec(keys, own, secrets.target, verifier=verifier)
        self.source = CasterAddress(masters)
        self.status: Status | None = None

    @property
    def id(self) -> int:
        return self.keys.session

    def receive_status(self, status: Status, address: Address, now: float) -> bool:
        """Take an authentic status.

        Return False if it is not newer than the last one. Old ones do not change the address.
        """
        counter = -1 if self.status is None else self.status.counter
        if status.counter >= counter:
            self.source.receive_from(address, now)
        if status.counter > counter:
            self.status = status
        return status.counter > counter


class HeardSessions:
    """Open control datagrams of all sessions whose status the secret opens.

    masters: as for CasterAddress. wanted: returns whether to keep a session, by its id.
    """

    def __init__(self, secrets: CatcherSecrets, masters: Collection[str], wanted: Callable[[int], bool]) -> None:
        self.rejections = dict.fromkeys(Rejection, 0)  # of datagrams that belong to no known session
        self._secrets = secrets
        self._verifier = Verifier(secrets.verify_key) if secrets.checks_digests else None
        self._masters = masters
        self._wanted = wanted
        self._known: dict[int, HeardSession] = {}  # by session tag

    @property
    def has_verifier(self) -> bool:
        """Whether signatures are required."""
        return self._verifier is not None

    @property
    def rejected(self) -> int:
        """Number of rejected control datagrams."""
        known = [heard.codec.rejections for heard in self._known.values()]
        return sum(sum(rejections.values()) for rejections in (self.rejections, *known))

    def find(self, session: int) -> HeardSession | None:
        """Return the session with this id, or None if it was not heard."""
        found = self._known.get(session_tag(session))
        return found if found is not None and found.id == session else None

    def joined(self, knows: Callable[[int], bool]) -> HeardSession | None:
        """Return the session for whose id knows(id) is true, or None."""
        return next((heard for heard in self._known.values() if knows(heard.id)), None)

    def open(self, datagram: BytesLike) -> tuple[HeardSession, Message] | Rejection:
        """Return the message with its session, or the reason why it is rejected. Never raise."""
        header = unpack_header(datagram)
        known = self._known.get(header.session_tag) if header is not None else None
        if known is not None:
            message = known.codec.decode(datagram)
            return message if isinstance(message, Rejection) else (known, message)
        opened = open_status(self._secrets.group, datagram, self._verifier)
        if isinstance(opened, Rejection):
            self.rejections[opened] += 1
            return opened
        keys, status = opened
        self._known = {tag: found for tag, found in self._known.items() if self._wanted(found.id)}
        found = self._known[session_tag(keys.session)] = HeardSession(
            keys, self._secrets, self._verifier, self._masters
        )
        return found, status
