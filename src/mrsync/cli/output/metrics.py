"""Metrics of a run in a file for the textfile collector of node_exporter (Prometheus)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

from mrsync.escaping import escape_controls
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState


def metrics(outcome: Outcome, ended_at: float) -> str:
    """Return the metrics in text exposition format 0.0.4. ended_at: seconds since the epoch.

    The labels `source` and `dest` distinguish runs of different trees. Each target has four series.
    """
    return "".join(f"{line}\n" for line in _lines(outcome, ended_at))


def _lines(outcome: Outcome, ended_at: float) -> Iterator[str]:
    labels = f'source="{_escaped(os.fsdecode(outcome.source))}",dest="{_escaped(os.fsdecode(outcome.dest))}"'
    gauges = (
        ("exit_status", "How the last run ended; 0: every target equals the source", outcome.exit_status),
        ("end_time_seconds", "When the last run ended", round(ended_at, 3)),
        ("duration_seconds", "How long the last run took", outcome.seconds.total),
        ("entries", "Entries of the source", outcome.entries),
        ("files_planned", "Files whose contents were sent", outcome.files_planned),
        ("planned_bytes", "Size of their contents", outcome.bytes_planned),
        ("sent_bytes", "Bytes sent, repairs included", outcome.bytes_sent),
        ("repaired_bytes", "Bytes sent again", outcome.bytes_repaired),
        ("packets_lost", "Packets lost at all targets", sum(target.packets_lost for target in outcome.targets)),
        (
            "packets_rejected",
            "Packets that were not authentic or not of this session, at the master and at all targets",
            outcome.datagrams_rejected + sum(target.packets_rejected for target in outcome.targets),
        ),
        ("kernel_drops", "Packets dropped in targets' sockets", sum(each.kernel_drops for each in outcome.targets)),
    )
    for name, text, value in gauges:
        yield from _gauge(name, text)
        yield f"mrsync_{name}{{{labels}}} {value}"
    yield from _gauge("targets", "Targets of the last run by how it ended for them")
    for state in TargetState:
        yield f'mrsync_targets{{{labels},state="{state.value}"}} {outcome.count(state)}'
    for name, text, figure in _OF_TARGETS:
        yield from _gauge(name, text)
        for target in outcome.targets:
            yield f'mrsync_{name}{{{labels},target="{_escaped(target.host)}"}} {figure(target)}'


_OF_TARGETS: tuple[tuple[str, str, Callable[[TargetOutcome], float]], ...] = (
    ("target_complete", "Whether the target equals the source", lambda one: int(one.state is TargetState.DONE)),
    ("target_written_bytes", "Bytes written on the target", lambda one: one.bytes_written),
    ("target_deleted", "Entries deleted on the target", lambda one: one.deleted),
    ("target_duration_seconds", "How long the run took for the target", lambda one: one.seconds),
)


def _gauge(name: str, text: str) -> Iterator[str]:
    yield f"# HELP mrsync_{name} {text}"
    yield f"# TYPE mrsync_{name} gauge"


def _escaped(text: str) -> str:
    return re.sub(r'[\\"]', r"\\\g<0>", escape_controls(text))
