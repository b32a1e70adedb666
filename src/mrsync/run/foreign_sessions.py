"""Detect other sessions on our group and port. They do no harm, but slow each other down, so the user is warned."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

from mrsync.errors import SocketError
from mrsync.transport.loop import Loop
from mrsync.transport.network.interface import Interface
from mrsync.transport.network.multicast import open_data_socket
from mrsync.wire.header import unpack_header
from mrsync.wire.limits import CASTER_ID, HEADER_BYTES

BUFFER_BYTES = 64 << 10
DATAGRAMS_PER_TURN = 16


def is_quiet(interfaces: Sequence[Interface], group: str, port: int, seconds: float) -> bool:
    """Listen for some seconds and return whether no session sent to this group and port. Raise SocketError."""
    with open_data_socket(interfaces, group, port, buffer_bytes=BUFFER_BYTES) as opened:
        poll = select.poll()  # select() takes no descriptor above 1023
        poll.register(opened, select.POLLIN)
        return not poll.poll(1000 * seconds)


class ForeignSessionWatch:
    """Listen for another caster during a session. on_foreign_session is called once, with its address.

    session_tag: identifies our own packets, which are ignored.
    """

    def __init__(self, *, session_tag: int, on_foreign_session: Callable[[str], None], loop: Loop) -> None:
        self._session_tag = session_tag
        self._on_stranger = on_foreign_session
        self._loop = loop
        self._opened: socket.socket | None = None

    def listen(self, interfaces: Sequence[Interface], group: str, port: int) -> None:
        """Listen until another caster is heard or close() is called. Do nothing if the socket cannot be opened."""
        with suppress(SocketError):
            self._opened = open_data_socket(interfaces, group, port, buffer_bytes=BUFFER_BYTES)
            self._loop.watch(self._opened, self._listen)

    def close(self) -> None:
        """Stop listening."""
        opened, self._opened = self._opened, None
        if opened is not None:
            self._loop.unwatch(opened)
            opened.close()

    def _listen(self) -> None:
        for _ in range(DATAGRAMS_PER_TURN):
            if self._opened is None:
                return
            try:
                packet, source = self._opened.recvfrom(HEADER_BYTES)
            except BlockingIOError:
                return
            header = unpack_header(packet)
            if header is not None and header.sender == CASTER_ID and header.session_tag != self._session_tag:
                self.close()
                self._on_stranger(str(source[0]))
