"""Senders: the addresses from which a catcher takes datagrams, and up to which tx numbers it believes them."""

from __future__ import annotations

from collections.abc import Collection

from mrsync.transport.network.paths import Address
from mrsync.wire.limits import TX_AHEAD_MAX
from mrsync.wire.messages import Kind


class Senders:
    """The caster, the peers of a relay, and which of them sends the pages.

    tx_limit: packets that claim a later tx are forged. tx_seen: the highest tx received. is_aside: the last datagram
    came from a known address that does not send the pages, and whose tx numbers mean something else.
    """

    def __init__(self) -> None:
        self.tx_seen = 0
        self.tx_limit = TX_AHEAD_MAX
        self.is_aside = False
        self._pages: Address | None = None
        self._caster: Address | None = None
        self._parent: Address | None = None  # the relay that pages come from, if any
        self._peers: Collection[Address] = ()
        self._has_unknown_children = False

    def is_stranger(self, source: Address) -> bool:
        """Note where a datagram came from. Return whether it is no known address."""
        self.is_aside = source != self._pages
        return self.is_aside and source != self._caster and source not in self._peers

    def believe(self, tx: int, source: Address | None) -> None:
        """Note an authentic status with this tx from the caster's address, which is where pages must come from."""
        self._caster = source
        if self._parent is None:
            self.tx_limit = max(self.tx_limit, tx + TX_AHEAD_MAX)
            self._pages = source

    def believe_parent(self, tx: int) -> None:
        """Note an authentic message of the parent with this tx."""
        if self._parent is not None:
            self.tx_limit = max(self.tx_limit, tx + TX_AHEAD_MAX)

    def set_peers(self, peers: Collection[Address], *, has_unknown_children: bool = False) -> None:
        """Set the addresses of the parent and of children. has_unknown_children: others may claim, too."""
        self._peers = peers
        self._has_unknown_children = has_unknown_children

    def may_speak(self, kind: int) -> bool:
        """Return whether a message of this kind counts from a stranger: it was forwarded, or shows where a child is."""
        return kind == Kind.STATUS or (kind == Kind.CLAIM and self._has_unknown_children)

    def follow(self, parent: Address | None) -> None:
        """Take pages from this parent, which has tx numbers of its own. None: from the caster again."""
        self._parent = parent
        self._pages = self._caster if parent is None else parent
        self.tx_limit = TX_AHEAD_MAX
        self.tx_seen = 0
