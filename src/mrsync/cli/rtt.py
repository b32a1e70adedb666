"""The commands rtt and rttcatcher, and the output of rtt."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from mrsync.cli.output.roundtrips import histogram_lines
from mrsync.cli.settings.tools import rtt_options
from mrsync.cli.tool import is_told, run_tool
from mrsync.errors import ExitStatus
from mrsync.protocol.core.histogram import Histogram
from mrsync.remote.folding import fold
from mrsync.run.cast.outcome import TargetState, end_of
from mrsync.run.measure.rtt import RttOutcome, TargetRtt, measure
from mrsync.run.settings import RttSettings

SCHEMA = 1
ROWS_MAX = 20  # with more targets, inconspicuous ones share one row
TIMES_SLOWER = 1.5  # of the median of all targets, above which a target gets its own row
NAME_MAX = 40


def rtt(arguments: Sequence[str]) -> int:
    """Measure round trips and print the result. Return the exit status."""
    settings, output = rtt_options.parse_rtt(arguments)
    is_for_people = not output.is_json and output.progress != "json"
    if is_for_people:
        print(_start(settings))
        print(time.ctime(), flush=True)
    outcome = run_tool(output, partial(measure, settings), name="")  # 4.0.1 printed notices without a name
    if not is_told(output, outcome.exit_status, partial(outcome_fields, outcome)):
        for line in outcome_lines(outcome, is_verbose=output.verbosity > 0):
            print(line)
    if sentence := complaint(outcome):
        print(f"rtt: {sentence}", file=sys.stderr)
    return outcome.exit_status


def rttcatcher(arguments: Sequence[str]) -> int:
    """Run the part of a target, started by hand or by a master that does not send it."""
    from mrsync.run.measure.rttcatch import catch_from_stdin, echo

    if len(arguments) == 2 and arguments[0] == "--launched":
        from mrsync.remote.command import answer

        answer()
        return catch_from_stdin(arguments[1])
    return echo(rtt_options.parse_rttcatcher(arguments))


def outcome_lines(outcome: RttOutcome, *, is_verbose: bool) -> Iterator[str]:
    """Yield the loss, the histogram of all targets, and a table if there are several, slowest first."""
    heard = [target for target in outcome.targets if target.state is TargetState.DONE]
    if outcome.pages:
        reached = [target for target in outcome.targets if target.state is not TargetState.UNREACHABLE]
        sent = outcome.pages * len(reached)
        missing = sum(target.missing for target in reached)
        yield f"Missing pages = {missing} ({100 * missing / sent:5.2f}%) out of total pages = {sent}"
    yield from _troubles(outcome)
    if len(outcome.targets) > 1 and heard:
        yield ""
        yield from _table(heard, outcome.pages, is_verbose=is_verbose)
    if heard:
        yield ""
        yield from histogram_lines(Histogram.merged(target.histogram for target in heard))


def outcome_fields(outcome: RttOutcome) -> dict[str, Any]:
    """Return the result for JSON."""
    return {
        "schema": SCHEMA,
        "exit_status": outcome.exit_status,
        "pages": outcome.pages,
        "page_bytes": outcome.page_bytes,
        "packets": outcome.packets,
        "interface": outcome.interface,
        "seconds": outcome.seconds,
        "targets": {target.host: _target_fields(target) for target in outcome.targets},
    }


def complaint(outcome: RttOutcome) -> str | None:
    """Return a sentence that explains the exit status, or None if it is 0."""
    silent = [target for target in outcome.targets if target.state is not TargetState.DONE]
    if outcome.is_interrupted:
        return "interrupted"
    if outcome.exit_status == ExitStatus.START:
        return "no target can be reached"  # the lines say why
    return f"no echo from {fold([target.host for target in silent])}" if silent else None


def _start(settings: RttSettings) -> str:
    who = fold(list(settings.targets))
    if settings.remote_shell is None:
        return f"using rttcatcher as it was started by hand on {who}"
    shell = settings.remote_shell.split()[0].rpartition("/")[2]
    return f"using {shell} to invoke rttcatcher on {who}"


def _troubles(outcome: RttOutcome) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for target in outcome.targets:
        if target.state is not TargetState.DONE:
            end = end_of(target.state, target.reason, is_interrupted=target.is_interrupted)
            groups.setdefault(end, []).append(target.host)
    for trouble, hosts in groups.items():
        yield f"{fold(hosts)}: {trouble}"


def _table(targets: list[TargetRtt], pages: int, *, is_verbose: bool) -> Iterator[str]:
    """Yield one row per target.

    With many targets, only those that are slow or miss pages, and one row for all others.
    """
    slowest = sorted(targets, key=lambda target: (-target.histogram.quantile_us(0.5), target.host))
    usual_us = Histogram.merged(target.histogram for target in targets).quantile_us(0.5)
    apart = slowest
    if len(targets) > ROWS_MAX and not is_verbose:
        odd = [t for t in slowest if t.missing or t.histogram.quantile_us(0.5) > TIMES_SLOWER * usual_us]
        apart = odd[:ROWS_MAX]
    rest = [target for target in slowest if target not in apart]
    rows = [_row(target.host, target.missing / pages, target.histogram) for target in apart]
    if rest:
        name = fold([target.host for target in rest])
        share = sum(target.missing for target in rest) / pages / len(rest)
        histogram = Histogram.merged(target.histogram for target in rest)
        rows.append(_row(name if len(name) <= NAME_MAX else f"{len(rest)} others", share, histogram))
    width = max(len("target"), *(len(row[0]) for row in rows))
    yield f"{'target':{width}}  missing       p50       p90       p99       max us"
    for name, *cells in rows:
        yield f"{name:{width}}  {'  '.join(cells)}"


def _row(name: str, missing: float, histogram: Histogram) -> list[str]:
    times = [histogram.quantile_us(share) for share in (0.5, 0.9, 0.99)] + [histogram.longest_us]
    return [name, f"{100 * missing:6.2f}%", *(f"{micros:8}" for micros in times)]


def _target_fields(target: TargetRtt) -> dict[str, Any]:
    histogram = target.histogram
    return {
        "state": target.state.value,
        "reason": target.reason,
        "missing": target.missing,
        "rtt_us": {
            "p50": histogram.quantile_us(0.5),
            "p90": histogram.quantile_us(0.9),
            "p99": histogram.quantile_us(0.99),
            "max": histogram.longest_us,
        },
        "histogram_ms": [list(bar) for bar in histogram.milliseconds()],
    }
