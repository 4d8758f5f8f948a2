"""Ranges from observed values: what each method leaves out, and what both engines observe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from babycry_edge.errors import BabycryError

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("litert_torch")
pytest.importorskip("ai_edge_quantizer")

from babycry_convert.calibrate import observe_onnx, observe_tflite  # noqa: E402
from babycry_convert.calibrate.ranges import (  # noqa: E402
    Observations,
    RangeSettings,
    Take,
    WindowExtremes,
    noise,
)
from babycry_convert.writers.onnx_float import export_onnx  # noqa: E402
from babycry_convert.writers.onnx_int8 import preprocess  # noqa: E402
from babycry_convert.writers.tflite_float import export_tflite  # noqa: E402

Values = npt.NDArray[np.float32]


def observations(samples: list[Values]) -> Observations:
    def feed(take: Take) -> None:
        for values in samples:
            take("x", values)

    return Observations(feed)


def of(samples: list[Values], settings: RangeSettings) -> tuple[float, float]:
    return observations(samples).ranges(settings)["x"]


@pytest.fixture(scope="module")
def normal() -> list[Values]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal(5000).astype(np.float32) for _ in range(40)]


@pytest.fixture(scope="module")
def spiked(normal: list[Values]) -> list[Values]:
    """One value in one window, a hundred times larger than all others."""
    first = normal[0].copy()
    first[7] = 400.0
    return [first, *normal[1:]]


def test_min_max_is_exact_and_needs_one_pass(spiked: list[Values]) -> None:
    passes = 0

    def feed(take: Take) -> None:
        nonlocal passes
        passes += 1
        for values in spiked:
            take("x", values)

    seen = Observations(feed)
    low, high = seen.ranges(RangeSettings("min_max"))["x"]
    assert (low, high) == (min(float(v.min()) for v in spiked), 400.0)
    seen.ranges(RangeSettings("sample_quantile", 97.0))
    assert passes == 1
    for method in ("percentile", "entropy", "mse"):
        seen.ranges(RangeSettings(method))  # type: ignore[arg-type]
    assert passes == 2


@pytest.mark.parametrize("percentile", [90.0, 99.0, 99.9])
def test_a_percentile_is_numpys_quantile_to_within_a_bin(
    normal: list[Values], percentile: float
) -> None:
    low, high = of(normal, RangeSettings("percentile", percentile))
    every = np.concatenate(normal)
    bin_width = (every.max() - every.min()) / 4096
    cut = (100.0 - percentile) / 200.0
    assert abs(low - np.quantile(every, cut)) < bin_width
    assert abs(high - np.quantile(every, 1.0 - cut)) < bin_width


def test_a_percentile_of_one_sided_values_keeps_zero(normal: list[Values]) -> None:
    low, high = of([np.maximum(v, 0.0) for v in normal], RangeSettings("percentile", 99.0))
    assert low < 0.01
    assert 2.0 < high < 3.0


@pytest.mark.parametrize(
    "settings", [RangeSettings("percentile", 99.9), RangeSettings("sample_quantile", 97.0)], ids=str
)
def test_a_lone_spike_is_left_out(spiked: list[Values], settings: RangeSettings) -> None:
    low, high = of(spiked, settings)
    assert -6.0 < low < -2.0
    assert 2.0 < high < 6.0


def test_entropy_clips_a_long_tail_and_not_a_flat_one() -> None:
    rng = np.random.default_rng(1)
    tailed = [rng.standard_cauchy(20000).clip(-300, 300).astype(np.float32) for _ in range(5)]
    low, high = of(tailed, RangeSettings("entropy"))
    assert high == -low < 150.0
    flat = [rng.uniform(0.0, 1.0, 20000).astype(np.float32) for _ in range(5)]
    low, high = of(flat, RangeSettings("entropy"))
    assert high > 0.95


def test_the_least_squared_error_is_that_of_real_rounding(spiked: list[Values]) -> None:
    every = np.concatenate(spiked)

    def error(low: float, high: float) -> float:
        step = (high - low) / 255
        rounded = np.clip(np.rint((every - low) / step), 0, 255) * step + low
        return float(((rounded - every) ** 2).mean())

    chosen = error(*of(spiked, RangeSettings("mse")))
    assert chosen <= 1.02 * error(*of(spiked, RangeSettings("min_max")))
    assert chosen <= 1.02 * error(*of(spiked, RangeSettings("percentile", 99.99)))


def test_noise_is_the_rounding_error_in_parts_of_the_signal(normal: list[Values]) -> None:
    seen = observations(normal)
    every = np.concatenate(normal).astype(np.float64)
    step = (every.max() - every.min()) / 255
    expected = step**2 / 12 / (every**2).mean()
    found = noise(seen, seen.ranges(RangeSettings("min_max")))["x"]
    assert found == pytest.approx(expected, rel=0.02)


def test_memory_does_not_grow_with_the_windows() -> None:
    import pickle

    def size(count: int) -> int:
        seen = WindowExtremes()
        for index in range(count):
            seen.add(float(-index), float(index))
        low, high = seen.quantiles(0.1)
        assert low == pytest.approx(-0.9 * count, rel=0.03)
        assert high == pytest.approx(0.9 * count, rel=0.03)
        assert (seen.low, seen.high) == (1 - count, count - 1)
        return len(pickle.dumps(seen))

    assert size(5000) < 1.3 * size(400)
    assert size(20000) < 1.3 * size(400)


def test_a_constant_tensor_has_its_own_range() -> None:
    for method in ("min_max", "percentile", "entropy", "mse", "sample_quantile"):
        assert of([np.full(9, 2.0, np.float32)], RangeSettings(method)) == (2.0, 2.0)  # type: ignore[arg-type]


def test_values_that_are_no_numbers_are_refused_by_name() -> None:
    with pytest.raises(BabycryError, match="tensor x is NaN"):
        observations([np.array([0.0, np.nan], np.float32)])
    with pytest.raises(BabycryError, match="tensor x is NaN or infinite"):
        observations([np.array([np.inf], np.float32)])


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(4, 6, 3, stride=2),
        torch.nn.Sigmoid(),
        torch.nn.Flatten(),
        torch.nn.Linear(6 * 5 * 3, 3),
    ).eval()


@pytest.fixture(scope="module")
def windows() -> Values:
    return np.random.default_rng(2).standard_normal((12, 12, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def extremes(network: Any, windows: Values) -> list[tuple[float, float]]:
    """Of the input and of what each layer gives."""
    values = torch.from_numpy(windows)[:, None]
    found = [(float(values.min()), float(values.max()))]
    with torch.no_grad():
        for layer in network:
            values = layer(values)
            found.append((float(values.min()), float(values.max())))
    return found


def observed(engine: str, network: Any, windows: Values) -> Observations:
    if engine == "onnx":
        return observe_onnx.observe(preprocess(export_onnx(network, 12, 8)), windows)
    return observe_tflite.observe(export_tflite(network, 12, 8), windows)


@pytest.mark.parametrize("engine", ["onnx", "tflite"])
def test_both_engines_see_what_torch_computes(
    engine: str, network: Any, windows: Values, extremes: list[tuple[float, float]]
) -> None:
    found = list(observed(engine, network, windows).ranges(RangeSettings()).values())
    # ReLU may be fused into the convolution before it, whose own result is then never seen.
    for low, high in (e for i, e in enumerate(extremes) if i != 1):
        assert any(abs(low - a) < 1e-5 and abs(high - b) < 1e-5 for a, b in found), (low, high)


@pytest.mark.parametrize("engine", ["onnx", "tflite"])
def test_observing_again_gives_the_same_ranges(engine: str, network: Any, windows: Values) -> None:
    for settings in (RangeSettings("percentile", 99.0), RangeSettings("entropy")):
        first, second = (observed(engine, network, windows).ranges(settings) for _ in range(2))
        assert first == second


def test_progress_is_reported_for_each_window_of_each_pass(network: Any, windows: Values) -> None:
    steps: Iterator[int] = iter(range(1000))
    model = preprocess(export_onnx(network, 12, 8))
    seen = observe_onnx.observe(model, windows, lambda: next(steps))
    seen.histograms()
    assert next(steps) == 24
