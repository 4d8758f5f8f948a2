"""Percentiles of a list of measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], q: float) -> float:
    """The ``q``-th percentile (0 to 100) of ``values``, in their unit, in any order.

    Between two neighbours it interpolates linearly, as ``numpy.percentile`` does (Hyndman and
    Fan 1996, definition 7).

    Raises:
        ValueError: ``values`` is empty, or ``q`` is outside 0 to 100.
    """
    if not values:
        raise ValueError("no values to take a percentile of")
    if not 0.0 <= q <= 100.0:
        raise ValueError(f"a percentile lies between 0 and 100, not at {q}")
    ordered = sorted(values)
    position = (len(ordered) - 1) * q / 100.0
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def median(values: Sequence[float]) -> float:
    """The 50th percentile of ``values``."""
    return percentile(values, 50.0)
