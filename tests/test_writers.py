"""Writers: found by name, any shape of input, layers found by their weights, layers kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from babycry_edge.errors import BabycryError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("litert_torch")
pytest.importorskip("ai_edge_quantizer")

from torch import nn  # noqa: E402

from babycry_convert import writers  # noqa: E402
from babycry_convert.hub import Network  # noqa: E402
from babycry_convert.targets import ONNX, TFLITE, Target  # noqa: E402
from babycry_convert.writers.layer_names import layer_names  # noqa: E402
from babycry_convert.writers.onnx_float import export_onnx  # noqa: E402
from babycry_convert.writers.operators import float_operators, read_operators  # noqa: E402
from babycry_convert.writers.tflite_int8 import quantize_tflite  # noqa: E402

Windows = npt.NDArray[np.float32]
TARGETS = pytest.mark.parametrize("target", [ONNX, TFLITE], ids=["onnx", "tflite"])


class Blocks(nn.Module):
    """Batch norm to fold, a depthwise layer, swish, a residual sum, a hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8))
        self.body = nn.ModuleDict(
            {
                "depthwise": nn.Conv2d(8, 8, 3, padding=1, groups=8),
                "point": nn.Conv2d(8, 8, 1, bias=False),
                "norm": nn.BatchNorm2d(8),
            }
        )
        self.hidden = nn.Linear(8, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.stem(x))
        inner = nn.functional.relu(self.body["depthwise"](x))
        x = x + self.body["norm"](self.body["point"](inner))
        x = x.mean(dim=(2, 3))
        logits: torch.Tensor = self.head(self.hidden(x).relu())
        return logits


LAYERS = ["stem.0", "body.depthwise", "body.point", "hidden", "head"]


@pytest.fixture(scope="module")
def windows() -> Windows:
    return np.random.default_rng(0).standard_normal((12, 16, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(5)
    module = Blocks()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            with torch.no_grad():
                layer.weight.uniform_(-2.0, 2.0)
                layer.running_var.uniform_(0.2, 3.0)
    return Network(module.eval(), (16, 12), 3, "custom", "test")


@pytest.fixture(scope="module")
def sources(network: Network) -> dict[str, bytes]:
    return {t.format: t.ready(t.export(network)) for t in (ONNX, TFLITE)}


@pytest.fixture(scope="module")
def ranges(sources: dict[str, bytes], windows: Windows) -> dict[str, Any]:
    from babycry_convert.calibrate.ranges import RangeSettings

    return {
        t.format: t.observe(sources[t.format], windows, lambda: None).ranges(RangeSettings())
        for t in (ONNX, TFLITE)
    }


def torch_logits(network: Network, windows: Windows) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        values: npt.NDArray[np.float32] = network.module(torch.from_numpy(windows)[:, None]).numpy()
    return values


def test_writers_are_found_by_name() -> None:
    assert writers.names() == ["onnx_float", "onnx_int8", "tflite_float", "tflite_int8"]
    found = writers.writers()
    assert {m.SUFFIX for m in found.values()} == {
        "_float.onnx",
        ".onnx",
        "_float.tflite",
        ".tflite",
    }
    assert all(name.startswith(module.FORMAT) for name, module in found.items())
    assert all(name.endswith("int8") == module.INT8 for name, module in found.items())


@TARGETS
def test_each_layer_is_found_by_its_weights(
    target: Target, network: Network, sources: dict[str, bytes]
) -> None:
    names = layer_names(sources[target.format], target.format, network.module)
    assert list(names.values()) == LAYERS
    outputs = {o.outputs[0] for o in read_operators(sources[target.format], target.format)}
    assert set(names) <= outputs


def test_recurrent_layers_are_found_by_their_weights() -> None:
    torch.manual_seed(0)

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(12, 5, batch_first=True, bidirectional=True)
            self.lstm = nn.LSTM(10, 4, batch_first=True)
            self.head = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x, _ = self.gru(x[:, 0])
            x, _ = self.lstm(x)
            logits: torch.Tensor = self.head(x[:, -1])
            return logits

    module = Recurrent().eval()
    model = export_onnx(module, 16, 12)
    assert list(layer_names(model, "onnx", module).values()) == ["gru", "lstm", "head"]
    kinds = [operator.kind for operator in read_operators(model, "onnx")]
    assert kinds.count("GRU") == kinds.count("LSTM") == 1
    batch = np.random.default_rng(1).standard_normal((5, 16, 12)).astype(np.float32)
    network = Network(module, (16, 12), 3, "custom", "test")
    np.testing.assert_allclose(ONNX.logits(model, batch), torch_logits(network, batch), atol=1e-5)
    from babycry_convert.writers.onnx_int8 import quantize_onnx

    int8 = quantize_onnx(model, batch)
    assert {"GRU", "LSTM"} <= set(float_operators(int8, "onnx"))
    assert ONNX.logits(int8, batch).shape == (5, 3)


class Resized(nn.Module):
    """An image network behind a bilinear resize and three channels."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Conv2d(1, 3, 1)
        self.conv = nn.Conv2d(3, 6, 3)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.interpolate(x, size=(20, 20), mode="bilinear", align_corners=False)
        logits: torch.Tensor = self.head(self.conv(self.colours(x)).relu().mean(dim=(2, 3)))
        return logits


def one_row() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(88, 16), nn.ReLU(), nn.Linear(16, 3))


@TARGETS
@pytest.mark.parametrize(
    ("build", "shape"), [(one_row, (1, 88)), (Resized, (15, 11)), (Resized, (20, 20))]
)
def test_networks_of_any_shape_of_input_are_written(
    target: Target, build: Any, shape: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    network = Network(build().eval(), shape, 3, "custom", "test")
    windows = np.random.default_rng(3).standard_normal((17, *shape)).astype(np.float32)
    expected = torch_logits(network, windows)
    model = target.export(network)
    np.testing.assert_allclose(target.logits(model, windows), expected, atol=1e-5)
    quantize = quantize_tflite if target is TFLITE else _quantize_onnx
    int8 = target.logits(quantize(model, windows), windows)
    assert np.abs(int8 - expected).max() < 0.05 * np.abs(expected).max()


def _quantize_onnx(model: bytes, windows: Windows) -> bytes:
    from babycry_convert.writers.onnx_int8 import quantize_onnx

    return quantize_onnx(model, windows)


@TARGETS
def test_min_max_ranges_are_what_windows_give(
    target: Target, sources: dict[str, bytes], ranges: dict[str, Any], windows: Windows
) -> None:
    source = sources[target.format]
    quantize = quantize_tflite if target is TFLITE else _quantize_onnx
    assert quantize(source, windows) == target.quantize(source, ranges[target.format])


@TARGETS
@pytest.mark.parametrize("kind", ["keep_float", "keep_int16"])
def test_a_kept_layer_leaves_int8_with_what_follows_it(
    target: Target,
    kind: str,
    network: Network,
    sources: dict[str, bytes],
    ranges: dict[str, Any],
    windows: Windows,
) -> None:
    source, limits = sources[target.format], ranges[target.format]
    names = layer_names(source, target.format, network.module)

    def made(*layers: str) -> bytes:
        return target.quantize(source, limits, names=names, **{kind: layers})

    plain, stem = made(), made("stem")
    assert plain == target.quantize(source, limits)
    if target is TFLITE:
        assert float_operators(plain, "tflite") == []
    in_float = float_operators(stem, target.format)
    assert bool(in_float) == (target is ONNX or kind == "keep_float")
    if target is TFLITE and kind == "keep_int16":
        kinds = {
            o.kind
            for o in read_operators(stem, "tflite")
            if o.output_dtypes == ("int16",) and o.kind != "QUANTIZE"
        }
        # The swish after the convolution, too.
        assert {"LOGISTIC", "MUL"} <= kinds
        assert kinds & {"CONV_2D", "DEPTHWISE_CONV_2D"}
    expected = torch_logits(network, windows)

    def error(model: bytes) -> float:
        return float(np.abs(target.logits(model, windows) - expected).mean())

    everything = made(*LAYERS)
    assert error(everything) < 0.9 * error(plain)


def test_a_kept_last_layer_leaves_the_output_in_int8(
    network: Network, sources: dict[str, bytes], ranges: dict[str, Any]
) -> None:
    from babycry_edge.tflite_file import read_tflite

    names = layer_names(sources["tflite"], "tflite", network.module)
    for kind in ("keep_float", "keep_int16"):
        model = TFLITE.quantize(
            sources["tflite"], ranges["tflite"], names=names, **{kind: ["head", "stem"]}
        )
        file = read_tflite(model)
        assert [t.dtype for t in (*file.inputs, *file.outputs)] == ["int8", "int8"]


@TARGETS
def test_a_layer_that_does_not_exist_is_refused_by_name(
    target: Target, network: Network, sources: dict[str, bytes], ranges: dict[str, Any]
) -> None:
    source = sources[target.format]
    names = layer_names(source, target.format, network.module)
    with pytest.raises(BabycryError, match="layer named 'ste'"):
        target.quantize(source, ranges[target.format], keep_int16=["ste"], names=names)


def test_a_tensor_without_a_range_is_refused_by_name(
    sources: dict[str, bytes], ranges: dict[str, Any]
) -> None:
    fewer = {name: r for name, r in ranges["tflite"].items() if name != "logits"}
    with pytest.raises(BabycryError, match="no calibration range for tensor logits"):
        quantize_tflite(sources["tflite"], fewer)


def test_large_weights_lie_inside_the_flatbuffer() -> None:
    from babycry_convert.flatbuffer_model import gather, unpack

    network = Network(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 700), nn.ReLU(), nn.Linear(700, 3)).eval(),
        (8, 8),
        3,
        "custom",
        "test",
    )
    windows = np.random.default_rng(4).standard_normal((4, 8, 8)).astype(np.float32)
    model = quantize_tflite(TFLITE.export(network), windows)
    assert all(buffer.offset <= 1 for buffer in unpack(model).buffers)
    assert gather(model) == model


def test_a_max_pool_with_a_padded_border_keeps_its_range() -> None:
    torch.manual_seed(2)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Flatten(),
        nn.Linear(4 * 8 * 6, 3),
    ).eval()
    network = Network(module, (16, 12), 3, "custom", "test")
    windows = np.random.default_rng(5).standard_normal((8, 16, 12)).astype(np.float32)
    expected = torch_logits(network, windows)
    logits = TFLITE.logits(quantize_tflite(TFLITE.export(network), windows), windows)
    assert np.abs(logits - expected).max() < 0.03 * np.abs(expected).max()


def test_operators_say_what_they_take_and_give(sources: dict[str, bytes], tmp_path: Path) -> None:
    for model_format in ("onnx", "tflite"):
        operators = read_operators(sources[model_format], model_format)  # type: ignore[arg-type]
        made = {"features"}
        for operator in operators:
            assert set(operator.inputs) <= made, operator
            made |= set(operator.outputs)
        assert "logits" in made
        assert {o.output_dtypes for o in operators} <= {("float32",), ("int64",)}
        weights = [v for o in operators for v in o.constants.values() if v.ndim == 4]
        assert sum(v.size == 72 for v in weights) == 2  # the stem and the depthwise layer
