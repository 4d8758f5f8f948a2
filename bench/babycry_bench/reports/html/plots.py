"""Plots in SVG without a view box: places across are per cent, so a phone's text stays full size.

A plot of rows has one row for each thing, its name and value in words beside it, and the marks on
an axis that all rows share. The marks say where their figures come from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from babycry_bench.reports.html.figures import attributes, scale_of, trimmed
from babycry_bench.reports.html.place import Place

ROW_HEIGHT = 22
_MIDDLE = ROW_HEIGHT / 2


@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` to ``high``, in the report's unit; a logarithmic one starts above 0."""

    low: float
    high: float
    unit: str
    log: bool = False

    def at(self, value: float) -> float:
        """Per cent of the way across, held within the axis."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = (math.log10(max(x, self.low)) for x in (value, low, high))
        share = (value - low) / (high - low) if high > low else 0.0
        return round(100 * min(1.0, max(0.0, share)), 3)

    def ticks(self) -> list[float]:
        """Round numbers on the axis, few enough for a phone."""
        if self.log and self.high / self.low > 4:
            return _log_ticks(self.low, self.high)
        factor = scale_of(max(abs(self.low), abs(self.high)), self.unit)
        return [factor * tick for tick in _ticks(self.low / factor, self.high / factor)]


def linear_axis(values: Iterable[float], unit: str, *, zero: bool = True) -> Axis:
    """An axis around ``values``, from zero unless told otherwise."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    if zero:
        return Axis(min(0.0, low), high * 1.02 if high > 0 else 1.0, unit)
    room = (high - low) * 0.15 or abs(high) * 0.1 or 1.0
    return Axis(low - room if low - room > 0 or low < 0 else 0.0, high + room, unit)


def log_axis(values: Iterable[float], unit: str) -> Axis:
    """A logarithmic axis around those of ``values`` that are above zero."""
    known = [value for value in values if math.isfinite(value) and value > 0] or [1.0]
    low, high = min(known) / 1.25, max(known) * 1.25
    if high / low < 10:  # a decade at least, so that small differences look small
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(10), middle * math.sqrt(10)
    return Axis(low, high, unit, log=True)


def _ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 4 or 1.0
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * k for k in (1, 2, 2.5, 5, 10) if power * k >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    decades = list(range(first, last + 1))
    if len(decades) > 2:
        skip = -(-len(decades) // 5)
        return [10.0**k for k in decades[::skip]]
    fine = (1, 2, 5) if math.log10(high / low) < 1.7 else (1, 3)
    every = [m * 10.0**k for k in range(first - 1, last + 1) for m in fine]
    return [value for value in every if low <= value <= high]


@dataclass(frozen=True)
class Row:
    """One row: its name and value as finished HTML, and what draws its marks on the axis."""

    name: str
    value: str
    marks: Callable[[Axis], str]
    below: str = ""


def row_plot(
    title: str,
    axis: Axis,
    groups: Sequence[tuple[str, Sequence[Row]]],
    note: str = "",
    legend: Sequence[tuple[str, str]] = (),
    kind: str = "",
) -> str:
    """A plot of rows in groups.

    Args:
        title: plain text.
        axis: shared by all rows.
        groups: each one's name (plain text; "" for none) and rows.
        note: plain text under the plot.
        legend: (class of the mark, plain text).
        kind: further class of the figure.
    """
    if not any(rows for _, rows in groups):
        return ""
    ticks = axis.ticks()
    grid = "".join(
        f'<line class="grid" x1="{axis.at(tick)}%" x2="{axis.at(tick)}%" y2="{ROW_HEIGHT}"/>'
        for tick in ticks
    )
    body = []
    for name, rows in groups:
        if name and rows:
            body.append(f'<p class="group">{escape(name)}</p>')
        body += [
            f'<div class="row"><span class="what">{row.name}</span>'
            f'<span class="value">{row.value}</span>'
            f'<svg aria-hidden="true" height="{ROW_HEIGHT}">{grid}{row.marks(axis)}</svg>'
            f"{row.below}</div>"
            for row in rows
        ]
    labels = "".join(_tick_label(axis, tick) for tick in ticks)
    return (
        f'<figure class="plot {kind}"><figcaption>{escape(title)}{legend_of(legend)}</figcaption>'
        f'<div class="rows">{"".join(body)}'
        f'<div class="row axis"><svg aria-hidden="true" height="16">{labels}</svg></div></div>'
        + (f'<p class="note">{escape(note)}</p>' if note else "")
        + "</figure>"
    )


def legend_of(legend: Sequence[tuple[str, str]]) -> str:
    """A line of swatches; the words are plain text."""
    if not legend:
        return ""
    keys = "".join(
        f'<span class="key"><i class="swatch {kind}"></i>{escape(words)}</span>'
        for kind, words in legend
    )
    return f'<span class="legend">{keys}</span>'


def _tick_label(axis: Axis, tick: float) -> str:
    at = axis.at(tick)
    anchor = "start" if at < 6 else "end" if at > 94 else "middle"
    return (
        f'<text x="{at}%" y="12" text-anchor="{anchor}">{escape(trimmed(tick, axis.unit))}</text>'
    )


def bar(place: Place, kind: str = "blue") -> Callable[[Axis], str]:
    """A bar from the axis's start."""
    return lambda axis: (
        f'<rect class="{kind}" x="0" width="{axis.at(place.value)}%" y="5" '
        f'height="{ROW_HEIGHT - 10}" rx="1.5"{attributes(place)}/>'
    )


def dot(place: Place, low: Place | None, high: Place | None, kind: str) -> Callable[[Axis], str]:
    """A dot, and a line over its interval."""

    def draw(axis: Axis) -> str:
        line = ""
        if low is not None and high is not None and low.value is not None:
            line = (
                f'<line class="{kind} bold" x1="{axis.at(low.value)}%" '
                f'x2="{axis.at(high.value)}%" y1="{_MIDDLE}" y2="{_MIDDLE}"/>'
            )
        return (
            f'{line}<circle class="{kind}" cx="{axis.at(place.value)}%" cy="{_MIDDLE}" '
            f'r="4.5"{attributes(place)}/>'
        )

    return draw


def box(stage: Place, kind: str = "blue") -> Callable[[Axis], str]:
    """Of 21 quantiles: a box over the middle half, lines to 5 and 95 %, fine ones to the ends."""
    quantiles = stage["quantiles"]

    def draw(axis: Axis) -> str:
        at = [axis.at(value) for value in quantiles.value]
        middle = _MIDDLE
        return (
            f"<g{attributes(quantiles)}>"
            f'<line class="{kind} fine" x1="{at[0]}%" x2="{at[20]}%" y1="{middle}" y2="{middle}"/>'
            f'<line class="{kind} bold" x1="{at[1]}%" x2="{at[19]}%" y1="{middle}" y2="{middle}"/>'
            f'<rect class="{kind}" x="{at[5]}%" width="{max(0.3, at[15] - at[5]):.3f}%" y="5" '
            f'height="{ROW_HEIGHT - 10}" rx="1"/></g>'
            f'<line class="median" x1="{axis.at(stage.value["p50"])}%" '
            f'x2="{axis.at(stage.value["p50"])}%" y1="3" y2="{ROW_HEIGHT - 3}"'
            f"{attributes(stage['p50'])}/>"
            f'<circle class="{kind} end" cx="{axis.at(stage.value["max"])}%" cy="{middle}" r="2.5"'
            f"{attributes(stage['max'])}/>"
        )

    return draw


def sparkline(place: Place) -> str:
    """A row of numbers in the order of time, 90 by 18 pixels, from the smallest to the largest."""
    values = place.value
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    room = (high - low) or 1.0
    points = " ".join(
        f"{2 + 86 * index / (len(values) - 1):.1f},{16 - 14 * (value - low) / room:.1f}"
        for index, value in enumerate(values)
    )
    return (
        f'<svg class="spark" width="90" height="18" aria-hidden="true"{attributes(place)}>'
        f'<polyline points="{points}"/></svg>'
    )


def scatter(title: str, points: Place, across: str, up: str) -> str:
    """Points of the unit square with its diagonal: on it, both agree.

    Args:
        title: plain text.
        points: list of pairs from 0 to 1.
        across: name of the first number, plain text.
        up: name of the second.
    """
    if not points.value:
        return ""
    grid = "".join(
        f'<line class="grid" x1="{k}%" x2="{k}%" y1="0%" y2="100%"/>'
        f'<line class="grid" x1="0%" x2="100%" y1="{k}%" y2="{k}%"/>'
        f'<text x="{k}%" y="100%" dy="15" text-anchor="middle">{k / 100:g}</text>'
        f'<text x="0%" dx="-6" y="{100 - k}%" dy="4" text-anchor="end">{k / 100:g}</text>'
        for k in (0, 25, 50, 75, 100)
    )
    dots = "".join(
        f'<circle cx="{100 * x:.3f}%" cy="{100 - 100 * y:.3f}%" r="3"/>' for x, y in points.value
    )
    return (
        f'<figure class="plot square"><figcaption>{escape(title)}</figcaption>'
        f'<div class="frame"><span class="up">{escape(up)}</span>'
        f'<svg role="img" aria-label="{escape(title)}: {len(points.value)} points">{grid}'
        '<line class="diagonal" x1="0%" y1="100%" x2="100%" y2="0%"/>'
        f'<g class="dots" data-path="{escape(points.path)}">{dots}</g></svg></div>'
        f'<span class="across">{escape(across)}</span></figure>'
    )
