"""The configuration of a Caster."""

from __future__ import annotations

from collections.abc import Mapping

from mrsync.protocol.targets.chains.chains import RelayRules
from mrsync.protocol.targets.commit_decisions import CommitRule
from mrsync.tuples import NamedTuple
from mrsync.wire.geometry import Step
from mrsync.wire.messages import NetworkShare


class CasterConfig(NamedTuple):
    """Settings that do not change during a session. Times in seconds, rate in bytes/s of payload."""

    session: int
    steps: tuple[Step, ...]  # sizes of packets to try, the largest first
    names: Mapping[int, str]  # target id -> name
    seals: int  # bit set of the seals this end has
    must_encrypt: bool = False
    compressions: int = 0  # bit set of those to choose from; 0: pages are not compressed
    ack_wait_s: float = 60.0
    quit_on_bad: bool = False
    commit_rule: CommitRule = CommitRule.FILE
    itemizes: bool = True  # whether targets report every change
    guards_deletions: bool = True  # whether they refuse to delete most of what they have
    rate_bytes_s: float | None = None
    share: NetworkShare = NetworkShare.ALL
    has_monitor: bool = True  # False: reports do not clock what is sent, only the rate does
    is_shedding: bool = False  # whether a target that alone holds back all others is served after them
    is_unicast: bool = False  # no target is served by multicast
    relaying: RelayRules | None = None  # None: no target passes pages on to another
