"""When a target counts as lost: silent, or answering without getting anything done, for the ack wait."""

from __future__ import annotations

from mrsync.protocol.roster import Target
from mrsync.wire.messages import ObjectKind, Phase


def overdue_reason(
    target: Target, *, phase: Phase, pages_sent: int, commit_end: int, file_count: int, ack_wait_s: float, now: float
) -> str:
    """Why this live target is to be dropped, or nothing; restarts the clock of one that waits for others."""
    if now - target.heard_at > ack_wait_s:
        return f"silent for {ack_wait_s:g} s"
    if not _is_behind(target, phase=phase, pages_sent=pages_sent, commit_end=commit_end, file_count=file_count):
        target.progress_at = now
    if now - target.progress_at > ack_wait_s:
        return f"answered, but got nothing done for {ack_wait_s:g} s ({_waited_for(target, phase)})"
    return ""


def _is_behind(target: Target, *, phase: Phase, pages_sent: int, commit_end: int, file_count: int) -> bool:
    if phase is Phase.COMPARING:
        return target.compared is None
    if phase is Phase.PLANNING:
        return target.report is None or target.report.active is not ObjectKind.CONTENTS
    if phase is Phase.CASTING:
        frontier = target.frontier(ObjectKind.CONTENTS)
        is_whole = frontier >= pages_sent
        return not is_whole or target.committed < commit_end or (commit_end < file_count and target.ready <= commit_end)
    return phase is Phase.FINISHING and target.result is None


def _waited_for(target: Target, phase: Phase) -> str:
    if target.report is None or not target.report.packets_seen:
        return "it has not received any page: does it hear the multicast group?"
    return {
        Phase.COMPARING: "comparing",
        Phase.PLANNING: "receiving the plan",
        Phase.CASTING: f"{target.report.packets_lost} packets missing, {target.report.queue_pages} pages not yet written",
        Phase.FINISHING: "finishing",
    }.get(phase, "gathering")
