"""The report at the end of a run: a verdict for people, JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from mrsync.cli.output.roundtrips import histogram_lines, quantiles, table_lines
from mrsync.errors import ExitStatus
from mrsync.remote.folding import fold
from mrsync.run.cast.outcome import (
    INTERRUPTED,
    RELAY,
    UNICAST,
    Outcome,
    TargetOutcome,
    TargetState,
    end_of,
)
from mrsync.spelling import counted
from mrsync.tree.model.failure import printable

SCHEMA = 1
_RESUMABLE = (ExitStatus.INTERRUPTED, ExitStatus.TIMEOUT, ExitStatus.SOCKET)
SAT_OUT_SHOWN = 3  # files to name for each target


def report_fields(outcome: Outcome) -> dict[str, Any]:
    """Return the JSON report, with the fields of docs/cli.md. Bytes of a path that are not UTF-8 become surrogates."""
    trips = outcome.round_trips
    return {
        "schema": SCHEMA,
        "exit_status": outcome.exit_status,
        "session": f"{outcome.session:016x}",
        "source": os.fsdecode(outcome.source),
        "dest": os.fsdecode(outcome.dest),
        "dry_run": outcome.is_dry_run,
        "error": outcome.failure or None,
        "seconds": outcome.seconds._asdict(),
        "entries": outcome.entries,
        "files_planned": outcome.files_planned,
        "bytes_planned": outcome.bytes_planned,
        "pages": outcome.pages,
        "pages_sent": outcome.pages_sent,
        "bytes_sent": outcome.bytes_sent,
        "bytes_unicast": outcome.bytes_unicast,
        "bytes_repaired": outcome.bytes_repaired,
        "bytes_saved": outcome.bytes_saved,
        "packets_sent": outcome.packets_sent,
        "packets_repaired": outcome.packets_repaired,
        "packets_coded": outcome.packets_coded,
        "datagrams_rejected": outcome.datagrams_rejected,
        "rtt_ms": {
            "p50": trips.quantile_us(0.5) / 1000,
            "p99": trips.quantile_us(0.99) / 1000,
            "max": trips.longest_us / 1000,
            "histogram": [list(bar) for bar in trips.milliseconds()],
        },
        "warnings": list(outcome.warnings),
        "targets": {target.host: _target_fields(target) for target in outcome.targets},
    }


def json_text(fields: dict[str, Any]) -> str:
    """Return a report as the text of its file."""
    return json.dumps(fields, indent=1) + "\n"


def event_line(outcome: Outcome) -> str:
    """Return the report as the last line of `--progress json`."""
    return json.dumps({"event": "outcome", **report_fields(outcome)})


def complaint(outcome: Outcome) -> str | None:
    """Return a sentence that explains the exit status, or None if it is 0."""
    behind = outcome.incomplete
    if outcome.failure:
        is_resumable = outcome.has_begun and behind and outcome.failure_status in _RESUMABLE
        return f"{outcome.failure}; run the same command again to resume" if is_resumable else outcome.failure
    if outcome.exit_status == ExitStatus.START:
        return _with_reason("no target could be reached", behind[0], outcome)
    if outcome.exit_status == ExitStatus.LOST:
        is_refused = all(target.state is TargetState.REFUSED for target in behind)
        return _with_reason(f"every target {'refused' if is_refused else 'was lost'}", behind[0], outcome)
    if outcome.veto:
        return f"nothing was changed on any target: {outcome.veto}"
    if behind:
        return f"not complete: {fold([target.host for target in behind])}"
    if outcome.source_errors:
        what = counted(outcome.source_errors, "file or directory", "files or directories")
        return f"{what} of the source could not be read"
    if outcome.source_changes:
        if outcome.source_changes == 1:
            return "1 source file vanished or changed while it was read"
        return f"{outcome.source_changes} source files vanished or changed while they were read"
    skipped = {target.host: target.deletions_skipped for target in outcome.targets if target.deletions_skipped}
    if skipped and outcome.is_dry_run and outcome.guards_deletions:
        return (
            "without --dry-run, nothing would be changed on any target: most entries, or some of a home directory,"
            f" would be deleted on {fold(list(skipped))}; if that is meant, give --delete or --max-delete"
        )
    if skipped:
        each, verb = _span(skipped.values()), "was" if set(skipped.values()) == {1} else "were"
        where = "" if len(outcome.targets) == 1 else f" on {fold(list(skipped))}"
        return f"deletions stopped because of --max-delete, {each} {verb} skipped{where}"
    return None


def _span(numbers: Collection[int]) -> str:
    """Return numbers of several targets: "54", or "12 to 54"."""
    low, high = min(numbers), max(numbers)
    return str(high) if low == high else f"{low} to {high}"


def _with_reason(sentence: str, target: TargetOutcome, outcome: Outcome) -> str:
    """Append the target's reason to the sentence, unless the user has already seen it."""
    return sentence if target.host in outcome.ends_shown else f"{sentence}: {target.reason}"


def summary_lines(outcome: Outcome, *, verbosity: int, has_stats: bool) -> Iterator[str]:
    """Yield the verdict, then details if asked for.

    verbosity: number of -v. has_stats: whether --stats is given.
    """
    yield verdict(outcome)
    if verbosity or has_stats or outcome.is_dry_run:
        yield from _complete(outcome)
    if has_stats:
        yield from _statistics(outcome)
    if verbosity > 1 and outcome.round_trips.total:
        yield from histogram_lines(outcome.round_trips)
    elif verbosity and outcome.contents_sent and outcome.round_trips.total:
        yield from table_lines(outcome.round_trips)
    elif verbosity and not has_stats and outcome.round_trips.total:
        yield f"round trip: {quantiles(outcome.round_trips)}"


def size(bytes_count: float) -> str:
    """Format a number of bytes: 1234567 -> 1.23 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if bytes_count < 1000:
            return f"{bytes_count:.3g} {unit}"
        bytes_count /= 1000
    return f"{bytes_count:.3g} TB"


def percentage(part: float, whole: float) -> str:
    """Format a share: 4, 1000 -> 0.4 %; 2, 3 -> 67 %."""
    percent = 100 * part / whole
    return f"{percent:.2g} %" if percent < 99 else f"{percent:.0f} %"


def _target_fields(target: TargetOutcome) -> dict[str, Any]:
    fields = target._asdict()
    del fields["host"]
    fields["state"] = target.state.value
    fields["sat_out"] = [
        {"path": os.fsdecode(file.path), "error": file.error, "message": file.message} for file in target.sat_out
    ]
    return fields


RATED_BYTES = 1_000_000  # the rate of a run that sends less says nothing


def verdict(outcome: Outcome) -> str:
    """Return, for example, "97/100 complete, 2 partial; 41.2 GB in 38 s; 1.09 GB/s sent once = 106 GB/s delivered"."""
    states = [f"{outcome.count(TargetState.DONE)}/{len(outcome.targets)} complete"]
    words = [one.word for one in outcome.targets if one.state is not TargetState.DONE]
    order = [state.value for state in TargetState] + [INTERRUPTED]
    states += [f"{words.count(word)} {word}" for word in order if word in words]
    if outcome.is_dry_run:
        parts = [
            f"dry run: {', '.join(states)}",
            f"{counted(outcome.files_planned, 'file')}, {size(outcome.bytes_planned)} would be sent",
        ]
        return "; ".join([*parts, *_deletions(outcome)])
    parts = [", ".join(states), f"{size(outcome.contents_sent)} in {outcome.seconds.total:.3g} s"]
    written = sum(target.bytes_written for target in outcome.targets)
    if written and outcome.contents_sent >= RATED_BYTES and outcome.seconds.cast > 0:
        once, delivered = outcome.contents_sent / outcome.seconds.cast, written / outcome.seconds.cast
        parts.append(f"{size(once)}/s sent once = {size(delivered)}/s delivered")
    if outcome.bytes_repaired and outcome.bytes_planned:  # the share is meaningless without contents
        parts.append(f"repair {percentage(outcome.bytes_repaired, outcome.bytes_sent)}")
    if outcome.bytes_saved:
        parts.append(f"{size(outcome.bytes_saved)} saved by compression")
    if outcome.contents_sent < outcome.bytes_planned and not outcome.incomplete:
        parts.append(f"{size(outcome.bytes_planned - outcome.contents_sent)} were there before")
    parts += _deletions(outcome)
    parts += _copies(outcome)
    return "; ".join(parts)


def _deletions(outcome: Outcome) -> Iterator[str]:
    """Yield "54 deleted", or "12 to 54 deleted per target"."""
    counts = [target.deleted for target in outcome.targets if target.state in (TargetState.DONE, TargetState.PARTIAL)]
    if any(counts):
        would, each = "would be " if outcome.is_dry_run else "", " per target" if len(set(counts)) > 1 else ""
        yield f"{_span(counts)} {would}deleted{each}"


def _copies(outcome: Outcome) -> Iterator[str]:
    """Yield, for example, "3 copies on the link: 1 by multicast, 2 by unicast (n7, n9)"."""
    served = [target.host for target in outcome.targets if target.path == UNICAST]
    relayed = [target.host for target in outcome.targets if target.path == RELAY]
    if served and outcome.copies > len(served):
        yield f"{outcome.copies} copies on the link: 1 by multicast, {len(served)} by unicast ({fold(served)})"
    elif served:
        yield "1 copy on the link, by unicast" if len(served) == 1 else f"{len(served)} copies on the link, by unicast"
    elif relayed:
        yield "1 copy on the link, by multicast"
    if relayed:
        yield f"forwarded from target to target to {fold(relayed)}"


def troubles(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield each reason why targets are not complete that the user has not seen, after these targets, folded."""
    groups: dict[str, list[str]] = {}
    for target in outcome.targets:
        if target.state is not TargetState.DONE and (target.host not in outcome.ends_shown or target.sat_out):
            groups.setdefault(_trouble(target), []).append(target.host)
    for trouble, hosts in groups.items():
        yield fold(hosts), trouble


def _trouble(target: TargetOutcome) -> str:
    parts = [end_of(target.state, target.reason, is_interrupted=target.is_interrupted)]
    causes: dict[bytes, list[str]] = {}
    for file in target.sat_out:
        causes.setdefault(file.path, []).append(f"{file.message}{f' ({file.error})' if file.error else ''}")
    parts += [f"{printable(path)}: {', '.join(of_path)}" for path, of_path in islice(causes.items(), SAT_OUT_SHOWN)]
    unshown = max(0, len(causes) - SAT_OUT_SHOWN) + target.sat_out_untold
    if unshown:
        parts.append(f"and {counted(unshown, 'more file')}")
    return "; ".join(parts)


def _complete(outcome: Outcome) -> Iterator[str]:
    """Yield one line for each group of targets with equal results."""
    groups: dict[str, list[str]] = {}
    for target in outcome.targets:
        if target.state is not TargetState.DONE:
            continue
        if outcome.is_dry_run:
            facts = f"{counted(target.files_needed, 'file')}, {size(target.bytes_needed)} needed"
            if target.changes or not target.deleted:
                facts += f"; {counted(target.changes, 'other change')}"
            facts += f"; {target.deleted} would be deleted" if target.deleted else ""
        else:
            facts = f"ok; {counted(target.files_updated, 'file')} updated, {target.deleted} deleted"
        groups.setdefault(facts, []).append(target.host)
    for facts, hosts in groups.items():
        yield f"{fold(hosts)}: {facts}"


def _statistics(outcome: Outcome) -> Iterator[str]:
    yield f"entries: {outcome.entries}; planned: {outcome.files_planned} files, {outcome.bytes_planned} bytes"
    yield f"sent: {outcome.bytes_sent} bytes, of them {outcome.bytes_repaired} repairs; pages: {outcome.pages_sent}"
    yield (
        f"packets: {outcome.packets_sent}, of them {outcome.packets_repaired} repairs, {outcome.packets_coded} coded;"
        f" lost: {sum(target.packets_lost for target in outcome.targets)};"
        f" dropped in sockets: {sum(target.kernel_drops for target in outcome.targets)}"
    )
    packets = sum(target.packets_rejected for target in outcome.targets)
    pages = sum(target.pages_rejected for target in outcome.targets)
    if packets or pages or outcome.datagrams_rejected:
        yield (
            "dropped because they were not authentic or not of this session: "
            f"{outcome.datagrams_rejected} packets here, {packets} and {counted(pages, 'page')} at the targets"
        )
    yield "seconds: " + ", ".join(f"{phase} {seconds:.3f}" for phase, seconds in outcome.seconds._asdict().items())
    if outcome.round_trips.total:
        yield f"round trip: {quantiles(outcome.round_trips)}"
