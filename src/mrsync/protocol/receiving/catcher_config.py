"""The configuration of a Catcher."""

from __future__ import annotations

from mrsync.tuples import NamedTuple
from mrsync.wire.messages import Compression


class CatcherConfig(NamedTuple):
    """Settings that do not change during a session."""

    target: int
    instance: int  # 64 random bits
    host: str
    version: str
    seals: int
    buffer_bytes: int
    retained_pages: int
    wait_s: float = 3600.0  # for a first status
    has_group: bool = True  # False: there is none, or this host cannot join it
    knows_master: bool = False  # and so can ask it for the session
    compressions: int = 1 << Compression.DEFLATE  # it can expand
