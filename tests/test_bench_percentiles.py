"""Percentiles, held against numpy's."""

import numpy as np
import pytest

from babycry_bench.timing.percentiles import median, percentile


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100, 1001])
@pytest.mark.parametrize("q", [0.0, 1.0, 33.3, 50.0, 95.0, 99.0, 100.0])
def test_percentile_equals_numpys(count: int, q: float) -> None:
    values = np.random.default_rng(count).lognormal(size=count)
    assert percentile(values.tolist(), q) == pytest.approx(float(np.percentile(values, q)))


def test_percentile_takes_values_in_any_order() -> None:
    assert percentile([9, 1, 5], 100) == 9
    assert median([9, 1, 5]) == 5


def test_no_values_and_an_impossible_percentile_are_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
    with pytest.raises(ValueError, match="between 0 and 100"):
        percentile([1.0], 101)
