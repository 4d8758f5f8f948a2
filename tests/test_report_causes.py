"""Each cause from figures made for it, and from tensors made for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("onnx")

from babycry_convert.report import causes
from babycry_convert.report.causes import Evidence, likely_cause
from babycry_convert.report.layers import _figures, _Sums
from babycry_convert.report.sqnr import EQUAL_DB, sqnr_db
from babycry_convert.report.trace import Place, Sample, Values, WeightPair

SOUND = Evidence(40.0, 45.0, 0.0, 2.0, 5.0)
POOR = replace(SOUND, local_sqnr_db=20.0)


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        (SOUND, ""),
        (POOR, ""),
        (replace(SOUND, clipped_noise=1.0, channel_ratio=99.0, peak_to_rms=99.0), ""),
        (replace(SOUND, weight_sqnr_db=causes.WEIGHTS_DB - 0.1), "weights"),
        (replace(POOR, weight_sqnr_db=None), ""),
        (replace(POOR, clipped_noise=causes.CLIPPED_NOISE + 0.01), "saturation"),
        (replace(POOR, channel_ratio=causes.OUTLIER_RATIO + 0.1), "outlier channel"),
        (replace(POOR, peak_to_rms=causes.PEAK_TO_RMS + 0.1), "range"),
        (replace(POOR, channel_ratio=20.0, peak_to_rms=20.0), "outlier channel"),
    ],
)
def test_the_first_figure_that_speaks_names_the_cause(evidence: Evidence, cause: str) -> None:
    assert likely_cause(evidence) == cause


def rounded(values: Values, scale: float) -> Values:
    """``values`` as int8 of zero point 0 keeps them."""
    return np.clip(np.rint(values / scale), -128, 127).astype(np.float32) * np.float32(scale)


def cause_of(values: Values, scale: float, weights: tuple[WeightPair, ...] = ()) -> str:
    place = Place(("x",), "Conv", "conv", scale, 0, "int8", 1, weights)
    sums = _Sums()
    sums.add(Sample(0, values, rounded(values, scale), values), place)
    return _figures(place, sums, place.name).cause


@pytest.fixture
def values() -> Values:
    return np.random.default_rng(5).standard_normal((1, 16, 40, 40)).astype(np.float32)


def test_normal_values_over_a_full_range_have_no_cause(values: Values) -> None:
    assert cause_of(values, float(np.abs(values).max()) / 127) == ""


def test_a_range_of_one_sigma_is_saturation(values: Values) -> None:
    assert cause_of(values, 1.0 / 127) == "saturation"


def test_one_channel_forty_times_wider_is_an_outlier_channel(values: Values) -> None:
    # The wide channel's own few large values keep the ratio of signal to noise low, too.
    values[0, 3] = 0.0
    values[0, 3, 0, :4] = 200.0
    assert cause_of(values, 200.0 / 127) == "outlier channel"


def test_rare_large_values_in_every_channel_are_range(values: Values) -> None:
    values[0, :, 0, 0] = 100.0
    assert cause_of(values, 100.0 / 127) == "range"


def test_weights_that_are_not_the_network_s_come_before_all(values: Values) -> None:
    real = np.random.default_rng(6).standard_normal((16, 8)).astype(np.float32)
    pair = WeightPair(real, real * np.float32(1.1), 0)
    assert cause_of(values, 1.0 / 127, (pair,)) == "weights"


def test_decibels() -> None:
    assert sqnr_db(100.0, 1.0) == pytest.approx(20.0)
    assert sqnr_db(1.0, 0.0) == sqnr_db(0.0, 0.0) == EQUAL_DB
    assert sqnr_db(0.0, 1.0) == -EQUAL_DB


def test_a_value_that_inherits_its_excess_is_no_loss_of_this_layer() -> None:
    place = Place(("x",), "Conv", "conv", 1.0 / 127, 0, "int8", None)
    real = np.full((1, 4), 0.5, np.float32)
    local = np.full((1, 4), 3.0, np.float32)  # the inputs were wrong
    sums = _Sums()
    sums.add(Sample(0, real, rounded(local, place.scale), local), place)
    figures = _figures(place, sums, place.name)
    assert figures.saturated == 0.0
    assert figures.local_sqnr_db == EQUAL_DB
    assert figures.sqnr_db == pytest.approx(0.0, abs=1e-6)  # 0.5 became 1.0
