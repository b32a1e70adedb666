"""What a core wants sent: plans without payload; the driver moves the bytes."""

from __future__ import annotations

from typing import Any, NamedTuple, Union

from mrsync.wire.messages import Claim, Feed, Knock, Message, ObjectKind, Peer

Address = Any  # opaque to the cores: whatever the driver says a message came from
Term = tuple[int, int]  # (page, packet index)


class SendPage(NamedTuple):
    """One page as one burst, or just the packets whose bits are set in `mask` (0: all)."""

    object: ObjectKind
    page: int
    mask: int
    tx: int


class SendCoded(NamedTuple):
    """Coded packets of one burst; each is the XOR of its terms (at least two)."""

    object: ObjectKind
    combinations: tuple[tuple[Term, ...], ...]
    tx: int


class SendMessage(NamedTuple):
    """A control message.

    destination: from a caster an address as `receive_message` was given it, or None for the group; from a catcher the
    session whose caster is meant.
    """

    message: Message
    destination: Address


class SendKnock(NamedTuple):
    """Outside of any session, to the master: which one is there?"""

    message: Knock


class SendToPeer(NamedTuple):
    """From a catcher to its parent or its child; what goes to the child later goes behind it."""

    message: Feed | Claim
    peer: Peer


Send = Union[SendPage, SendCoded, SendMessage]
CatcherSend = Union[SendMessage, SendKnock, SendToPeer, SendPage, SendCoded]  # pages go to the child
