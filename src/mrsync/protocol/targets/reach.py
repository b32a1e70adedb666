"""Reach: which targets the group reaches, which are served by unicast instead, and how large packets may be.

A target is deaf if it takes part for a while and reports that it receives nothing from the group, or no longer does.
Pages are sent by unicast only to an address from which the target has repeated a token that was sent there. Otherwise
an attacker could replay a hello from a forged address, and direct a session at a victim (as in RFC 9000, section 8).

Packet sizes are probed, not assumed (decision 0014): datagrams of each size are cast beside STATUS, and hellos report
the largest that arrived. `fix` chooses the largest that reach all targets, when the manifest is to be cast. Targets
that even the smallest do not reach cannot take part. What would break it: a target that is stopped while probes are
sent; so a shortfall must be reported repeatedly, and after some time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Callable

from mrsync.protocol.core.sends import Address
from mrsync.protocol.core.timers import keepalive_s
from mrsync.protocol.targets.outbox import Outbox
from mrsync.protocol.targets.roster import Roster, Target
from mrsync.wire.geometry import Step
from mrsync.wire.messages import Hello

DEAF_S = 1.0  # 50 statuses are sent in that time
DEAF_SHARE = 8  # of the ack wait, if it is shorter
PROBE_S = 0.5  # 25 probes of each size are sent in that time
LADDER_S = 0.1  # after that, smaller probes are sent, too
COPIES_AT_ONCE = 4  # of the largest pages, which the caster's socket holds
COPY_AFTER_KEEPALIVES = 1.25  # without an answer to a status; healthy targets answer within one
COPY_KEEPALIVES = 0.5
SHORTFALLS_MIN = 2
RETURN_KEEPALIVES = 3  # longer than a catcher needs to notice that the group is silent again

NEVER_HEARD = "it does not receive the group"
NO_LONGER_HEARD = "it no longer receives the group"
AS_ASKED = "as asked for"


class Reach:
    """Decide on the paths of live targets by their hellos. `step` is the packet size, which is final after `fix`.

    steps: sizes to try, the largest first. is_unicast_only: whether there is no group. on_rerouted: called for each
    target whose unicast route was added, removed or changed.
    """

    def __init__(
        self,
        roster: Roster,
        steps: Sequence[Step],
        ack_wait_s: float,
        *,
        is_unicast_only: bool,
        on_rerouted: Callable[[Target], None],
    ) -> None:
        self.step = steps[0]
        self.is_fixed = False
        self._roster = roster
        self._steps = steps
        self._deaf_s = min(DEAF_S, ack_wait_s / DEAF_SHARE)
        self.keepalive_s = keepalive_s(ack_wait_s)
        self._is_unicast_only = is_unicast_only
        self._on_rerouted = on_rerouted
        self._open: dict[int, Target] = {}  # targets whose reach is not known yet
        # Targets served by unicast that hear the group again, and since when.
        self._returning: dict[int, tuple[Target, float]] = {}

    @property
    def tried_mtu(self) -> int:
        """The MTU that was tried first."""
        return self._steps[0].mtu

    @property
    def least_mtu(self) -> int:
        """The smallest MTU, which every path must carry."""
        return self._steps[-1].mtu

    @property
    def is_settled(self) -> bool:
        """Whether the path and the packet size of every live target are known."""
        return not self._open

    def receive_hello(self, target: Target, hello: Hello, source: Address, now: float) -> int:
        """Take the hello of a live target. Return the token for the address it came from, or 0 for an old hello.

        If this hello has just admitted the target, target.hello is already this one.
        """
        known = target.hello
        assert known is not None  # live targets have sent one
        if target.path.asked_at is not None and hello.counter <= known.counter:
            return target.path.token if source == target.path.asked_at else 0
        target.hello = hello
        self._open[target.id] = target
        if source != target.path.asked_at:
            target.path.asked_at, target.path.token = source, target.path.token + 1
        elif hello.token == target.path.token:
            self._verify(target, source)
        if known.group_bytes and not hello.group_bytes and not target.path.is_unicast:
            self._serve(target, NO_LONGER_HEARD, now)
        target.path.shortfalls = target.path.shortfalls + 1 if self._falls_short(target, now) else 0
        self._judge(target, now)
        if self.is_fixed and target.path.is_unicast and hello.group_bytes and not self._is_unicast_only:
            self._returning.setdefault(target.id, (target, now))
        else:
            self._returning.pop(target.id, None)
        return target.path.token

    def look(self, now: float) -> list[Target]:
        """Look at the targets whose reach is not known yet. Return those that cannot take part, after `fix`."""
        for target in list(self._open.values()):
            if target.is_live and self._roster.find(target.id) is target:  # not replaced by another process
                self._judge(target, now)
            else:
                del self._open[target.id]
        self._take_back(now)
        return [target for target in self._open.values() if self._is_narrow(target)] if self.is_fixed else []

    def _take_back(self, now: float) -> None:
        """Serve targets by multicast again that have received the group, with full packets, for a while.

        Otherwise an outage of a few seconds would cost a copy of all the rest for each of them.
        """
        for target, since in list(self._returning.values()):
            hears_pages = target.hello is not None and target.hello.group_bytes >= self.step.datagram_bytes
            if not target.is_live or self._roster.find(target.id) is not target:
                del self._returning[target.id]
            elif hears_pages and now - since > RETURN_KEEPALIVES * self.keepalive_s:
                del self._returning[target.id]
                self._serve(target, "", now)

    def fix(self) -> list[Target]:
        """Choose the largest packets that reach all targets. Return targets that not even the smallest reach."""
        narrow = [target for target in self._known if self._is_narrow(target)]
        self.step = self._cut(self.fitting)
        self.is_fixed = True
        return narrow

    @property
    def fitting(self) -> Step:
        """The largest packets that reach all targets whose reach is known; `fix` chooses them."""
        if self.is_fixed:
            return self.step
        least = self._least_bytes
        most = min((heard for target in self._known if (heard := self._heard_bytes(target)) >= least), default=least)
        return next(step for step in self._steps if step.datagram_bytes <= most)

    @property
    def _known(self) -> list[Target]:
        return [target for target in self._roster.live if target.id not in self._open]

    def _cut(self, step: Step) -> Step:
        """Make pages smaller if there are many copies, because all copies of a burst pass a queue at the same time."""
        geometry = step.geometry
        packets = max(1, geometry.packets * COPIES_AT_ONCE // max(COPIES_AT_ONCE, self._roster.audience.copies))
        return step._replace(geometry=geometry._replace(packets=packets))

    def reached_mtu(self, target: Target) -> int:
        """Return the MTU of the largest packets that are known to reach a target, or 0."""
        heard = self._heard_bytes(target)
        return next((step.mtu for step in self._steps if step.datagram_bytes <= heard), 0)

    def tend(self, outbox: Outbox, now: float) -> list[Target]:
        """With a status, send probes, and copies to targets that do not answer. Return the result of `look`."""
        narrow = self.look(now)
        for target in self.unanswering(now):
            outbox.copy_status(target.path.source)
        for size_bytes in self.probes(now):
            outbox.probe(size_bytes)
        return narrow

    def probes(self, now: float) -> list[int]:
        """Return the sizes of probes to cast with a status. They are cast before the first target joins, too."""
        if not self._open and not self._returning and (self.is_fixed or not self._roster.expected):
            return []
        is_short = not self.is_fixed and any(
            self._heard_bytes(target) and now - self._changed_at(target) > LADDER_S for target in self._open.values()
        )
        return [step.datagram_bytes for step in self._steps] if is_short else [self.step.datagram_bytes]

    def unanswering(self, now: float) -> Iterator[Target]:
        """Yield targets that do not answer the status to the group, so that it is sent to them by unicast, too.

        A target that receives only the copy knows that its master is alive, and that the group does not work.
        """
        patience_s = COPY_AFTER_KEEPALIVES * self.keepalive_s
        for target in self._roster.live:
            if now - target.flow.answered_at > patience_s and not target.path.is_unicast and now >= target.path.copy_at:
                target.path.copy_at = now + COPY_KEEPALIVES * self.keepalive_s
                yield target

    # judgement

    def _judge(self, target: Target, now: float) -> None:
        hello = target.hello
        assert hello is not None  # live targets have sent one
        if self._is_unicast_only:
            if not target.path.is_unicast:
                self._serve(target, AS_ASKED, now)
        elif not self.is_fixed and target.path.is_unicast and hello.group_bytes:
            self._serve(target, "", now)  # it joined the group late
        elif not hello.group_bytes and not target.path.is_unicast and now - target.joined_at > self._deaf_s:
            self._serve(target, NEVER_HEARD, now)
        if self._is_known(target, now):
            self._open.pop(target.id, None)

    def _is_known(self, target: Target, now: float) -> bool:
        """Return whether the largest packets that reach a target are known."""
        heard = self._heard_bytes(target)
        if heard >= self.step.datagram_bytes:
            return True
        if self.is_fixed:
            return False
        return self._is_narrow(target) or (heard >= self._least_bytes and now - self._changed_at(target) > PROBE_S)

    @staticmethod
    def _is_narrow(target: Target) -> bool:
        """Return whether it receives no probe, although it receives something.

        One such hello does not count: a process that was stopped may send it before it reads the probes.
        """
        return target.path.shortfalls >= SHORTFALLS_MIN

    def _falls_short(self, target: Target, now: float) -> bool:
        """Return whether its hello says that probes did not arrive, although there was enough time."""
        needed = self.step.datagram_bytes if self.is_fixed else self._least_bytes
        patience_s = (self._deaf_s if self.is_fixed else 0.0) + PROBE_S
        return 0 < self._heard_bytes(target) < needed and now - self._changed_at(target) > patience_s

    @property
    def _least_bytes(self) -> int:
        return self._steps[-1].datagram_bytes

    @staticmethod
    def _heard_bytes(target: Target) -> int:
        """Return the largest datagram that the target received on its path."""
        hello = target.hello
        if hello is None:
            return 0
        return hello.unicast_bytes if target.path.is_unicast else hello.group_bytes

    @staticmethod
    def _changed_at(target: Target) -> float:
        return max(target.joined_at, target.path.routed_at)

    # paths

    def _serve(self, target: Target, why_unicast: str, now: float) -> None:
        """Serve a target by unicast for this reason, or by multicast if it is empty."""
        if why_unicast and target.path.verified is None:
            return  # its address is not verified yet
        target.path.why_unicast = why_unicast
        target.path.routed_at = now
        target.path.shortfalls = 0  # they were those of the other path
        self._roster.count_listeners()
        self._on_rerouted(target)

    def _verify(self, target: Target, source: Address) -> None:
        if source != target.path.verified:
            target.path.verified = source
            if target.path.is_unicast:
                self._on_rerouted(target)
