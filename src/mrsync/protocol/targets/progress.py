"""Progress: when a target was last heard, and when it last made progress."""

from __future__ import annotations

from dataclasses import dataclass

from mrsync.wire.messages import Report

RETURN_S = 2.0  # a target that was silent for longer was away, and its clocks start anew


@dataclass
class LifeSigns:
    """Signs of life of one target, in seconds of the caller's clock."""

    heard_at: float = 0.0
    done_at: float = 0.0  # or when it last waited for others
    done_tx: int = 0  # last tx that the caster had sent by then

    def receive(self, old: Report | None, new: Report, tx: int, now: float) -> bool:
        """Take a report newer than the last one. Return whether it shows progress, or a return after silence.

        tx: the last one sent.
        """
        is_progress = old is None or now - self.heard_at > RETURN_S or _shows_progress(old, new)
        self.heard_at = now
        if is_progress:
            self.done_at, self.done_tx = now, tx
        return is_progress


def _shows_progress(old: Report, new: Report) -> bool:
    return (
        new.frontier != old.frontier
        or new.activity != old.activity
        or new.log_end != old.log_end
        or new.log_offset != old.log_offset
        or new.ready != old.ready
        or new.committed != old.committed
        or new.active is not old.active
    )
