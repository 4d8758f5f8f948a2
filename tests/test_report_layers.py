"""The layer that was damaged is the one that the report names first, in both formats."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx")
pytest.importorskip("ai_edge_litert")

import report_models as models
from babycry_convert.report.layers import LayerFigures, compare_layers, spread
from babycry_convert.report.trace_onnx import OnnxTrace
from babycry_convert.report.trace_tflite import TfliteTrace
from babycry_edge.engines import open_engine
from babycry_edge.errors import BabycryError
from tiny_network import tiny_windows

FACTORS = (1.5, 0.0)


@pytest.fixture(scope="module")
def windows() -> npt.NDArray[np.float32]:
    return tiny_windows(12, seed=9)[0][::3]


@pytest.fixture(scope="module")
def tiny() -> dict[str, bytes]:
    pytest.importorskip("torch")
    pytest.importorskip("litert_torch")
    return models.tiny_files()


def first(
    real: bytes, int8: bytes, form: str, windows: npt.NDArray[np.float32]
) -> tuple[LayerFigures, LayerFigures]:
    ranking = compare_layers(real, int8, form, windows)  # type: ignore[arg-type]
    return ranking[0], ranking[1]


@pytest.mark.parametrize("factor", FACTORS)
def test_damaged_weights_come_first_in_onnx(
    windows: npt.NDArray[np.float32], factor: float
) -> None:
    files = models.fold_files()
    real, int8 = files["fold0_float.onnx"], files["fold0.onnx"]
    weights = models.onnx_weights(int8)
    assert len(weights) == 16
    for weight in weights[::3]:
        damaged, layer = models.damage_onnx_weights(int8, weight, factor)
        worst, second = first(real, damaged, "onnx", windows)
        assert (worst.name, worst.cause) == (layer, "weights")
        assert worst.local_sqnr_db < second.local_sqnr_db - 15
        assert second.cause != "weights"


@pytest.mark.parametrize("factor", FACTORS)
def test_damaged_weights_come_first_in_tflite(
    tiny: dict[str, bytes], windows: npt.NDArray[np.float32], factor: float
) -> None:
    int8 = tiny["tiny.tflite"]
    layers = models.tflite_layers(int8)
    assert len(layers) == 6
    for layer in layers:
        damaged = models.damage_tflite_weights(int8, layer, factor)
        worst, second = first(tiny["tiny_float.tflite"], damaged, "tflite", windows)
        assert (worst.tensor, worst.cause) == (layer, "weights")
        assert worst.local_sqnr_db < second.local_sqnr_db - 15


def test_an_output_scale_that_is_3_percent_off_comes_first(
    windows: npt.NDArray[np.float32],
) -> None:
    files = models.fold_files()
    real, int8 = files["fold0_float.onnx"], files["fold0.onnx"]
    for number in (0, 4, 9, 14):
        layer = f"/features/features.{number}/features.{number}.0/Conv"
        damaged = models.damage_onnx_output(int8, layer, 1.03)
        worst, _ = first(real, damaged, "onnx", windows)
        assert worst.name == layer
        assert 28 < worst.local_sqnr_db < 30.5  # 20 log10(1 / 0.03), and the rounding


@pytest.mark.parametrize("layer", ["t19", "t22", "t25"])
def test_a_range_that_is_too_narrow_comes_first_as_saturation(
    tiny: dict[str, bytes], windows: npt.NDArray[np.float32], layer: str
) -> None:
    damaged = models.narrow_tflite_output(tiny["tiny.tflite"], layer, 0.4)
    worst, _ = first(tiny["tiny_float.tflite"], damaged, "tflite", windows)
    assert (worst.tensor, worst.cause) == (layer, "saturation")


def test_both_formats_agree_on_sound_files(
    tiny: dict[str, bytes], windows: npt.NDArray[np.float32]
) -> None:
    onnx = compare_layers(tiny["tiny_float.onnx"], tiny["tiny.onnx"], "onnx", windows)
    tflite = compare_layers(tiny["tiny_float.tflite"], tiny["tiny.tflite"], "tflite", windows)
    heavy = {"Conv", "Gemm", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    ours = sorted(f.local_sqnr_db for f in onnx if f.operator in heavy)
    theirs = sorted(f.local_sqnr_db for f in tflite if f.operator in heavy)
    assert ours == pytest.approx(theirs, abs=0.5)
    assert all(f.cause == "" and f.local_sqnr_db > 30 for f in (*onnx, *tflite))
    moves = {f.operator: f.local_sqnr_db for f in tflite}
    assert moves["PAD"] == moves["TRANSPOSE"] == 120.0  # moving bytes loses nothing
    assert [f.local_sqnr_db for f in tflite] == sorted(f.local_sqnr_db for f in tflite)


def test_torch_names_reach_fused_operators(
    tiny: dict[str, bytes], windows: npt.NDArray[np.float32]
) -> None:
    names = {"/0/Conv_output_0": "0", "logits": "6"}
    ranking = compare_layers(tiny["tiny_float.onnx"], tiny["tiny.onnx"], "onnx", windows, names)
    found = {layer.tensor: layer.name for layer in ranking}
    assert (found["/2/Relu_output_0"], found["logits"]) == ("0", "6")
    assert found["/5/ReduceMean_output_0"] == "/5/ReduceMean_flatten"  # what comes before has none


def test_operators_without_weights_are_named_after_the_layer_before(
    tiny: dict[str, bytes], windows: npt.NDArray[np.float32]
) -> None:
    files = tiny["tiny_float.tflite"], tiny["tiny.tflite"]
    ranking = compare_layers(*files, "tflite", windows, {"t17": "0", "t23": "4.3"})
    found = {layer.tensor: layer.name for layer in ranking}
    assert (found["t18"], found["t25"]) == ("PAD after 0", "MEAN after 4.3")
    assert (found["t21"], found["t20"], found["t16"]) == ("t21", "t20", "t16")


@pytest.mark.parametrize("form", ["onnx", "tflite"])
def test_tracing_does_not_change_the_answer(
    tiny: dict[str, bytes], windows: npt.NDArray[np.float32], form: str
) -> None:
    trace = (OnnxTrace if form == "onnx" else TfliteTrace)(
        tiny[f"tiny_float.{form}"], tiny[f"tiny.{form}"]
    )
    engine = open_engine(tiny[f"tiny.{form}"], form, None, 1)  # type: ignore[arg-type]
    last = next(i for i, place in enumerate(trace.places) if place.tensor == "logits")
    place = trace.places[last]
    for window in windows[:4]:
        sample = next(s for s in trace.run(window) if s.place == last)
        if form == "onnx":
            answer = engine.run(window[np.newaxis, np.newaxis])
        else:
            entry = trace.places[0]
            assert entry.operator == "input"
            stored = np.rint(window / np.float32(entry.scale)) + entry.zero_point
            tensor = np.clip(stored, -128, 127).astype(np.int8)[np.newaxis, ..., np.newaxis]
            answer = place.real(engine.run(tensor))
        np.testing.assert_array_equal(sample.int8, answer)


def test_files_that_do_not_belong_together_are_refused(
    tiny: dict[str, bytes], windows: npt.NDArray[np.float32]
) -> None:
    with pytest.raises(BabycryError, match="shares no quantised tensor"):
        compare_layers(tiny["tiny_float.onnx"], tiny["tiny_float.onnx"], "onnx", windows)
    with pytest.raises(BabycryError, match="shares no quantised tensor"):
        compare_layers(tiny["tiny_float.tflite"], tiny["tiny_float.tflite"], "tflite", windows)


def test_windows_are_spread_evenly() -> None:
    windows = np.arange(100, dtype=np.float32).reshape(100, 1, 1)
    assert spread(windows, 4).reshape(-1).tolist() == [0, 33, 66, 99]
    assert spread(windows[:3], 4).shape == (3, 1, 1)


def test_the_border_before_a_max_pool_is_no_loss() -> None:
    """ResNets: litert-torch pads a max pool with about the least float, which int8 cannot hold."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("litert_torch")
    from babycry_convert.writers.tflite_float import export_tflite
    from babycry_convert.writers.tflite_int8 import quantize_tflite

    nn = torch.nn
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(6, 4, 3),
        nn.Flatten(),
        nn.Linear(4 * 6 * 4, 2),
    ).eval()
    windows = np.random.default_rng(5).standard_normal((12, 16, 12)).astype(np.float32)
    real = export_tflite(network, 16, 12)
    figures = compare_layers(real, quantize_tflite(real, windows), "tflite", windows)
    (padding,) = [layer for layer in figures if layer.operator == "PADV2"]
    assert padding.local_sqnr_db > 60
    assert figures[0].local_sqnr_db > 25
