"""What a core is told at its beginning, and what does not change during a session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mrsync.protocol.targets.commits import CommitRule
from mrsync.protocol.targets.relays import RelayRules
from mrsync.wire.geometry import Step


@dataclass(frozen=True)
class CasterConfig:
    """What does not change during a session; times in seconds, rate in bytes/s of payload."""

    session: int
    steps: tuple[Step, ...]  # sizes of packets to try, the largest first
    names: Mapping[int, str]  # target id -> name
    seals: int  # bit set of the seals this end has
    must_encrypt: bool = False
    ack_wait_s: float = 60.0
    quit_on_bad: bool = False
    commit_rule: CommitRule = CommitRule.FILE
    rate_bytes_s: float | None = None
    has_monitor: bool = True  # False: reports do not clock what is sent, only the rate does
    is_unicast: bool = False  # nobody is served by multicast
    relaying: RelayRules | None = None  # None: no target passes pages on to another


@dataclass(frozen=True)
class CatcherConfig:
    """What does not change during a session."""

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
