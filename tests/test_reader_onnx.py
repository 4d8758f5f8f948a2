"""ONNX files of four exporters as torch networks: equal, of ordinary layers, refused when not."""

from __future__ import annotations

import io
import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_edge.errors import BabycryError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402  (after the skips)
from torch import nn  # noqa: E402

from babycry_convert.quiet import quiet  # noqa: E402
from babycry_convert.readers import ReadRequest, find_reader, read_checkpoint  # noqa: E402
from babycry_convert.readers.onnx_graph import onnx_to_torch, without_activation  # noqa: E402
from babycry_convert.readers.onnx_graph.operation import RULES  # noqa: E402
from babycry_convert.readers.onnx_graph.recurrent import ResetFirstGRU  # noqa: E402

FIXTURES = Path(__file__).parent / "fixtures"
T, F, CLASSES = 24, 16, 5
REQUEST = ReadRequest(n_classes=CLASSES, window_shape=(T, F), layout="NCTF")


class Crnn(nn.Module):
    """Convolutions, a recurrence over time, and one of three ways to its answer."""

    def __init__(self, kind: str, layers: int, both: bool, ending: str) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)
        )
        layer = getattr(nn, kind)
        self.rnn = layer(8 * F // 2, 12, layers, batch_first=True, bidirectional=both)
        self.fc = nn.Linear(12 * (1 + both), CLASSES)
        self.ending = ending

    def forward(self, x: Any) -> Any:
        outputs, states = self.rnn(self.conv(x).permute(0, 2, 1, 3).flatten(2))
        if self.ending == "mean":
            return self.fc(outputs.mean(1))
        if self.ending == "last":
            return self.fc(outputs[:, -1])
        states = states[0] if isinstance(states, tuple) else states
        n = 2 if self.rnn.bidirectional else 1
        return self.fc(torch.cat(list(states[-n:]), 1))


class Gate(nn.Module):
    """Squeeze and excite, as in MobileNetV3 and EfficientNet."""

    def __init__(self, width: int, gate: nn.Module) -> None:
        super().__init__()
        self.pool, self.gate = nn.AdaptiveAvgPool2d(1), gate
        self.less, self.more = nn.Conv2d(width, 4, 1), nn.Conv2d(4, width, 1)

    def forward(self, x: Any) -> Any:
        return x * self.gate(self.more(torch.relu(self.less(self.pool(x)))))


class Images(nn.Module):
    """The layers of the image networks: depthwise, residual, gates, poolings, resize."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8))
        self.depthwise = nn.Conv2d(8, 8, 5, padding=2, groups=8)
        self.gates = nn.Sequential(Gate(8, nn.Hardsigmoid()), Gate(8, nn.Sigmoid()))
        self.pools = nn.Sequential(
            nn.MaxPool2d(3, 2, 1, ceil_mode=True),
            nn.AvgPool2d(3, 1, 1, count_include_pad=False),
            nn.AvgPool2d(2, 1),
        )
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x: Any) -> Any:
        x = nn.functional.interpolate(x, (32, 28), mode="bilinear", align_corners=False)
        x = nn.functional.hardswish(self.stem(x))
        y = nn.functional.silu(self.depthwise(x)) + x
        y = self.pools(self.gates(nn.functional.leaky_relu(y, 0.1)))
        left, right = nn.functional.gelu(y).chunk(2, 1)
        y = torch.cat([nn.functional.relu6(left), torch.tanh(right), (y * y + 1).sqrt()], 1)
        y = torch.cat([y.mean((2, 3))[:, :8], y.amax((2, 3))[:, 8:]], 1)
        return self.fc(y)


class Sequences(nn.Module):
    """Convolution over time, a time-major recurrence, softmax at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Conv1d(F, 12, 5, 2, 2), nn.BatchNorm1d(12), nn.ELU())
        self.rnn = nn.LSTM(12, 8, bidirectional=True)
        self.norm, self.fc = nn.LayerNorm(16), nn.Linear(16, CLASSES)

    def forward(self, x: Any) -> Any:
        y = self.conv(x.squeeze(1).transpose(1, 2))
        y, _ = self.rnn(y.permute(2, 0, 1))
        return torch.softmax(self.fc(self.norm(y[-1])), 1)


def trained_like(module: nn.Module) -> nn.Module:
    """Batch norms and biases that do something, as after training; the same every time."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                noise = torch.rand(value.shape, generator=generator)
                wide = value.ndim > 1
                if "running_var" in name or ("weight" in name and not wide):
                    value.copy_(0.5 + noise)
                else:
                    fan = value[0].numel() if wide else 24
                    value.copy_((noise - 0.5) * (24 / fan) ** 0.5)
    return module.eval()


def exported(module: nn.Module, *, dynamo: bool = False, **options: Any) -> bytes:
    """The network as torch's exporters write it; the newer one fixes the batch to 1 here."""
    example, buffer = (torch.zeros(1, 1, T, F),), io.BytesIO()
    with quiet(), torch.no_grad():
        if dynamo:
            torch.onnx.export(module, example, dynamo=True, opset_version=18).save(buffer)
        else:
            axes = {"x": {0: "n"}, "y": {0: "n"}}
            settings = {"opset_version": 17, "dynamic_axes": axes, **options}
            torch.onnx.export(
                module,
                example,
                buffer,
                dynamo=False,
                input_names=["x"],
                output_names=["y"],
                **settings,
            )
    return buffer.getvalue()


def windows(batch: int, seed: int = 0, shape: tuple[int, ...] = (1, T, F)) -> Any:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(seed))


def assert_equal(read: nn.Module, original: nn.Module) -> None:
    for batch in (1, 3):
        x = windows(batch, seed=batch)
        with torch.no_grad():
            expected, result = original(x), read(x)
        assert result.shape == expected.shape
        spread = (expected - expected.mean(0)).abs().max()
        assert batch == 1 or spread > 0.05  # the answers differ, so that a wrong one is seen
        assert (result - expected).abs().max() <= 1e-5 * expected.abs().max()


def kinds(module: nn.Module) -> set[str]:
    return {type(m).__name__ for m in module.modules() if not list(m.children())}


@pytest.mark.parametrize("ending", ["mean", "last", "states"])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_recurrent_networks_equal(kind: str, layers: int, both: bool, ending: str) -> None:
    network = trained_like(Crnn(kind, layers, both, ending))
    read = onnx_to_torch(exported(network))
    assert_equal(read, network)
    assert kind in kinds(read)
    recurrent = [m for m in read.modules() if isinstance(m, nn.RNNBase)]
    assert len(recurrent) == layers
    assert all(m.batch_first for m in recurrent)  # ONNX is time-major: the moves have cancelled


@pytest.mark.parametrize("make", [Images, Sequences, lambda: Crnn("GRU", 2, True, "last")])
def test_the_newer_exporter_and_a_fixed_batch_that_is_opened(make: Any) -> None:
    pytest.importorskip("onnxscript")
    network = trained_like(make())
    assert_equal(onnx_to_torch(exported(network, dynamo=True)), network)


@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize("make", [Images, Sequences])
def test_image_and_sequence_networks_equal(make: Any, opset: int) -> None:
    if make is Sequences and opset < 17:
        pytest.skip("the older operator sets have no layer norm or softmax over the last axis")
    network = trained_like(make())
    assert_equal(onnx_to_torch(exported(network, opset_version=opset)), network)


def test_layers_are_torchs_own_and_keep_their_names() -> None:
    network = trained_like(Images())
    read = onnx_to_torch(exported(network, training=torch.onnx.TrainingMode.PRESERVE))
    layers = dict(read.named_modules())
    for name in ("stem.0", "stem.1", "depthwise", "gates.0.less", "fc"):
        assert type(layers[name]) is type(network.get_submodule(name))
    assert {"Hardswish", "Hardsigmoid", "SiLU", "ReLU6", "MaxPool2d", "AvgPool2d"} <= kinds(read)
    assert {"AdaptiveAvgPool2d", "Upsample", "Linear", "BatchNorm2d"} <= kinds(read)
    assert isinstance(torch.fx.symbolic_trace(read), torch.fx.GraphModule)


def test_reading_is_deterministic() -> None:
    data = exported(trained_like(Images()))
    first, second = onnx_to_torch(data), onnx_to_torch(data)
    assert str(first.graph) == str(second.graph)
    assert first.code == second.code


def test_the_softmax_comes_off_and_its_kind_is_told() -> None:
    network = trained_like(Sequences())
    logits, activation = without_activation(onnx_to_torch(exported(network)))
    assert activation == "softmax"
    x = windows(3)
    with torch.no_grad():
        assert torch.allclose(torch.softmax(logits(x), 1), network(x), atol=1e-6)
        assert logits(x).sum(1).sub(1).abs().max() > 0.01
    plain, none = without_activation(onnx_to_torch(exported(trained_like(Images()))))
    assert none is None
    assert_equal(plain, trained_like(Images()))


# -- other exporters


def test_keras_through_tf2onnx_equals_tensorflow() -> None:
    known = np.load(FIXTURES / "keras_crnn.npz")
    request = ReadRequest(n_classes=4, window_shape=(20, 16), layout="NCTF")
    network = read_checkpoint(FIXTURES / "keras_crnn.onnx", request)
    x = torch.from_numpy(known["x"]).permute(0, 3, 1, 2)  # the reader puts the channels first
    with torch.no_grad():
        scores = torch.softmax(network(x), 1).numpy()
        one = torch.softmax(network(x[:1]), 1).numpy()
    assert network.meta["activation"] == "softmax"
    assert known["scores"].std(axis=0).max() > 0.01
    np.testing.assert_allclose(scores, known["scores"], atol=1e-6)
    np.testing.assert_allclose(one, known["scores"][:1], atol=1e-6)
    recurrent = [m for m in network.modules() if isinstance(m, nn.RNNBase)]
    assert [(type(m), m.bidirectional) for m in recurrent] == [(nn.GRU, True), (nn.LSTM, False)]


@pytest.mark.parametrize("zipmap", [False, True])
def test_scikit_learns_network_through_skl2onnx(zipmap: bool) -> None:
    pytest.importorskip("skl2onnx")
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier

    noise = np.random.default_rng(0)
    x = noise.standard_normal((120, 20)).astype(np.float32)
    y = x[:, :3].argmax(axis=1)
    model = MLPClassifier((16, 8), max_iter=400, random_state=0).fit(x, y)
    data = to_onnx(model, x[:1], options={"zipmap": zipmap}).SerializeToString()
    network, activation = without_activation(onnx_to_torch(data))
    assert activation == "softmax"
    with torch.no_grad():
        scores = torch.softmax(network(torch.from_numpy(x[:3])), 1).numpy()
    np.testing.assert_allclose(scores, model.predict_proba(x[:3]), atol=1e-5)
    assert sum(isinstance(m, nn.Linear) and m.bias is not None for m in network.modules()) == 3


# -- operators written by hand


def model_of(
    nodes: list[Any],
    weights: dict[str, np.ndarray],
    shape: tuple[Any, ...],
    opset: int = 17,
) -> bytes:
    """A model from ``x`` of ``shape`` to ``y``."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    data: bytes = model.SerializeToString()
    return data


def reference(data: bytes, x: Any) -> np.ndarray:
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    result: np.ndarray = session.run(None, {"x": x.numpy()})[0]
    return result


def assert_as_onnxruntime(data: bytes, shape: tuple[int, ...]) -> Any:
    read = onnx_to_torch(data)
    for batch in (1, 3):
        x = windows(batch, seed=9, shape=shape)
        with torch.no_grad():
            result = read(x).numpy()
        expected = reference(data, x)
        assert result.shape == expected.shape
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    return read


def recurrent_model(kind: str, direction: str, output: int, biases: bool, **more: Any) -> bytes:
    """(N, T, I) -> Y, Y_h or Y_c of a recurrence, with the batch in front again."""
    steps, inputs, size = 7, 5, 4
    gates = {"GRU": 3, "LSTM": 4, "RNN": 1}[kind]
    n = 2 if direction == "bidirectional" else 1
    noise = np.random.default_rng(4)

    def weight(*shape: int) -> np.ndarray:
        return noise.uniform(-0.8, 0.8, shape).astype(np.float32)

    weights = {
        "w": weight(n, gates * size, inputs),
        "r": weight(n, gates * size, size),
        "b": weight(n, 2 * gates * size),
    }
    names = ["", "", ""]
    names[output] = "out"
    order = [2, 0, 1, 3] if output == 0 else [1, 0, 2]
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
        helper.make_node(
            kind,
            ["t", "w", "r", "b" if biases else ""],
            names[: output + 1],
            hidden_size=size,
            direction=direction,
            **more,
        ),
        helper.make_node("Transpose", ["out"], ["y"], perm=order),
    ]
    return model_of(nodes, weights, ("n", steps, inputs))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("reset_after", [0, 1])
@pytest.mark.parametrize("output", [0, 1])
def test_grus_of_both_kinds(direction: str, reset_after: int, output: int) -> None:
    data = recurrent_model("GRU", direction, output, True, linear_before_reset=reset_after)
    read = assert_as_onnxruntime(data, (7, 5))
    assert ("GRU" if reset_after else ResetFirstGRU.__name__) in kinds(read)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("output", [0, 1, 2])
def test_lstms(direction: str, output: int) -> None:
    assert_as_onnxruntime(recurrent_model("LSTM", direction, output, output > 0), (7, 5))


def test_a_plain_recurrence() -> None:
    assert_as_onnxruntime(recurrent_model("RNN", "forward", 0, True), (7, 5))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"activations": ["Relu", "Tanh"]}, "activations relu, tanh"),
        ({"clip": 1.0}, "it clips its cell"),
    ],
)
def test_unusual_recurrences_are_refused(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(BabycryError, match=reason):
        onnx_to_torch(recurrent_model("GRU", "forward", 0, True, **change))


def pool(kind: str, **more: Any) -> list[Any]:
    return [helper.make_node(kind, ["x"], ["y"], **more)]


def two(kind: str, other: str = "c", **more: Any) -> list[Any]:
    return [helper.make_node(kind, ["x", other], ["y"], **more)]


NUMBERS = {"c": np.linspace(0.5, 2.0, 6, dtype=np.float32)}
INDEX = {"c": np.array([2, 0, -1], dtype=np.int64)}


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        (pool("MaxPool", kernel_shape=[3, 2], auto_pad="SAME_UPPER", strides=[2, 1]), {}),
        (pool("MaxPool", kernel_shape=[3, 2], auto_pad="SAME_LOWER", strides=[1, 2]), {}),
        (pool("AveragePool", kernel_shape=[2, 3], auto_pad="SAME_UPPER", strides=[2, 2]), {}),
        (pool("AveragePool", kernel_shape=[2, 2], pads=[0, 1, 1, 0], count_include_pad=1), {}),
        (pool("GlobalMaxPool"), {}),
        (pool("ReduceMean", axes=[1, 3], keepdims=0), {}),
        (pool("ReduceMean", axes=[-1, -2]), {}),
        (pool("ReduceL2", axes=[2]), {}),
        (pool("HardSigmoid", alpha=0.2, beta=0.4), {}),
        (pool("LogSoftmax", axis=2), {}),
        (pool("Flatten", axis=-3), {}),
        (pool("Transpose", perm=[0, 3, 1, 2]), {}),
        (two("Sub"), NUMBERS),
        (two("Div"), NUMBERS),
        (
            [helper.make_node("Div", ["c", "e"], ["y"]), helper.make_node("Exp", ["x"], ["e"])][
                ::-1
            ],
            NUMBERS,
        ),
        (two("Max"), {"c": np.array(0.3, dtype=np.float32)}),
        (two("Min"), {"c": np.array([[0.1]], dtype=np.float32)}),
        (two("Pow"), {"c": np.array(3.0, dtype=np.float32)}),
        (two("PRelu"), {"c": np.array([[[0.1]], [[0.2]], [[0.3]]], dtype=np.float32)}),
        (two("Gather", axis=2), INDEX),
        (two("Gather", axis=3), {"c": np.array(-1, dtype=np.int64)}),
        (
            [
                helper.make_node("ReduceMean", ["x"], ["m"], axes=[1]),
                helper.make_node("Expand", ["m", "c"], ["y"]),
            ],
            {"c": np.array([1, 4, 1, 1], dtype=np.int64)},
        ),
        (two("Tile"), {"c": np.array([1, 2, 1, 3], dtype=np.int64)}),
        (two("Reshape"), {"c": np.array([0, -1, 3], dtype=np.int64)}),
        (two("Pad", mode="reflect"), {"c": np.array([0, 0, 1, 2, 0, 0, 0, 1], dtype=np.int64)}),
        (two("Pad"), {"c": np.array([0, 0, 1, 2, 0, 0, 0, -1], dtype=np.int64)}),
        (two("MatMul"), {"c": np.ones((6, 2), dtype=np.float32)}),
    ],
    ids=lambda value: value[-1].op_type if isinstance(value, list) else "",
)
def test_operators_equal_onnxruntime(nodes: list[Any], weights: dict[str, np.ndarray]) -> None:
    assert_as_onnxruntime(model_of(nodes, weights, ("n", 3, 5, 6)), (3, 5, 6))


@pytest.mark.parametrize(
    ("start", "stop", "axis", "step"),
    [(1, 4, 2, 1), (-3, 2**63 - 1, 3, 1), (0, 5, 2, 2), (-1, -(2**63), 3, -1), (4, 0, 2, -2)],
)
def test_slices(start: int, stop: int, axis: int, step: int) -> None:
    values = {"a": start, "b": stop, "c": axis, "d": step}
    weights = {name: np.array([value], dtype=np.int64) for name, value in values.items()}
    nodes = [helper.make_node("Slice", ["x", "a", "b", "c", "d"], ["y"])]
    assert_as_onnxruntime(model_of(nodes, weights, ("n", 3, 5, 6)), (3, 5, 6))


def test_sizes_that_follow_the_batch_stay_open() -> None:
    """A reshape to (N * T, F) and back, the sizes computed in the graph."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["n"], axis=0),
        helper.make_node("Reshape", ["x", "rows"], ["flat"]),
        helper.make_node("Softmax", ["flat"], ["soft"], axis=1),
        helper.make_node("Concat", ["n", "rest"], ["back"], axis=0),
        helper.make_node("Reshape", ["soft", "back"], ["y"]),
    ]
    weights = {
        "zero": np.array([0], dtype=np.int64),
        "rows": np.array([-1, 6], dtype=np.int64),
        "rest": np.array([5, 6], dtype=np.int64),
    }
    assert_as_onnxruntime(model_of(nodes, weights, ("n", 5, 6)), (5, 6))


# -- refusals


def relu(shape: tuple[Any, ...]) -> bytes:
    return model_of([helper.make_node("Relu", ["x"], ["y"])], {}, shape)


def test_an_unsupported_operator_is_named_with_its_node() -> None:
    nodes = [helper.make_node("Det", ["x"], ["y"], name="head/odd")]
    with pytest.raises(BabycryError, match=r"operator Det \(node 'head/odd'\) is not supported"):
        onnx_to_torch(model_of(nodes, {}, ("n", 3, 3)))


def test_an_operator_of_another_domain_is_named_with_it() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="odd", domain="com.example")]
    model = onnx.ModelProto.FromString(model_of(nodes, {}, ("n", 3)))
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(BabycryError, match=r"com\.example::Relu \(node 'odd'\)"):
        onnx_to_torch(model.SerializeToString())


def test_loops_and_branches_are_refused() -> None:
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["z"])],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ("n", 3))],
    )
    nodes = [
        helper.make_node("If", ["c"], ["y"], name="choice", then_branch=branch, else_branch=branch)
    ]
    with pytest.raises(BabycryError, match=r"If \(node 'choice'\) holds a graph of its own"):
        onnx_to_torch(model_of(nodes, {"c": np.array(True)}, ("n", 3)))


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    model = onnx.ModelProto.FromString(
        model_of(two("MatMul"), {"c": np.ones((6, 6), dtype=np.float32)}, ("n", 6))
    )
    onnx.save_model(
        model, tmp_path / "m.onnx", save_as_external_data=True, size_threshold=0, location="w"
    )
    with pytest.raises(BabycryError, match="keeps 'c' in another file"):
        read_checkpoint(tmp_path / "m.onnx", REQUEST)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (relu((8, 3)), "takes batches of 8"),
        (relu(("n", "t", 3)), r"leaves its input's shape open \(\?, \?, 3\)"),
        (model_of([helper.make_node("Add", ["c", "c"], ["y"])], NUMBERS, ("n", 6)), "not depend"),
        (
            model_of(two("MatMul"), {"c": np.ones((3, 2), dtype=np.float16)}, ("n", 3)),
            "float16|refuses",
        ),
    ],
)
def test_models_that_do_not_fit_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BabycryError, match=reason):
        onnx_to_torch(data)


def test_an_output_without_the_batch_in_front_is_refused() -> None:
    with pytest.raises(BabycryError, match="first axis of the ONNX model's output"):
        onnx_to_torch(model_of(pool("Transpose"), {}, ("n", 4, 3)))


def test_two_inputs_are_refused() -> None:
    model = onnx.ModelProto.FromString(model_of(two("Add", "z"), {}, ("n", 3)))
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ("n", 3)))
    with pytest.raises(BabycryError, match="one input, not 2: x, z"):
        onnx_to_torch(model.SerializeToString())


def test_open_sizes_come_from_the_request(tmp_path: Path) -> None:
    path = tmp_path / "open.onnx"
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    path.write_bytes(model_of(nodes, {}, ("n", 1, "rows", "columns")))
    network = read_checkpoint(path, REQUEST)
    x = windows(2)
    assert torch.allclose(network(x), x.mean((2, 3)), atol=1e-6)


def test_a_rule_that_misreads_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    data = exported(trained_like(Images()))
    monkeypatch.setitem(
        RULES, "LeakyRelu", lambda op: op.build.layer("wrong", nn.ReLU(), op.input(0))
    )
    with pytest.raises(BabycryError, match="was misread: torch and onnxruntime differ by"):
        onnx_to_torch(data)


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        (
            [
                helper.make_node("ConstantOfShape", ["c"], ["z"]),
                helper.make_node("Add", ["x", "z"], ["y"]),
            ],
            {"c": np.array([1 << 20, 1 << 20], dtype=np.int64)},
        ),
        (two("Expand"), {"c": np.array([1 << 30, 1 << 20, 1], dtype=np.int64)}),
        (two("Tile"), {"c": np.array([1, 1 << 40], dtype=np.int64)}),
        (two("Pad"), {"c": np.array([0, 0, 0, 1 << 50], dtype=np.int64)}),
    ],
)
def test_tensors_too_large_to_be_meant_are_refused(
    nodes: list[Any], weights: dict[str, np.ndarray]
) -> None:
    with pytest.raises(BabycryError, match="cannot be read"):
        onnx_to_torch(model_of(nodes, weights, ("n", 6)))


def test_a_tensor_that_grows_step_by_step_is_refused() -> None:
    names = ["x", *(f"v{i}" for i in range(40)), "y"]
    nodes = [helper.make_node("Concat", [a, a], [b], axis=1) for a, b in itertools.pairwise(names)]
    with pytest.raises(BabycryError, match="too large to be meant"):
        onnx_to_torch(model_of(nodes, {}, ("n", 6)))


def damaged(data: bytes, noise: random.Random) -> bytes:
    """A file cut short, or with some bytes changed."""
    if noise.random() < 0.25:
        return data[: noise.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(noise.choice((1, 2, 8))):
        changed[noise.randrange(len(changed))] = noise.randrange(256)
    return bytes(changed)


def test_damaged_files_give_one_line(tmp_path: Path) -> None:
    path = tmp_path / "damaged.onnx"
    noise = random.Random(1)
    data = (FIXTURES / "keras_crnn.onnx").read_bytes()
    request = ReadRequest(n_classes=4, window_shape=(20, 16), layout="NCTF")
    refused = 0
    for _ in range(120):
        path.write_bytes(damaged(data, noise))
        try:
            read_checkpoint(path, request)  # a changed weight is another network, not a damage
        except BabycryError as error:
            refused += 1
            assert "\n" not in str(error)
            assert str(error).startswith(str(path))
    assert refused > 40


def test_an_onnx_file_is_known_by_its_content_and_its_ending(tmp_path: Path) -> None:
    data = (FIXTURES / "keras_crnn.onnx").read_bytes()
    for name in ("net.onnx", "net"):
        (tmp_path / name).write_bytes(data)
    assert find_reader(tmp_path / "net.onnx") == "onnx_file"
    assert find_reader(tmp_path / "net") == "onnx_file"
