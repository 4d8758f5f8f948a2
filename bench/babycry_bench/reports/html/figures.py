"""Figures: a number of the report in words, with the place it comes from beside it.

Each is a ``<span data-path="stages[0].p50" data-value="0.0217">21.7 µs</span>``. What is worked out
from several places says how: ``data-over`` is the place it is divided by, ``data-count`` the value
of ``passed`` whose items were counted, ``data-sum`` the quotients that were added up, and
``data-whole`` the sum that it is a share of.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from html import escape
from typing import Any

from babycry_bench.reports.html.place import Place

NONE = "\u2013"
_THIN = "\u202f"
_NO_BREAK = "\u00a0"

#: Unit: (factor from the report's unit, word), smallest first; the largest not above is taken.
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "ms": ((1e-6, "ns"), (1e-3, "\u00b5s"), (1.0, "ms"), (1e3, "s")),
    "s": ((1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h")),
    "instructions": ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")),
    "cycles": ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")),
    "bytes": ((1.0, "B"), (1024.0, "KiB"), (1024.0**2, "MiB"), (1024.0**3, "GiB")),
    "Hz": ((1.0, "Hz"), (1e3, "kHz"), (1e6, "MHz"), (1e9, "GHz")),
    "W": ((1e-6, "\u00b5W"), (1e-3, "mW"), (1.0, "W")),
    "J": ((1e-6, "\u00b5J"), (1e-3, "mJ"), (1.0, "J")),
}


def figure(place: Place | None, unit: str = "") -> str:
    """The number at a place in its unit; a dash where there is none."""
    if place is None or place.value is None:
        return NONE
    return _span(place.value, shown(place.value, unit), path=place.path)


def bound(place: Place | None, unit: str = "") -> str:
    """As :func:`figure`, for a number that somebody chose: no zeros behind it."""
    if place is None or place.value is None:
        return NONE
    return _span(place.value, trimmed(place.value, unit), path=place.path)


def text(place: Place | None) -> str:
    """The escaped words at a place; a dash where there are none."""
    if place is None or place.value is None or place.value == "":
        return NONE
    return escape(str(place.value))


def ratio(place: Place, over: Place, unit: str) -> str:
    """One number over another, where the second is not zero."""
    if not over.value:
        return NONE
    value = place.value / over.value
    return _span(value, shown(value, unit), path=place.path, over=over.path)


def total(terms: Sequence[tuple[Place, Place]], unit: str) -> str:
    """The sum of one number over another, for several."""
    value = sum(place.value / over.value for place, over in terms)
    return _span(value, shown(value, unit), sum=_terms(terms))


def part(term: tuple[Place, Place], terms: Sequence[tuple[Place, Place]]) -> str:
    """The share that one of the terms has in their sum."""
    value, place, over = share(term, terms), *term
    words = shown(value, "share")
    return _span(value, words, path=place.path, over=over.path, whole=_terms(terms))


def share(term: tuple[Place, Place], terms: Sequence[tuple[Place, Place]]) -> float:
    """As :func:`part`, as a number; 0 where the sum is."""
    whole = sum(place.value / over.value for place, over in terms)
    return float(term[0].value / term[1].value / whole) if whole else 0.0


def _terms(terms: Sequence[tuple[Place, Place]]) -> str:
    return " + ".join(f"{place.path} / {over.path}" for place, over in terms)


def counted(gates: Place, passed: bool | None) -> str:
    """How many of the gates have this verdict."""
    value = sum(gate.value["passed"] is passed for gate in gates)
    return _span(value, str(value), path=gates.path, count=json.dumps(passed))


def length(places: Place) -> str:
    """How many items a list has."""
    return _span(len(places.value), str(len(places.value)), path=places.path, count="all")


def interval(place: Place | None, unit: str) -> str:
    """A value with its confidence interval in brackets, where there is one."""
    if place is None or place.get("value") is None:
        return NONE
    value = figure(place["value"], unit)
    if place.get("low") is None or place.get("high") is None:
        return value
    low, high = figure(place["low"], unit), figure(place["high"], unit)
    return f'{value} <small class="range">{low} to {high}</small>'


def attributes(place: Place) -> str:
    """The attributes of a mark in a plot that stands for the value at a place."""
    return f' data-path="{escape(place.path)}" data-value="{escape(json.dumps(place.value))}"'


def shown(value: Any, unit: str) -> str:
    """A value in words: three significant digits, and a unit that suits its size."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (int, float)):
        return str(value)
    if not math.isfinite(value):
        return NONE
    if unit in _SCALES:
        return _scaled(value, unit)
    if unit == "share":
        return f"{_digits(100 * value)}{_NO_BREAK}%"
    if unit == "score":
        return f"{value:.4f}"
    if unit == "count" or (not unit and isinstance(value, int)):
        return f"{round(value):,}".replace(",", _THIN)
    number = _digits(value)
    return f"{number}{_NO_BREAK}{unit}" if unit else number


def trimmed(value: Any, unit: str) -> str:
    """As :func:`shown`, without zeros at the end: for bounds and the marks of an axis."""
    if isinstance(value, float) and value.is_integer() and unit not in _SCALES:
        value = int(value)
    number, gap, word = shown(value, unit).partition(_NO_BREAK)
    if re.fullmatch(r"-?[\d\u202f]+\.\d+", number):
        number = number.rstrip("0").rstrip(".")
    return f"{number}{gap}{word}"


def _scaled(value: float, unit: str) -> str:
    if value == 0:
        return "0"
    factor = scale_of(value, unit)
    word = dict(_SCALES[unit])[factor]
    return f"{_digits(value / factor)}{_NO_BREAK}{word}".rstrip()


def scale_of(value: float, unit: str) -> float:
    """The factor of the largest unit that is not above ``value``."""
    scales = _SCALES.get(unit, ((1.0, ""),))
    return next((factor for factor, _ in reversed(scales) if abs(value) >= factor), scales[0][0])


def _digits(value: float) -> str:
    """Three significant digits; all of a larger whole number; a power of ten far below one."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(float(f"{value:.2e}"))))
    if magnitude < -4:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    if isinstance(value, int):
        return f"{value:,}".replace(",", _THIN)
    return f"{value:,.{max(0, 2 - magnitude)}f}".replace(",", _THIN)


def _span(value: Any, words: str, **places: str) -> str:
    data = "".join(f' data-{key}="{escape(place)}"' for key, place in places.items())
    return f'<span{data} data-value="{escape(json.dumps(value))}">{escape(words)}</span>'
