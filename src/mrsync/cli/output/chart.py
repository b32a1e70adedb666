"""Charts as inline SVG that need no script, font or other file. Colours are CSS classes of the page."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Sequence

WIDTH, HEIGHT = 720, 200
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 8, 24
TICKS = 4
BARS_MAX = 90
X_MIN = 1e-9
NEAR_THE_END = 0.96  # of an axis: a longer text would leave the drawing

Points = Sequence[tuple[float, float]]


def line_chart(lines: Sequence[tuple[str, str, Points]], y_text: Callable[[float], str], x_unit: str) -> str:
    """Return a chart of lines over time.

    lines: (CSS class, label, points), with at least one point in total. y_text: returns the label of a value. x_unit:
    of the times.
    """
    x_max = max((x for _, _, points in lines for x, _ in points), default=0) or 1
    y_max = _round_up(max((y for _, _, points in lines for _, y in points), default=0) or 1)

    def place(x: float, y: float) -> str:
        return f"{_x(x / x_max):.1f},{_y(y / y_max):.1f}"

    parts = [*_grid(y_max, y_text), *_axis(x_max, x_unit)]
    for style, label, points in lines:
        path = " ".join(place(x, y) for x, y in points)
        parts.append(f'<polyline class="line {style}" points="{path}"><title>{html.escape(label)}</title></polyline>')
    return _drawing(parts, HEIGHT)


def histogram_chart(bins: Sequence[tuple[int, int]], unit: str) -> str:
    """Return a histogram with a linear axis. bins: (upper bound, count), each one unit wide."""
    longest = max(bound for bound, _ in bins)
    width = -(-longest // BARS_MAX)  # units per bar
    bars: dict[int, int] = {}
    for bound, count in bins:
        bars[(bound - 1) // width] = bars.get((bound - 1) // width, 0) + count
    most = TICKS * math.ceil(_round_step(max(1, *bars.values()) / TICKS))  # a tick is a whole number of pages
    x_max = -(-longest // width) * width
    parts = [*_grid(most, lambda count: f"{count:g}"), *_axis(x_max, unit)]
    for number, count in sorted(bars.items()):
        left, right = _x(number * width / x_max), _x((number + 1) * width / x_max)
        top = min(_y(count / most), HEIGHT - BOTTOM - 2)  # always at least two pixels high
        label = f"{number * width} to {(number + 1) * width} {unit}: {count}"
        parts.append(
            f'<rect class="bar" x="{left + 0.5:.1f}" y="{top:.1f}" width="{max(0.5, right - left - 1):.1f}"'
            f' height="{HEIGHT - BOTTOM - top:.1f}"><title>{html.escape(label)}</title></rect>'
        )
    return _drawing(parts, HEIGHT)


def share_bar(shares: Sequence[tuple[str, str, float]]) -> str:
    """Return a bar of parts (CSS class, label, amount) with widths in proportion to the amounts."""
    total = sum(amount for _, _, amount in shares) or 1
    at = 0.0
    parts = []
    for style, label, amount in shares:
        wide = amount / total * WIDTH
        parts.append(
            f'<rect class="{style}" x="{at:.1f}" y="0" width="{wide:.1f}" height="18">'
            f"<title>{html.escape(label)}</title></rect>"
        )
        at += wide
    return _drawing(parts, 18)


def _drawing(parts: Sequence[str], height: int) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{"".join(parts)}</svg>'


def _grid(y_max: float, y_text: Callable[[float], str]) -> Iterator[str]:
    for tick in range(TICKS + 1):
        y = _y(tick / TICKS)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(LEFT - 6, y + 4, y_text(y_max * tick / TICKS), "end")


def _axis(x_max: float, unit: str) -> Iterator[str]:
    if not X_MIN <= x_max < math.inf:
        return  # of a report that somebody wrote by hand
    step = _round_step(x_max / TICKS)
    for tick in range(int(x_max / step + 1e-9) + 1):
        share = tick * step / x_max
        anchor = "end" if share > NEAR_THE_END else "middle" if tick else "start"
        yield _text(_x(share), HEIGHT - 6, f"{tick * step:.6g} {unit}", anchor)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _round_up(value: float) -> float:
    """Return the next number that is 1, 2, 4, 5 or 8 times a power of ten, so that ticks are round."""
    power = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 1.0
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)


def _round_step(value: float) -> float:
    """Return the next number that is 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9))
