"""Whether two runs differ by more than their noise: rank test, Holm's correction, bootstrap."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

_EXACT_UP_TO = 30
_NORMAL_95 = 1.959963984540054
_RESAMPLES = 2000


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """The two-sided p-value of the Mann-Whitney U test that two samples are of one distribution.

    Exact for up to 30 values together, ties included (every split of the pooled midranks is
    counted, the permutation distribution); beyond that by the normal approximation with its
    corrections for ties and continuity (Mann and Whitney 1947; Hollander, Wolfe and Chicken 2014,
    section 4.1).

    Raises:
        ValueError: a sample is empty.
    """
    n, m = len(first), len(second)
    if not n or not m:
        raise ValueError("a sample is empty")
    ranks = _doubled_midranks([*first, *second])
    rank_sum = sum(ranks[:n])
    if n + m <= _EXACT_UP_TO:
        return _exact_p(ranks, n, rank_sum)
    # In doubled ranks: mean and variance of the sum are 2 and 4 times those of the textbook.
    mean = n * (n + m + 1)
    ties = sum(size**3 - size for size in Counter(ranks).values())
    variance = n * m / 3.0 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(rank_sum - mean) - 1.0) / math.sqrt(variance)
    return normal_p(z)


def normal_p(z: float) -> float:
    """The two-sided p-value of a standard normal deviate."""
    return min(1.0, math.erfc(abs(z) / math.sqrt(2.0)))


def smallest_p(n: int, m: int) -> float:
    """The smallest p-value that ``mann_whitney`` can give for samples of ``n`` and ``m``."""
    return 2.0 / math.comb(n + m, n) if n and m else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for being so many (Holm 1979), in the order given."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def ratio_interval(
    before: Sequence[float], after: Sequence[float], seed: int
) -> tuple[float, float]:
    """95 % bootstrap interval of median(after) / median(before), percentile method, seeded."""
    generator = np.random.default_rng(seed)
    medians = []
    for values in (before, after):
        sample = generator.choice(np.asarray(values, np.float64), (_RESAMPLES, len(values)))
        medians.append(np.median(sample, axis=1))
    usable = medians[0] > 0
    if not usable.any():
        return math.nan, math.nan
    low, high = np.percentile(medians[1][usable] / medians[0][usable], (2.5, 97.5))
    return float(low), float(high)


def p_of_intervals(
    before: float,
    before_interval: Sequence[float],
    after: float,
    after_interval: Sequence[float],
) -> tuple[float, tuple[float, float]]:
    """P-value and 95 % interval of ``after / before`` from the 95 % intervals of both.

    Both logarithms are taken as normal; all values must be above zero.
    """
    errors = [
        math.log(high / low) / (2 * _NORMAL_95) for low, high in (before_interval, after_interval)
    ]
    error, ratio = math.hypot(*errors), after / before
    if error == 0.0:
        return (1.0 if ratio == 1.0 else 0.0), (ratio, ratio)
    factor = math.exp(_NORMAL_95 * error)
    return normal_p(math.log(ratio) / error), (ratio / factor, ratio * factor)


def _doubled_midranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each value, whole numbers also where equal values share their ranks."""
    counts = Counter(values)
    below, ranks = 0, {}
    for value in sorted(counts):
        ranks[value] = 2 * below + counts[value] + 1
        below += counts[value]
    return [ranks[value] for value in values]


def _exact_p(ranks: Sequence[int], n: int, rank_sum: int) -> float:
    """How often a random choice of ``n`` ranks is as far from its mean as ``rank_sum``."""
    ways = [Counter[int]() for _ in range(n + 1)]
    ways[0][0] = 1
    for position, rank in enumerate(ranks):
        for chosen in range(min(position + 1, n), 0, -1):
            for total, number in ways[chosen - 1].items():
                ways[chosen][total + rank] += number
    mean = n * (len(ranks) + 1)
    distance = abs(rank_sum - mean)
    extreme = sum(number for total, number in ways[n].items() if abs(total - mean) >= distance)
    return extreme / math.comb(len(ranks), n)
