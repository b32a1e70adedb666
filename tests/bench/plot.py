"""Plots for the documentation: lines in an SVG that stands alone, with a name for each line."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from mrsync.cli.output.chart import Points, line_chart

WIDTH, HEIGHT = 720, 200
COLOURS = ("#0969da", "#cf222e", "#8250df", "#1a7f37", "#bf8700", "#0a7ea4", "#bf3989", "#57606a")
STYLE = """svg { background: #ffffff; font: 12px sans-serif; }
.grid { stroke: #d8dee4; } text { fill: #57606a; } text.name { stroke: none; }
.line { fill: none; stroke-width: 2.5; }"""
NAMES_X, NAMES_Y, NAME_HEIGHT = 84, 26, 17


def plot(lines: Sequence[tuple[str, Points]], y_text: Callable[[float], str], x_unit: str) -> str:
    """Return an SVG. lines: (name, points), in the order of the names in its corner; y_text: a value with its unit."""
    rules = [STYLE]
    names = []
    for number, (name, _) in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        rules.append(f".line{number} {{ stroke: {colour}; }} text.line{number} {{ fill: {colour}; }}")
        y = NAMES_Y + NAME_HEIGHT * number
        names.append(f'<text class="name line{number}" x="{NAMES_X}" y="{y}">{html.escape(name)}</text>')
    drawn = line_chart([(f"line{number}", *line) for number, line in enumerate(lines)], y_text, x_unit)
    head, _, body = drawn.partition(">")
    style = "\n".join(["<style>", *rules, "</style>"])
    size = f'xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}"'
    return f"{head} {size}>{style}{''.join(names)}{body}\n"
