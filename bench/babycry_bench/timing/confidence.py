"""How well a median is known: a confidence interval that assumes nothing of the noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

CONFIDENCE = 0.95


def median_interval(
    values: Sequence[float], confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """A confidence interval of the median that ``values`` are drawn around, in their unit.

    Its ends are two of the values, the k-th from below and the k-th from above. The true median
    lies outside when fewer than k values fall on one side of it, which a fair coin tells: the
    binomial distribution with p = 1/2, whatever the distribution of the values (David and Nagaraja
    2003, Order Statistics, 7.1). The largest k that keeps ``confidence`` is taken.

    The values are to be medians of rounds and not single calls: calls that follow each other share
    the machine's mood, so that thousands of them say far less than thousands of free draws would,
    while rounds are spread over the whole run. There is no bootstrap here, which needs a seed and
    promises less than its confidence with ten or twenty values.

    Returns:
        None where so few values (5 or less for 95 %) cannot bear the confidence.

    Raises:
        ValueError: ``confidence`` is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence}")
    ordered = sorted(values)
    count = len(ordered)
    rank, outside = 0, 0
    while 2 * (outside + math.comb(count, rank)) <= (1.0 - confidence) * 2**count:
        outside += math.comb(count, rank)
        rank += 1
    return (ordered[rank - 1], ordered[count - rank]) if rank else None


def half_width(interval: tuple[float, float], centre: float) -> float:
    """How far the farther end of ``interval`` lies from ``centre``, as a share of ``centre``."""
    farther = max(centre - interval[0], interval[1] - centre)
    return farther / centre if centre > 0 else math.inf
