"""Paths to send on: each is a socket, a destination, and what it is for."""

from __future__ import annotations

import enum
import socket
from typing import Any

from mrsync.tuples import NamedTuple

Address = tuple[Any, ...]  # a socket address: (host, port), for IPv6 (host, port, flow, scope)


class PathKind(enum.Enum):
    """The use of a path."""

    MULTICAST = "multicast"  # packets for the group
    UNICAST = "unicast"  # copies of them for one target that does not receive the group
    ISLAND = "island"  # pages that a relay casts on in its own network
    RELAYED = "relayed"  # copies without pages, which this target gets from another one
    ANSWER = "answer"  # messages to one target

    __hash__ = object.__hash__  # Enum's own is written in Python, and would run for every burst


class Path(NamedTuple):
    """A path to send on; with a received message, the path for an answer."""

    socket: socket.socket
    address: Address
    kind: PathKind = PathKind.MULTICAST
