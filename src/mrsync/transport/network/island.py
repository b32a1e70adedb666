"""The group of an island: targets listen to it on a socket of its own, and their relay sends to it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress

from mrsync.errors import SocketError
from mrsync.transport.network.interface import Interface
from mrsync.transport.network.multicast import aim, join, leave, open_data_socket
from mrsync.transport.network.paths import Address


class IslandSocket:
    """The socket for pages that are cast on, opened when this target first listens. The group never changes.

    interfaces: where the group is joined. A relay sends to it on the first of them.
    """

    def __init__(self, interfaces: Sequence[Interface]) -> None:
        self.opened: socket.socket | None = None
        self._interfaces = interfaces
        self._group = ""
        self._is_member = False

    def listen(self, address: Address) -> socket.socket | None:
        """Join the group. Return the socket if it was opened only now. If that fails, the group is simply not heard."""
        if self.opened is None:
            self._group = address[0]
            with suppress(SocketError):
                self.opened = open_data_socket(self._interfaces, self._group, address[1])
            self._is_member = self.opened is not None
            return self.opened
        if not self._is_member:
            for interface in self._interfaces:
                with suppress(OSError):  # an interface may be gone
                    join(self.opened, self._group, interface)
            self._is_member = True
        return None

    def leave(self) -> None:
        """Leave the group, so that the host does not receive what others are sent."""
        if self.opened is not None and self._is_member:
            for interface in self._interfaces:
                with suppress(OSError):
                    leave(self.opened, self._group, interface)
            self._is_member = False

    def aim(self, reply: socket.socket) -> None:
        """Have this socket send to groups in our own network, and nowhere else.

        If that fails, what it sends counts as lost.
        """
        with suppress(OSError):
            aim(reply, self._interfaces[0], ttl=1, is_looped=False)

    def close(self) -> None:
        if self.opened is not None:
            self.opened.close()
