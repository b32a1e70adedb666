"""Child: one that a relay sends to, as the listener that its claims show."""

from __future__ import annotations

from mrsync.protocol.sending.flow import Flow
from mrsync.wire.messages import Claim, Report


class Child:
    """The last claim of a child, and its flow."""

    def __init__(self, id: int, now: float) -> None:
        self.flow = Flow(id)
        self.flow.answered_at = now
        self.claim: Claim | None = None
        self.report: Report | None = None  # the last claim, as a report
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


def report_of(claim: Claim) -> Report:
    """Return a claim as a report, for the parts of a caster."""
    return Report(
        target=claim.child,
        instance=claim.instance,
        counter=claim.counter,
        active=claim.active,
        tx_seen=claim.tx_seen,
        tx_done=claim.tx_done,
        hold_us=claim.hold_us,
        frontier=claim.frontier,
        ready=0,
        committed=0,
        unverified=0,
        activity=0,
        buffer_bytes=claim.buffer_bytes,
        kernel_drops=claim.kernel_drops,
        queue_pages=0,
        packets_seen=0,
        packets_lost=0,
        pages_rejected=0,
        packets_rejected=0,
        coded_useless=0,
        log_end=0,
        log_offset=0,
        log_bytes=b"",
        needs_first=claim.needs_first,
        needs_end=claim.needs_end,
        needs=claim.needs,
        ended_tx=claim.ended_tx,
        ended_hold_us=claim.ended_hold_us,
        packets_marked=claim.packets_marked,
    )
