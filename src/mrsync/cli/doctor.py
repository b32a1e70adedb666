"""The command mrsync doctor: print findings and a table, or JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from mrsync.cli.output.report import size
from mrsync.cli.settings.tools.doctor_options import parse_doctor
from mrsync.cli.tool import is_told, run_tool
from mrsync.errors import ExitStatus
from mrsync.remote.folding import fold
from mrsync.run.measure.doctor import DoctorOutcome, Examined, examine
from mrsync.run.measure.evidence import Evidence
from mrsync.run.measure.finding import Finding
from mrsync.tuples import NamedTuple

SCHEMA = 1
ROWS_MAX = 30
HEADS = ("target", "hears", "echoes", "MTU", "p50 us", "loss", "Mbit/s", "buffer", "drops", "disk/s", "free", "clock")


class Conclusion(NamedTuple):
    """A line of output: the finding about these hosts, or None if they have no fault."""

    hosts: str
    finding: Finding | None


def doctor(arguments: Sequence[str]) -> int:
    """Examine all targets and print the result. Return the exit status."""
    settings, output = parse_doctor(arguments)
    outcome = run_tool(output, partial(examine, settings))
    is_over = is_told(output, outcome.exit_status, partial(outcome_fields, outcome))
    if not is_over and not outcome.is_interrupted:  # half a test would blame the healthy
        _print(outcome, is_verbose=output.verbosity > 0)
    if sentence := complaint(outcome):
        print(f"mrsync doctor: {sentence}", file=sys.stderr)
    return outcome.exit_status


def verdicts(outcome: DoctorOutcome) -> list[Conclusion]:
    """Return the conclusions: faults, then remarks, those of most targets first; hosts without faults come last."""
    groups: dict[Finding, list[str]] = {}
    ranks: dict[Finding, int] = {}
    for target in outcome.targets:
        for rank, finding in enumerate(target.findings):
            groups.setdefault(finding, []).append(target.seen.host)
            ranks[finding] = min(rank, ranks.get(finding, rank))
    order = sorted(groups, key=lambda one: (not one.is_fault, ranks[one], -len(groups[one])))
    found = [Conclusion(fold(groups[finding]), finding) for finding in order]
    fit = [target.seen.host for target in outcome.targets if target.is_fit]
    return [*found, Conclusion(fold(fit), None)] if fit else found


def verdict_line(verdict: Conclusion) -> str:
    """Return "HOSTS: CAUSE: DETAIL; remedy: REMEDY", or "HOSTS: fit"."""
    if verdict.finding is None:
        return f"{verdict.hosts}: fit"
    cause, detail, remedy, _ = verdict.finding
    return f"{verdict.hosts}: {cause}: {detail}; remedy: {remedy}"


def table_rows(outcome: DoctorOutcome, *, is_verbose: bool) -> list[tuple[str, ...]]:
    """Return one row for each target with a fault and one for all others. Omit targets that were not reached.

    is_verbose: one row for each target.
    """
    reached = [target for target in outcome.targets if target.seen.facts is not None]
    unfit = [target for target in reached if not target.is_fit or is_verbose]
    rows = [_cells(target.seen.host, [target.seen]) for target in unfit[: None if is_verbose else ROWS_MAX]]
    fit = [target.seen for target in reached if target.is_fit and not is_verbose]
    if fit:
        rows.append(_cells(fold([seen.host for seen in fit]), fit))
    return rows


def outcome_fields(outcome: DoctorOutcome) -> dict[str, Any]:
    """Return the result for JSON."""
    return {
        "schema": SCHEMA,
        "exit_status": outcome.exit_status,
        "seconds": outcome.seconds,
        "group": outcome.setting.group,
        "port": outcome.setting.port,
        "interfaces": outcome.setting.interfaces,
        "targets": {target.seen.host: _target_fields(target, outcome.is_interrupted) for target in outcome.targets},
    }


def complaint(outcome: DoctorOutcome) -> str | None:
    """Return a sentence that explains the exit status, or None if it is 0."""
    unfit = [target.seen.host for target in outcome.targets if not target.is_fit]
    if outcome.is_interrupted:
        return "interrupted"
    if outcome.exit_status == ExitStatus.START:
        return "no target can be reached"  # the findings say why
    return f"not fit: {fold(unfit)}" if unfit else None


def _cells(name: str, seen: list[Evidence]) -> tuple[str, ...]:
    """Return the cells of a row: the worst of each figure."""
    heard = min(one.group.heard / max(1, one.group.sent) for one in seen)
    echoed = min((one.group.echoed + one.own.echoed) / max(1, one.group.heard + one.own.heard) for one in seen)
    disks = [one.disk for one in seen if one.disk is not None and not one.disk.error]
    offsets = [one.clock_offset_s for one in seen if one.clock_offset_s is not None and _is_exact(one)]
    return (
        name,
        f"{100 * heard:.0f}%",
        f"{100 * echoed:.0f}%",
        str(min(one.mtu_passed for one in seen) or "-"),
        str(max(one.round_trips.quantile_us(0.5) for one in seen) or "-"),
        f"{100 * max(one.fast.loss for one in seen):.1f}%",
        f"{min(one.fast.rate_bytes_s for one in seen) * 8 / 1e6:.0f}",
        size(min(one.facts.buffer_bytes for one in seen if one.facts is not None)),
        str(max(one.counters.socket_drops for one in seen)),
        size(min(disk.write_bytes_s for disk in disks)) if disks else "-",
        size(min(disk.free_bytes for disk in disks)) if disks else "-",
        _duration(max(offsets, key=abs)) if offsets else "-",
    )


def _is_exact(seen: Evidence) -> bool:
    """Return whether the clock was measured by an echo, or differs far more than the delay of the remote shell."""
    return seen.round_trips.total > 0 or abs(seen.clock_offset_s or 0) > 1


def _duration(seconds: float) -> str:
    return f"{seconds:+.0f} s" if abs(seconds) >= 10 else f"{round(seconds * 1000):+d} ms"


def _target_fields(target: Examined, is_interrupted: bool) -> dict[str, Any]:
    """Return a target for JSON. is_interrupted: half an examination proves nothing about it."""
    seen = target.seen
    fields = seen._asdict()
    del fields["host"]
    for name in ("facts", "disk", "counters", "group", "port", "own", "slow", "fast"):
        fields[name] = None if fields[name] is None else fields[name]._asdict()
    trips = fields.pop("round_trips")
    fields["rtt_us"] = {"p50": trips.quantile_us(0.5), "max": trips.longest_us}
    if is_interrupted:
        return {"is_fit": None, "findings": [], **fields}
    findings = [finding._asdict() for finding in target.findings]
    return {"is_fit": target.is_fit, "findings": findings, **fields}


def _print(outcome: DoctorOutcome, *, is_verbose: bool) -> None:
    found = verdicts(outcome)
    rows = table_rows(outcome, is_verbose=is_verbose)
    if sys.stdout.isatty():
        _print_colours(found, rows)
        return
    for verdict in found:
        print(verdict_line(verdict))
    if rows:
        print()
        for line in _aligned([HEADS, *rows]):
            print(line)


def _aligned(rows: list[tuple[str, ...]], gap: str = "  ") -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        yield gap.join(cells)


def tables(rows: list[tuple[str, ...]], width: int) -> Iterator[list[str]]:
    """Yield the lines of a table. If it is too wide, move its columns together, then make a second table of the rest.

    rows: the head first. Each table has the column of targets. width: in columns of the terminal.
    """
    for gap in ("  ", " "):
        lines = list(_aligned(rows, gap))
        if len(lines[0]) <= width or len(rows[0]) <= 2:
            yield lines
            return
    fitting = next(count for count in range(len(rows[0]) - 1, 1, -1) if count == 2 or _fits(rows, count, width))
    yield list(_aligned([row[:fitting] for row in rows]))
    yield from tables([(row[0], *row[fitting:]) for row in rows], width)


def _fits(rows: list[tuple[str, ...]], count: int, width: int) -> bool:
    """Return whether the first columns fit, two spaces apart."""
    return len(next(_aligned([row[:count] for row in rows]))) <= width


def _print_colours(found: list[Conclusion], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for hosts, finding in found:
        if finding is None:
            line = Text.assemble((hosts, "bold"), ": ", ("fit", "bold green"))
        else:
            style = "bold red" if finding.is_fault else "bold yellow"
            line = Text.assemble((hosts, "bold"), ": ", (finding.cause, style), f": {finding.detail}; ")
            line.append(f"remedy: {finding.remedy}", "cyan")
        console.print(line, soft_wrap=True)
    for head, *others in tables([HEADS, *rows], console.width) if rows else ():
        console.print()
        console.print(Text(head, "dim"), soft_wrap=True)
        for other in others:
            console.print(Text(other), soft_wrap=True)
