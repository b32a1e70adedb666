"""Sends: what a state machine wants to be sent. They contain no payload; the driver adds the bytes."""

from __future__ import annotations

from typing import Any, Union

from mrsync.tuples import NamedTuple
from mrsync.wire.messages import Claim, Feed, Knock, Message, ObjectKind, Peer
from mrsync.wire.terms import Term

Address = Any  # opaque to the state machines; the driver passes it with each message


class SendPage(NamedTuple):
    """One page as one burst, or only the packets in the bit set `mask` (0: all)."""

    object: ObjectKind
    page: int
    mask: int
    tx: int
    is_repair: bool = False


class SendCoded(NamedTuple):
    """A burst of coded packets. Each is the XOR of its terms, at least two."""

    object: ObjectKind
    combinations: tuple[tuple[Term, ...], ...]
    tx: int


class SendMessage(NamedTuple):
    """A control message.

    destination: of a caster, an address that was passed to `receive_message`, or None for the group; of a catcher, the
    session of the caster.
    """

    message: Message
    destination: Address


class SendKnock(NamedTuple):
    """A request for a STATUS, to the master, outside of any session."""

    message: Knock


class SendToPeer(NamedTuple):
    """A message of a catcher to its parent or child. Later sends to the child must not overtake it."""

    message: Feed | Claim
    peer: Peer


Send = Union[SendPage, SendCoded, SendMessage]
CatcherSend = Union[SendMessage, SendKnock, SendToPeer, SendPage, SendCoded]  # pages go to the child
