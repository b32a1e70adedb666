"""The report as a self-contained HTML page.

It is made from the fields of the JSON report alone, so that `mrsync report FILE.json` can make the same page later.
"""

from __future__ import annotations

import html
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from mrsync.cli.output.chart import histogram_chart, line_chart, share_bar
from mrsync.cli.output.report import percentage, size
from mrsync.errors import ExitStatus
from mrsync.escaping import escape_controls
from mrsync.remote.folding import fold
from mrsync.run.cast.outcome import INTERRUPTED
from mrsync.spelling import counted

FILES_SHOWN = 1000
PHASES = (("gather", "a"), ("compare", "b"), ("cast", "c"), ("commit", "d"))

Fields = Mapping[str, Any]


def html_report(fields: Fields) -> str:
    """Return the page. fields: of the JSON report; see docs/report.schema.json."""
    title = f"mrsync {fields['source']} to {fold(list(fields['targets'])) if fields['targets'] else 'no target'}"
    style, script = (_resource(name) for name in ("html_report.css", "html_report.js"))
    body = "".join(
        (*_head(fields), *_figures(fields), *_charts(fields), *_targets(fields), *_relays(fields), *_unequal(fields))
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{_safe(title)}</title>'
        f"<style>{style}</style></head>\n<body>{body}<script>{script}</script></body></html>\n"
    )


def _resource(name: str) -> str:
    return files("mrsync.cli.output").joinpath(name).read_text(encoding="ascii")


def _head(fields: Fields) -> Iterator[str]:
    mood = {ExitStatus.OK: "good", ExitStatus.VANISHED: "fair"}.get(fields["exit_status"], "bad")
    yield f"<header class={mood}><h1>{_safe(fields['verdict'])}</h1>"
    yield f"<p>{_safe(fields['source'])} &rarr; {_safe(fields['dest'])}</p>"
    if fields["complaint"]:
        yield f"<p><strong>Exit status {fields['exit_status']:d}: {_safe(fields['complaint'])}</strong></p>"
    yield f"<dl><dt>started</dt><dd><time>{_safe(fields['started'])}</time></dd>"
    yield f"<dt>master</dt><dd>{_safe(fields['master'])}</dd>"
    yield f"<dt>command</dt><dd><code>{_safe(shlex.join(fields['command']))}</code></dd></dl>"
    yield "</header>"
    if fields["warnings"]:
        yield "<section><h2>Warnings</h2><ul>"
        yield from (f"<li>{_safe(warning)}</li>" for warning in fields["warnings"])
        yield "</ul></section>"


def _figures(fields: Fields) -> Iterator[str]:
    targets, seconds = fields["targets"].values(), fields["seconds"]
    done = sum(target["state"] == "done" for target in targets)
    entries = counted(fields["entries"], "entry", "entries")
    figures = [
        (f"{done}/{len(targets)}", "targets complete"),
        (f"{fields['files_planned']:d}", f"{'file' if fields['files_planned'] == 1 else 'files'} sent of {entries}"),
        (size(fields["bytes_planned"]), "of contents"),
        (size(sum(target["bytes_written"] for target in targets)), "written on all targets"),
        (f"{seconds['total']:.3g} s", "in all"),
    ]
    # Reports of other programs may lack the pages.
    share = min(1.0, fields.get("pages_sent", 0) / fields["pages"]) if fields.get("pages") else 1.0
    sent_once = fields["bytes_planned"] * share
    if seconds["cast"] and sent_once:
        figures.append((f"{size(sent_once / seconds['cast'])}/s", "sent once"))
    if fields["bytes_sent"]:
        figures.append((percentage(fields["bytes_repaired"], fields["bytes_sent"]), "of it repairs"))
    if saved := fields.get("bytes_saved"):  # older reports have none
        figures.append((size(saved), "saved by compression"))
    if deleted := sum(target["deleted"] for target in targets):
        figures.append((str(deleted), "entries deleted on all targets"))
    yield "<section class=figures>"
    yield from (f"<div><b>{_safe(value)}</b>{_safe(label)}</div>" for value, label in figures)
    yield "</section>"


def _charts(fields: Fields) -> Iterator[str]:
    seconds = fields["seconds"]
    shares = [(f"phase-{style}", f"{phase}: {seconds[phase]:.3g} s", seconds[phase]) for phase, style in PHASES]
    legend = _key((style, label) for style, label, _ in shares)
    yield f"<section><h2>Where the time went</h2>{share_bar(shares)}{legend}</section>"
    samples = fields["samples"]
    if len(samples) > 1 and any(any(sample[1:]) for sample in samples):
        lines = [
            (style, label, [(sample[0], float(sample[column])) for sample in samples])
            for column, (style, label) in enumerate(
                (("sent", "sent once"), ("repaired", "repairs"), ("least", "held by the slowest target")), start=1
            )
        ]
        chart = line_chart(lines, size, "s")
        yield f"<section><h2>Bytes over time</h2>{chart}{_key((style, label) for style, label, _ in lines)}</section>"
    trips = fields["rtt_ms"]
    if trips["histogram"]:
        yield f"<section><h2>Round trips of pages</h2>{histogram_chart(trips['histogram'], 'ms')}"
        yield f"<p>half within {trips['p50']:.3g} ms, 99 of 100 within {trips['p99']:.3g} ms</p></section>"


def _key(entries: Iterable[tuple[str, str]]) -> str:
    """Return the legend of a chart. entries: (CSS class, label)."""
    return (
        "<p class=key>"
        + "".join(f"<span><i class={style}></i>{_safe(label)}</span> " for style, label in entries)
        + "</p>"
    )


def _targets(fields: Fields) -> Iterator[str]:
    targets = fields["targets"]
    states = Counter(_word(target) for target in targets.values())
    heads = ("target", "state", "path", "files", "written", "deleted", "packets lost", "kernel drops", "seconds")
    counts = ", ".join(f"{count} {state}" for state, count in states.items())
    yield f"<section><h2>Targets</h2><p>{_safe(counts)}</p>"
    in_trouble_first = sorted(targets.items(), key=lambda item: item[1]["state"] == "done")
    yield from _table(heads, (_target_row(host, target) for host, target in in_trouble_first), is_sortable=True)
    yield "</section>"


def _word(target: Fields) -> str:
    """Return how the run ended for a target, in a word for people. Older reports do not tell who was interrupted."""
    return INTERRUPTED if target.get("is_interrupted") else str(target["state"])


def _target_row(host: str, target: Fields) -> Iterator[tuple[str, str]]:
    """Yield (cell, value to sort by) for one target."""
    mood = "good" if target["state"] == "done" else "bad"
    state = f"<b class={mood}>{_safe(_word(target))}</b>"
    if target["reason"]:
        state += f"<br>{_safe(target['reason'])}"
    yield _safe(host), host
    yield state, _word(target)
    fed_by = f"<br>fed by {_safe(target['parent'])}" if target.get("parent") else ""
    path = target["path"] if target["state"] != "unreachable" else ""  # nothing came on any
    yield _safe(path) + fed_by, path
    yield f"{target['files_updated']:d}", f"{target['files_updated']:d}"
    yield size(target["bytes_written"]), str(target["bytes_written"])
    for name in ("deleted", "packets_lost", "kernel_drops"):
        yield f"{target[name]:d}", f"{target[name]:d}"
    yield f"{target['seconds']:.3g}", str(target["seconds"])


def _relays(fields: Fields) -> Iterator[str]:
    """Yield the links between targets, in the order of the chains, and the slowest one."""
    targets = fields["targets"]
    children: dict[str, list[str]] = {}
    for host, target in targets.items():
        if target.get("parent"):
            children.setdefault(target["parent"], []).append(host)
    if not children:
        return
    heads = ("from", "to", "pages forwarded", "packets forwarded again", "pages waiting at most")
    links = list(_links(children))
    slowest = max(links, key=lambda link: targets[link[0]].get("pages_waiting_max", 0))
    yield "<section><h2>From target to target</h2>"
    if waiting := targets[slowest[0]].get("pages_waiting_max", 0):
        yield f"<p>slowest link: {_safe(' to '.join(slowest))}, for which up to {counted(waiting, 'page')} waited</p>"
    rows = (_link_row(parent, child, targets[parent]) for parent, child in links)
    yield from _table(heads, rows)
    yield "</section>"


def _links(children: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Yield (parent, child), from the head of each chain to its end. children: by parent; an island has several."""
    fed = {child for each in children.values() for child in each}
    waiting = [parent for parent in reversed(children) if parent not in fed]
    while waiting:
        parent = waiting.pop()
        for child in children[parent]:
            yield parent, child
        waiting += [child for child in reversed(children[parent]) if child in children]


def _link_row(parent: str, child: str, relay: Fields) -> Iterator[tuple[str, str]]:
    for text in (parent, child):
        yield _safe(text), text
    for name in ("pages_passed_on", "packets_passed_again", "pages_waiting_max"):
        yield f"{relay.get(name, 0):d}", f"{relay.get(name, 0):d}"


def _unequal(fields: Fields) -> Iterator[str]:
    unequal = [(host, file) for host, target in fields["targets"].items() for file in target["sat_out"]]
    if unequal:
        yield "<section><h2>Files that are not equal</h2>"
        rows = (
            [(_safe(text), text) for text in (host, file["path"], file["error"], file["message"])]
            for host, file in unequal[:FILES_SHOWN]
        )
        yield from _table(("target", "file", "error", "why"), rows)
        untold = sum(target.get("sat_out_untold", 0) for target in fields["targets"].values())
        if len(unequal) > FILES_SHOWN:
            where = "has them all" if not untold else f"names {len(unequal)}"
            yield f"<p>and {len(unequal) + untold - FILES_SHOWN} more; the JSON report {where}</p>"
        yield "</section>"
    yield f"{_footer_of_session(fields)}, mrsync {_safe(fields['mrsync'])}</footer>"


def is_page_of(page: str, fields: Fields) -> bool:
    """Return whether a page was made from the report of the same run."""
    return _footer_of_session(fields) in page


def _footer_of_session(fields: Fields) -> str:
    """Return how the footer begins, by which a page is known as that of a run."""
    return f"<footer>session {_safe(fields['session'])}"


def _table(
    heads: Sequence[str], rows: Iterable[Iterable[tuple[str, str]]], *, is_sortable: bool = False
) -> Iterator[str]:
    """Yield a table. rows: sequences of (cell, value to sort by)."""
    kind = " class=sortable" if is_sortable else ""
    yield f"<table{kind}><thead><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr></thead><tbody>"
    for row in rows:
        cells = (
            f'<td data-value="{_safe(value)}">{cell}</td>' if is_sortable else f"<td>{cell}</td>" for cell, value in row
        )
        yield "<tr>" + "".join(cells) + "</tr>"
    yield "</tbody></table>"


def _safe(text: str) -> str:
    """Escape text from elsewhere: markup, control characters and surrogates."""
    return html.escape(escape_controls(text))
