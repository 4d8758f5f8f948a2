"""Intervals against scipy and against known values; the bootstrap is the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from babycry_bench.accuracy.intervals import NOTHING, bootstrap, poisson, wilson
from babycry_convert.report.agreement import macro_f1


@pytest.mark.parametrize(
    ("hits", "count"), [(0, 5), (5, 5), (1, 2), (9, 10), (373, 400), (1, 9999)]
)
def test_wilson_is_scipys(hits: int, count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
    found = wilson(hits, count)
    assert found.value == hits / count
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert found.method == "wilson"


def test_wilson_of_10_of_10_does_not_claim_certainty() -> None:
    # z^2 = 3.8415: the lower end is 1 / (1 + z^2 / n) = 0.7225.
    found = wilson(10, 10)
    assert found.high == 1.0
    assert found.low == pytest.approx(1.0 / (1.0 + 3.841458820694124 / 10.0))


@pytest.mark.parametrize("count", [0, 1, 2, 7, 30, 1000, 100_000])
def test_poisson_is_garwoods(count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * (count + 1)) / 2
    found = poisson(count, exposure=4.0)
    assert found.value == count / 4.0
    assert (found.low, found.high) == pytest.approx((low / 4.0, high / 4.0), rel=1e-8, abs=1e-8)


def test_no_false_alarm_in_ten_hours_still_allows_0_37_an_hour() -> None:
    # exp(-10 * 0.3689) = 0.025: with that rate, none in ten hours is as unlikely as 2.5 %.
    found = poisson(0, exposure=10.0)
    assert (found.value, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(0.36889, abs=1e-5)


def test_without_cases_there_is_no_figure() -> None:
    assert wilson(0, 0) == poisson(3, 0.0) == bootstrap(np.zeros((2, 2), np.int64), macro_f1)
    assert wilson(0, 0) == NOTHING
    assert NOTHING.to_dict() == {"value": None, "low": None, "high": None, "method": "none"}


def test_the_bootstrap_draws_cases() -> None:
    table = np.array([[80, 20], [30, 70]], np.int64)
    found = bootstrap(table, lambda counts: float(np.diag(counts).sum() / counts.sum()))
    cases = np.repeat([True, False], [150, 50])
    rng = np.random.default_rng(5)
    shares = [rng.choice(cases, len(cases)).mean() for _ in range(4000)]
    assert found.value == 0.75
    assert (found.low, found.high) == pytest.approx(np.percentile(shares, [2.5, 97.5]), abs=0.012)
    assert found == bootstrap(table, lambda counts: float(np.diag(counts).sum() / counts.sum()))
