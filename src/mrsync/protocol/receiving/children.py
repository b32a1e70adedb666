"""Children: the targets that a relay sends to, as the listeners that their claims show."""

from __future__ import annotations

from collections.abc import Iterable

from mrsync.protocol.sending.flow import Audience, Flow
from mrsync.wire.messages import Claim, ObjectKind, Peer


class Child:
    """The last claim of a child, and its flow."""

    def __init__(self, id: int, now: float) -> None:
        self.flow = Flow(id)
        self.flow.answered_at = now
        self.claim: Claim | None = None
        self.believed: Claim | None = None  # the last claim, as the sender of pages takes it
        self.heard_at = now
        self.is_quiet = False

    def is_heard(self, probe_bytes: int) -> bool:
        """Return whether it has answered, and packets of this size reach it."""
        return self.claim is not None and self.claim.heard_bytes >= probe_bytes

    def receive(self, claim: Claim, now: float) -> bool:
        """Take a claim. Return False if it is older than the last one."""
        if self.claim is not None and claim.counter <= self.claim.counter:
            return False
        self.claim = claim
        self.heard_at = now
        self.is_quiet = False
        return True


class Children:
    """The children of one link, and the audience that its schedule has in them.

    peer: the only child, or the island. The relay is not told who is in an island, so whoever claims there is a child.
    is_island: whether `peer` is one. probe_bytes: size of the packets that must reach a child before it gets pages.
    is_open: whether pages may be sent to a child, which then knows by a short feed that its claims arrive.
    """

    def __init__(self, peer: Peer, probe_bytes: int, now: float, *, is_island: bool) -> None:
        self.audience = Audience()
        self.is_island = is_island
        self.probe_bytes = probe_bytes
        self.is_open = False
        self._members = {} if is_island else {peer.target: Child(peer.target, now)}
        self.audience.flows = [child.flow for child in self._members.values()]

    @property
    def is_heard(self) -> bool:
        """Whether a child has answered on this link, and packets of full size reach it."""
        return any(child.is_heard(self.probe_bytes) for child in self._members.values())

    @property
    def ids(self) -> Iterable[int]:
        """The children that have claimed, and an only child in any case."""
        return self._members

    @property
    def listeners(self) -> int:
        """Number of children that receive pages."""
        return sum(map(self._listens, self._members.values()))

    @property
    def is_seeking(self) -> bool:
        """Whether some child has not heard a datagram of full size, as far as is known."""
        children = self._members.values()
        return not children or not all(child.is_heard(self.probe_bytes) or child.is_quiet for child in children)

    @property
    def buffers(self) -> list[int]:
        """The sizes of the receive buffers that children have claimed, in bytes, except for those that are quiet."""
        claims = [child.claim for child in self._members.values() if child.claim is not None and not child.is_quiet]
        return [claim.buffer_bytes for claim in claims if claim.buffer_bytes]

    def _listens(self, child: Child) -> bool:
        return child.is_heard(self.probe_bytes) and not child.is_quiet

    def receive(self, claim: Claim, now: float) -> Child | None:
        """Take a claim. Return its child, or None if it is not from one, or not new."""
        if not self.is_island and claim.child not in self._members:
            return None
        child = self._members.setdefault(claim.child, Child(claim.child, now))
        is_new = child.receive(claim, now)
        self._look_for_listeners()
        return child if is_new else None

    def has_taken(self, claim: Claim) -> bool:
        """Return whether this is the newest claim of a child."""
        child = self._members.get(claim.child)
        return child is not None and child.claim is claim

    def needed_by(self, claim: Claim) -> ObjectKind:
        """Return the first object that a child does not hold: the one of this claim, or that of another one's last."""
        others = [child for child in self._members.values() if self._listens(child) and child.flow.id != claim.child]
        return min([claim.active, *(child.claim.active for child in others if child.claim is not None)])

    def note_quiet(self, patience_s: float, now: float) -> None:
        """Note which children have claimed nothing for so long."""
        for child in self._members.values():
            child.is_quiet |= now - child.heard_at > patience_s
        self._look_for_listeners()

    def _look_for_listeners(self) -> None:
        self.is_open = any(map(self._listens, self._members.values()))

    def gather(self, now: float) -> list[Flow]:
        """Have the audience be those children that take their pages from this link. Return those that have left it."""
        taking = [child.flow for child in self._members.values() if self._takes_pages(child)]
        before, after = ({flow.id for flow in flows} for flows in (self.audience.flows, taking))
        for flow in taking:
            if flow.id not in before:
                flow.answered_at = now
        left = [flow for flow in self.audience.flows if flow.id not in after]
        self.audience.flows = taking
        return left

    def _takes_pages(self, child: Child) -> bool:
        return self._listens(child) and child.claim is not None and child.claim.tx_seen > 0
