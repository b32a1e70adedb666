"""The report as one HTML page that needs nothing else: verdict, key figures, charts, every target."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.resources import files

from mrsync import __version__
from mrsync.cli.chart import bar_chart, line_chart, share_bar
from mrsync.cli.recording import Sample
from mrsync.cli.report import complaint, size, verdict
from mrsync.escaping import escape_controls
from mrsync.remote.targets import fold
from mrsync.run.cast.outcome import Outcome, TargetOutcome, TargetState
from mrsync.tree.model.failure import printable

FILES_SHOWN = 1000
PHASES = (("gather", "a"), ("compare", "b"), ("cast", "c"), ("commit", "d"))
BARS_MAX = 60


def page(outcome: Outcome, samples: Sequence[Sample]) -> str:
    """samples: how the cast went over time; without two of them there is no chart of it."""
    title = f"mrsync {os.fsdecode(outcome.source)} to {fold([target.host for target in outcome.targets])}"
    style = files("mrsync.cli").joinpath("page.css").read_text(encoding="ascii")
    body = "".join((*_head(outcome), *_figures(outcome), *_charts(outcome, samples), *_tables(outcome)))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{_safe(title)}</title>'
        f"<style>{style}</style></head>\n<body>{body}</body></html>\n"
    )


def _head(outcome: Outcome) -> Iterator[str]:
    mood = {0: "good", 24: "fair"}.get(outcome.exit_status, "bad")
    yield f"<header class={mood}><h1>{_safe(verdict(outcome))}</h1>"
    yield f"<p>{_safe(printable(outcome.source))} &rarr; {_safe(printable(outcome.dest))}</p>"
    if trouble := complaint(outcome):
        yield f"<p><strong>Exit status {outcome.exit_status}: {_safe(trouble)}</strong></p>"
    yield "</header>"
    if outcome.warnings:
        yield "<section><h2>Warnings</h2><ul>"
        yield from (f"<li>{_safe(warning)}</li>" for warning in outcome.warnings)
        yield "</ul></section>"


def _figures(outcome: Outcome) -> Iterator[str]:
    written = sum(target.bytes_written for target in outcome.targets)
    cast_s = outcome.seconds.cast
    figures = [
        (f"{outcome.count(TargetState.DONE)}/{len(outcome.targets)}", "targets complete"),
        (f"{outcome.files_planned}", f"files cast of {outcome.entries} entries"),
        (size(outcome.bytes_planned), "of contents"),
        (size(written), "written on all targets"),
        (f"{outcome.seconds.total:.3g} s", "in all"),
    ]
    if cast_s and outcome.bytes_planned:
        figures.append((f"{size(outcome.bytes_planned / cast_s)}/s", "sent once"))
    if outcome.bytes_sent:
        figures.append((f"{100 * outcome.bytes_repaired / outcome.bytes_sent:.2g} %", "of it repairs"))
    yield "<section class=figures>"
    yield from (f"<div><b>{_safe(value)}</b>{_safe(label)}</div>" for value, label in figures)
    yield "</section>"


def _charts(outcome: Outcome, samples: Sequence[Sample]) -> Iterator[str]:
    seconds = outcome.seconds._asdict()
    shares = [(f"phase-{style}", f"{phase}: {seconds[phase]:.3g} s", seconds[phase]) for phase, style in PHASES]
    yield f"<section><h2>Where the time went</h2>{share_bar(shares)}<p class=key>"
    yield from (f"<i class={style}></i>{_safe(label)} " for style, label, _ in shares)
    yield "</p></section>"
    if len(samples) > 1:
        lines = [
            ("sent", "sent once", [(each.seconds, float(each.bytes_sent)) for each in samples]),
            ("repaired", "repairs", [(each.seconds, float(each.bytes_repaired)) for each in samples]),
            ("least", "held by the slowest target", [(each.seconds, float(each.bytes_least)) for each in samples]),
        ]
        yield f"<section><h2>Bytes over time</h2>{line_chart(lines, size, 's')}<p class=key>"
        yield from (f"<i class={style}></i>{label} " for style, label, _ in lines)
        yield "</p></section>"
    trips = outcome.round_trips
    histogram = trips.milliseconds()
    if histogram:
        bars = [(f"{bound} ms", count) for bound, count in histogram[:BARS_MAX]]
        if rest := sum(count for _, count in histogram[BARS_MAX:]):
            bars.append((f"> {histogram[BARS_MAX - 1][0]} ms", rest))
        yield f"<section><h2>Round trips of pages</h2>{bar_chart(bars)}"
        half, most = (trips.quantile_us(share) / 1000 for share in (0.5, 0.99))
        yield f"<p>half within {half:.3g} ms, 99 of 100 within {most:.3g} ms</p></section>"


def _tables(outcome: Outcome) -> Iterator[str]:
    yield "<section><h2>Targets</h2>"
    heads = ("targets", "state", "path", "files", "written", "deleted", "packets lost", "dropped there", "seconds")
    yield from _table(heads, (_target_row(hosts) for hosts in _alike(outcome.targets)))
    yield "</section>"
    behind = [(target.host, file) for target in outcome.targets for file in target.sat_out]
    if behind:
        yield "<section><h2>Files that are behind</h2>"
        rows = (
            (_safe(host), _safe(printable(file.path)), _safe(file.error), _safe(file.message))
            for host, file in behind[:FILES_SHOWN]
        )
        yield from _table(("target", "file", "error", "why"), rows)
        if len(behind) > FILES_SHOWN:
            yield f"<p>and {len(behind) - FILES_SHOWN} more; the JSON report has them all</p>"
        yield "</section>"
    yield f"<footer>session {outcome.session:016x}, mrsync {_safe(__version__)}</footer>"


def _alike(targets: Iterable[TargetOutcome]) -> list[list[TargetOutcome]]:
    """Targets of which the same can be said, those in trouble first."""
    groups: dict[tuple[object, ...], list[TargetOutcome]] = {}
    for target in targets:
        facts = (target.state.value, target.reason, target.path, target.files_updated, target.deleted)
        groups.setdefault(facts, []).append(target)
    return sorted(groups.values(), key=lambda group: (group[0].state is TargetState.DONE, group[0].host))


def _target_row(group: Sequence[TargetOutcome]) -> tuple[str, ...]:
    one = group[0]
    state = f"<b class={'good' if one.state is TargetState.DONE else 'bad'}>{one.state.value}</b>"
    if one.reason:
        state += f"<br>{_safe(one.reason)}"
    return (
        _safe(fold([target.host for target in group])),
        state,
        _safe(one.path),
        str(one.files_updated),
        _span([target.bytes_written for target in group], size),
        str(one.deleted),
        _span([target.packets_lost for target in group], str),
        _span([target.kernel_drops for target in group], str),
        _span([target.seconds for target in group], lambda seconds: f"{seconds:.3g}"),
    )


def _span(values: Sequence[float], text: Callable[[float], str]) -> str:
    low, high = text(min(values)), text(max(values))
    return low if low == high else f"{low} to {high}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "<table><thead><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</tbody></table>"


def _safe(text: str) -> str:
    """Names come from anywhere: no markup and no control character gets through."""
    return html.escape(escape_controls(text))
