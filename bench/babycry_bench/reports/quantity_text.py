"""Measured quantities as text: the same words and digits in the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NOTHING = "-"

_LONGEST_TITLE = 34
_SHORT_UNITS = {"instructions": "instr"}

STAGE_TITLES = {
    "capture": "recording from its file",
    "resample": "resampling",
    "frontend_hop": "front-end, one hop",
    "frontend_window": "front-end, one window",
    "frontend_clip": "front-end, one clip",
    "network": "network, one window",
    "layer": "layer",
    "smoothing": "smoothing, one window",
    "pipeline": "whole pipeline, one clip",
}


def stage_title(stage: Mapping[str, Any]) -> str:
    """What a table calls a stage: a layer or a benchmark by its own name."""
    if stage["stage"] == "layer":
        return f"layer {stage.get('layer', '')}".rstrip()
    if stage["stage"] == "benchmark":
        return str(stage["profile"] or "benchmark")
    return STAGE_TITLES.get(stage["stage"], str(stage["stage"]))


def short_stage_title(stage: Mapping[str, Any]) -> str:
    """The title in a terminal: of a layer its number and the end of its name."""
    title = stage_title(stage)
    if len(title) <= _LONGEST_TITLE:
        return title
    number = " ".join(title.split(" ")[:2])[: _LONGEST_TITLE // 2]
    return f"{number} ...{title[len(number) + 4 - _LONGEST_TITLE :]}"


def duration(value: Any, unit: str) -> str:
    """A stage's figure in its own unit: counts of an emulator stay counts."""
    if value is None:
        return NOTHING
    if unit == "ms":
        return milliseconds(value)
    return f"{count(value)} {_SHORT_UNITS.get(unit, unit)}"


def milliseconds(value: Any) -> str:
    """At least three digits of a time."""
    if value is None:
        return NOTHING
    if value >= 99.95:
        return f"{value:.0f} ms"
    if value >= 0.1:
        return f"{value:.3g} ms"
    return f"{value * 1000:.3g} us"


def count(value: Any) -> str:
    """Of instructions, cycles or things: exact below 100 000, then in thousands or millions."""
    if value is None:
        return NOTHING
    for least, scale, letter in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e5, 1e3, "k")):
        if value >= least:
            return f"{value / scale:.4g} {letter}"
    return f"{value:.4g}" if value < 1000 else f"{value:.0f}"


def size(value: Any) -> str:
    """Bytes, in KiB or MiB."""
    if value is None:
        return NOTHING
    if value < 10 * 1024:
        return f"{value:.0f} B"
    if value < 1024 * 1024:
        return f"{value / 1024:.0f} KiB"
    return f"{value / 1024 / 1024:.1f} MiB"


def percent(value: Any, digits: int = 1) -> str:
    """A share as a percentage."""
    return NOTHING if value is None else f"{100 * value:.{digits}f} %"


def interval_text(interval: Mapping[str, Any] | None, *, as_percent: bool = True) -> str:
    """``94.8 % [92.8, 95.8]``: a figure and the interval around it."""
    if interval is None or interval["value"] is None:
        return NOTHING
    factor, digits = (100.0, 1) if as_percent else (1.0, 2)
    value = f"{factor * interval['value']:.{digits}f}" + (" %" if as_percent else "")
    if interval["low"] is None or interval["high"] is None:
        return value
    low, high = (f"{factor * interval[end]:.{digits}f}" for end in ("low", "high"))
    return f"{value} [{low}, {high}]"


def ratio_text(ratio: Any) -> str:
    """``+12.3 %``: how far a ratio lies from one."""
    return NOTHING if ratio is None else f"{100 * (ratio - 1):+.1f} %"


def gate_value(value: Any, unit: str = "") -> str:
    """A value or a bound of a gate."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f"'{value}'"
    if unit == "bytes":
        return size(value)
    number = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return f"{number} {unit}".rstrip()
