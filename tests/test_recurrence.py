"""GRU and LSTM networks as cells of one step: equal to torch, fully int8, one loop or unrolled."""

from __future__ import annotations

import json
import random
import subprocess
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from babycry_edge.engines import open_engine
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Recurrence, RecurrentLayer
from babycry_edge.model import Model
from babycry_edge.quantized_io import dequantize, quantize
from babycry_edge.tflite_file import read_tflite
from tiny_network import RATE, tiny_golden, tiny_metadata, tiny_windows

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")
pytest.importorskip("ai_edge_quantizer")

from torch import nn  # noqa: E402  (after the skips)

from babycry_convert import convert as conversion  # noqa: E402
from babycry_convert.flatbuffer_model import pack, unpack  # noqa: E402
from babycry_convert.hub import Network  # noqa: E402
from babycry_convert.recurrence import RecurrentFiles, convert_recurrent  # noqa: E402
from babycry_convert.recurrence.cell import layer_cells, quantization  # noqa: E402
from babycry_convert.recurrence.cell_loop import run_loop  # noqa: E402
from babycry_convert.recurrence.split import split  # noqa: E402
from babycry_convert.recurrence.unroll import unroll  # noqa: E402
from babycry_convert.recurrence.write_tflite import _taking  # noqa: E402

T, F, CLASSES = 48, 20, 4

#: A hidden state's step: 1 is 127 of them.
UNIT = float(np.float32(1.0 / 127.0))


class Recurrent(nn.Module):
    """A convolution, recurrent layers over time, and the last step's logits."""

    def __init__(
        self,
        kind: type[nn.GRU] | type[nn.LSTM],
        layers: int = 1,
        bidirectional: bool = False,
        stride: int = 2,
        n_features: int = F,
        classes: int = CLASSES,
        **options: Any,
    ) -> None:
        super().__init__()
        hidden = 16
        self.convolution = nn.Conv2d(1, 6, 3, stride=(stride, 2), padding=1)
        self.recurrent = kind(
            6 * ((n_features + 1) // 2),
            hidden,
            layers,
            batch_first=True,
            bidirectional=bidirectional,
            **options,
        )
        self.head = nn.Linear(hidden * (1 + bidirectional), classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        image = torch.relu(self.convolution(x))
        n, channels, steps, bands = image.shape
        sequence = image.permute(0, 2, 1, 3).reshape(n, steps, channels * bands)
        states, _ = self.recurrent(sequence)
        logits: torch.Tensor = self.head(states.mean(1))
        return logits


def ordered_sounds(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows (n, T, F) with an early and a late burst, each low or high; the class is the pair.

    The mean over time does not tell low-high from high-low: only memory does.
    """
    rng = np.random.default_rng(seed)
    windows = rng.standard_normal((n, T, F)).astype(np.float32)
    labels = rng.integers(0, CLASSES, n)
    for window, label in zip(windows, labels, strict=True):
        for half, high in enumerate((label // 2, label % 2)):
            start = half * T // 2 + rng.integers(0, T // 2 - 8)
            window[start : start + 8, 10 * high : 10 * high + 10] += 2.0
    return windows, labels


def trained(network: nn.Module, windows: np.ndarray, labels: np.ndarray, epochs: int) -> nn.Module:
    inputs, targets = torch.from_numpy(windows)[:, None], torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(inputs[batch]), targets[batch]).backward()
            optimizer.step()
    return network.eval()


@dataclass(frozen=True)
class Case:
    """A trained network with its files in both forms."""

    network: Network
    cell: RecurrentFiles
    unrolled: RecurrentFiles

    @property
    def loop(self) -> Recurrence:
        assert self.cell.recurrence is not None
        return self.cell.recurrence


CASES: dict[str, Callable[[], nn.Module]] = {
    "gru": lambda: Recurrent(nn.GRU),
    "lstm": lambda: Recurrent(nn.LSTM, stride=4),
    "bigru": lambda: Recurrent(nn.GRU, layers=2, bidirectional=True),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    torch.manual_seed(3)
    torch.set_num_threads(1)
    module = trained(CASES[request.param](), *ordered_sounds(640, seed=1), epochs=12)
    network = Network(module, (T, F), CLASSES, "custom", "test")
    calibration, _ = ordered_sounds(64, seed=2)
    cell = convert_recurrent(network, calibration)
    assert cell is not None
    assert cell.recurrence is not None
    unrolled = RecurrentFiles(
        unroll(cell.float_tflite, cell.recurrence), unroll(cell.int8_tflite, cell.recurrence), None
    )
    return Case(network, cell, unrolled)


TEST_WINDOWS, TEST_LABELS = ordered_sounds(120, seed=5)


def logits(data: bytes, windows: np.ndarray, recurrence: Recurrence | None) -> np.ndarray:
    """What LiteRT answers to each window."""
    file = read_tflite(data)
    engine = open_engine(data, "tflite", "litert", 1, recurrence)
    source, result = file.inputs[0], file.outputs[0]
    rows = []
    for window in windows:
        tensor = quantize(window.reshape(source.shape), source)
        rows.append(dequantize(engine.run(tensor), result).reshape(-1))
    return np.stack(rows)


def torch_logits(module: nn.Module, windows: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        result: np.ndarray = module(torch.from_numpy(windows)[:, None]).numpy()
    return result


# ---- equal to torch


def test_the_network_needs_its_memory_and_has_learned(case: Case) -> None:
    answers = torch_logits(case.network.module, TEST_WINDOWS).argmax(axis=1)
    assert (answers == TEST_LABELS).mean() > 0.9


@pytest.mark.parametrize("form", ["cell", "unrolled"])
def test_float_files_equal_torch(case: Case, form: str) -> None:
    files: RecurrentFiles = getattr(case, form)
    found = logits(files.float_tflite, TEST_WINDOWS, files.recurrence)
    expected = torch_logits(case.network.module, TEST_WINDOWS)
    assert np.abs(found - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())


def test_int8_answers_stay_near_torch(case: Case) -> None:
    found = logits(case.cell.int8_tflite, TEST_WINDOWS, case.loop)
    expected = torch_logits(case.network.module, TEST_WINDOWS)
    assert np.abs(found - expected).max() < 0.15 * np.abs(expected).max()
    assert np.abs(found - expected).mean() < 0.02 * np.abs(expected).max()
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.98


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM])
def test_a_cell_is_torchs_step(kind: Any) -> None:
    torch.manual_seed(0)
    module = Recurrent(kind, layers=2, bidirectional=True).eval()
    pieces = split(Network(module, (T, F), CLASSES, "custom", "test"))
    assert pieces is not None
    sequence = torch.randn(3, pieces.steps, module.recurrent.input_size)
    with torch.no_grad():
        expected = module.recurrent(sequence)[0].numpy()
    values = sequence.numpy()
    for layer in pieces.layers:
        ways = [run_loop(cell, way, values) for way, cell in layer_cells(layer).items()]
        values = np.concatenate(ways, axis=2)
    assert np.abs(values - expected).max() < 1e-5


# ---- fully int8, one scale where tensors meet


def border(data: bytes, signature: str) -> dict[str, tuple[float, int]]:
    """Scale and zero point of a signature's tensors; inputs by "in name", outputs by "out name"."""
    root = unpack(data)
    found = next(s for s in root.signatureDefs if s.signatureKey.decode() == signature)
    tensors = root.subgraphs[found.subgraphIndex].tensors

    def of(entry: Any) -> tuple[float, int]:
        parameters = tensors[entry.tensorIndex].quantization
        return float(parameters.scale[0]), int(parameters.zeroPoint[0])

    inputs = {f"in {entry.name.decode()}": of(entry) for entry in found.inputs}
    return inputs | {f"out {entry.name.decode()}": of(entry) for entry in found.outputs}


def test_tensors_that_meet_have_one_scale(case: Case) -> None:
    data = case.cell.int8_tflite
    given = border(data, "body")["out sequence"]
    for index, layer in enumerate(case.loop.layers):
        for direction in layer.directions:
            cell = border(data, f"cell_{index}_{direction}")
            assert cell["in x"] == given
            assert cell["in h"] == cell["out h"] == border(data, f"cell_{index}_forward")["out h"]
            assert cell["in h"] == (pytest.approx(UNIT), 0), "these networks' states reach 1"
            assert layer.kind == "gru" or cell["in c"] == cell["out c"]
        given = cell["out h"]
    assert border(data, "head")["in states"] == given


@pytest.mark.parametrize("form", ["cell", "unrolled"])
def test_no_operator_computes_in_float(case: Case, form: str) -> None:
    from ai_edge_litert import schema_py_generated as schema

    files: RecurrentFiles = getattr(case, form)
    root = unpack(files.int8_tflite)
    kinds = schema.TensorType
    for graph in root.subgraphs:
        assert {tensor.type for tensor in graph.tensors} <= {kinds.INT8, kinds.INT32}
        used = {index for op in graph.operators for index in op.outputs}
        assert {graph.tensors[index].type for index in used} == {kinds.INT8}
    names = dict(read_tflite(files.int8_tflite).operators)
    assert not {"DEQUANTIZE", "REVERSE_V2", "WHILE"} & names.keys()


def test_small_states_get_fine_steps() -> None:
    torch.manual_seed(2)
    module = Recurrent(nn.LSTM, stride=8)  # untrained: its states stay far below 1
    network = Network(module.eval(), (T, F), CLASSES, "custom", "test")
    files = convert_recurrent(network, TEST_WINDOWS[:60])
    assert files is not None
    with torch.no_grad():
        pieces = split(network)
        assert pieces is not None
        bodies = [pieces.body(torch.from_numpy(w)[None, None]) for w in TEST_WINDOWS[:60]]
        states = torch.cat([module.recurrent(body)[0] for body in bodies])
    reach = float(states.abs().max())
    assert reach < 0.8
    scale, zero_point = border(files.int8_tflite, "head")["in states"]
    assert (scale, zero_point) == (pytest.approx(reach / 127.0, rel=1e-4), 0)
    found = logits(files.int8_tflite, TEST_WINDOWS[60:], files.recurrence)
    expected = torch_logits(module, TEST_WINDOWS[60:])
    assert np.abs(found - expected).mean() < 0.02 * np.abs(expected).max()


def test_a_file_in_parts_says_what_it_is(case: Case) -> None:
    file = read_tflite(case.cell.int8_tflite)
    assert file.parts == case.loop.signatures
    assert (file.inputs[0].name, file.inputs[0].shape) == ("features", (1, T, F, 1))
    assert (file.outputs[0].name, file.outputs[0].shape) == ("logits", (1, CLASSES))
    assert read_tflite(case.unrolled.int8_tflite).parts == ()


# ---- the unrolled form


@pytest.mark.parametrize("kernels", ["XNNPACK", "reference"])
@pytest.mark.parametrize("kind", ["float_tflite", "int8_tflite"])
def test_the_unrolled_graph_gives_the_bits_of_the_loop(
    case: Case, kernels: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kernels == "reference":
        use_reference_kernels(monkeypatch)
    loop = logits(getattr(case.cell, kind), TEST_WINDOWS, case.loop)
    graph = logits(getattr(case.unrolled, kind), TEST_WINDOWS, None)
    np.testing.assert_array_equal(graph, loop)


def use_reference_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert import interpreter as litert

    def plain(**arguments: Any) -> Any:
        kernels = litert.OpResolverType.BUILTIN_REF
        return original(experimental_op_resolver_type=kernels, **arguments)

    original = litert.Interpreter
    monkeypatch.setattr(litert, "Interpreter", plain)


def test_steps_share_their_weights(case: Case) -> None:
    weights = sum(p.numel() for p in case.network.module.parameters())
    steps = case.loop.steps * sum(len(layer.directions) for layer in case.loop.layers)
    assert len(case.cell.int8_tflite) < weights + 30_000
    assert len(case.unrolled.int8_tflite) < len(case.cell.int8_tflite) + 2_500 * steps
    states = sum(
        len(border(case.cell.int8_tflite, name)) // 2 for name in case.loop.signatures[1:-1]
    )
    constants = n_constants(case.cell.int8_tflite)
    assert n_constants(case.unrolled.int8_tflite) == constants + states


def n_constants(data: bytes) -> int:
    """Tensors with values of their own."""
    root = unpack(data)
    tensors = [tensor for graph in root.subgraphs for tensor in graph.tensors]
    return sum(root.buffers[tensor.buffer].data is not None for tensor in tensors)


def test_converting_again_gives_the_same_bytes() -> None:
    torch.manual_seed(1)
    network = Network(Recurrent(nn.LSTM).eval(), (T, F), CLASSES, "custom", "test")
    calibration, _ = ordered_sounds(4, seed=2)
    first = convert_recurrent(network, calibration, form="unrolled")
    assert first == convert_recurrent(network, calibration, form="unrolled")
    assert first is not None
    assert first.recurrence is None
    with pytest.raises(BabycryError, match="form must be cell or unrolled"):
        convert_recurrent(network, calibration, form="while")  # type: ignore[arg-type]


# ---- what can be split


class Shaped(nn.Module):
    """Recurrent layers without a convolution, in the ways that people write them."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        bidirectional = way in ("last of two", "all states")
        layers = 2 if way in ("last of two", "two modules", "inner state") else 1
        batch_first = way not in ("time first", "two modules")
        kind = nn.LSTM if way in ("lstm state", "cell state") else nn.GRU
        options = {"bidirectional": bidirectional, "batch_first": batch_first}
        if way == "two modules":
            self.recurrent = nn.GRU(F, 8, **options)
            self.second = nn.LSTM(8, 8, bias=False, **options)
            self.dropout = nn.Dropout(0.5)
        else:
            self.recurrent = kind(F, 8, layers, **options)
        if way == "norm between":
            self.second, self.norm = nn.GRU(8, 8, batch_first=True), nn.LayerNorm(8)
        self.head = nn.Linear(8 * (1 + bidirectional), CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = x.squeeze(1)
        if self.way in ("time first", "two modules"):
            values = values.transpose(0, 1)
        if self.way == "zero state":
            states, last = self.recurrent(values, values.new_zeros(1, values.size(0), 8))
        elif self.way == "other state":
            states, last = self.recurrent(values, values[:, :1, :8].transpose(0, 1).contiguous())
        else:
            states, last = self.recurrent(values)
        if self.way == "two modules":
            states, _ = self.second(self.dropout(states))
        if self.way == "norm between":
            states, _ = self.second(self.norm(states))
        if self.way == "beside":
            states = states + values[:, :, :8]
        return self.head(self.summary(states, last))

    def summary(self, states: torch.Tensor, last: Any) -> torch.Tensor:
        if self.way in ("time first", "two modules"):
            return states[-1]
        if self.way == "last of two":
            return torch.cat([last[-2], last[-1]], dim=1)
        if self.way == "all states":
            return last.permute(1, 0, 2).flatten(1)
        if self.way == "inner state":
            return last[0]
        if self.way in ("lstm state", "cell state"):
            return last[self.way == "cell state"][-1]
        return states[:, -1]


def shaped_network(way: str) -> Network:
    torch.manual_seed(9)
    return Network(Shaped(way).eval(), (T, F), CLASSES, "custom", "test")


@pytest.mark.parametrize(
    "way",
    ["time first", "two modules", "zero state", "last of two", "all states", "lstm state"],
)
def test_body_layers_and_head_are_the_network(way: str) -> None:
    network = shaped_network(way)
    pieces = split(network)
    assert pieces is not None
    assert pieces.steps == T
    window = torch.from_numpy(TEST_WINDOWS[:1])[:, None]
    with torch.no_grad():
        values = pieces.body(window).numpy()
        for layer in pieces.layers:
            ways = [run_loop(cell, way, values) for way, cell in layer_cells(layer).items()]
            values = np.concatenate(ways, axis=2)
        found = pieces.head(torch.from_numpy(values)).numpy()
        expected = network.module(window).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("other state", "starts from a state that is not zero"),
        ("norm between", "stands between two recurrent layers"),
        ("beside", "beside the recurrent layers"),
        ("inner state", "from an inner layer"),
        ("cell state", "cell state"),
    ],
)
def test_what_cannot_be_split_is_refused_with_the_reason(way: str, reason: str) -> None:
    with pytest.raises(BabycryError, match=reason) as caught:
        split(shaped_network(way))
    assert "\n" not in str(caught.value)


def test_a_network_that_cannot_be_traced_is_refused_in_one_line() -> None:
    class Branching(Shaped):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x if x.sum() > 0 else -x)

    network = replace(shaped_network("zero state"), module=Branching("zero state").eval())
    with pytest.raises(BabycryError, match=r"torch\.fx cannot trace it") as caught:
        split(network)
    assert "\n" not in str(caught.value)


def test_a_network_without_recurrence_is_none_of_ours() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(T * F, CLASSES)).eval()
    network = Network(module, (T, F), CLASSES, "custom", "test")
    assert split(network) is None
    assert convert_recurrent(network, TEST_WINDOWS[:2]) is None


# ---- parts that do not meet


def test_a_head_of_another_scale_gets_a_quantize_in_front(case: Case) -> None:
    from ai_edge_litert.interpreter import Interpreter

    root = unpack(case.cell.int8_tflite)
    head = next(s for s in root.signatureDefs if s.signatureKey == b"head")
    root.subgraphs, head.subgraphIndex = [root.subgraphs[head.subgraphIndex]], 0
    root.signatureDefs = [head]
    given = quantization(-2.0, 2.0)
    part = pack(root)
    rescaled = _taking(part, given)
    assert border(rescaled, "head")["in states"] == given
    assert dict(read_tflite(rescaled).operators)["QUANTIZE"] == 1
    assert _taking(part, (UNIT, 0)) == part

    def answer(data: bytes, values: np.ndarray) -> np.ndarray:
        runner = Interpreter(model_content=data).get_signature_runner("head")
        result: np.ndarray = runner(states=values)["logits"]
        return result

    shape = read_tflite(part).inputs[0].shape
    real = np.random.default_rng(0).integers(-40, 40, shape) * given[0]
    coarse = np.rint(real / given[0] + given[1]).astype(np.int8)
    fine = np.clip(np.rint(real / UNIT), -128, 127).astype(np.int8)
    assert np.abs(answer(rescaled, coarse).astype(int) - answer(part, fine)).max() <= 1


def test_parts_of_different_scales_are_refused_at_load(case: Case) -> None:
    root = unpack(case.cell.int8_tflite)
    cell = next(s for s in root.signatureDefs if s.signatureKey == b"cell_0_forward")
    graph = root.subgraphs[cell.subgraphIndex]
    state = next(e.tensorIndex for e in cell.inputs if e.name == b"h")
    graph.tensors[state].quantization.scale = np.array([0.01], np.float32)
    with pytest.raises(BabycryError, match=r"do not meet: cell_0_forward starts from int8") as e:
        open_engine(pack(root), "tflite", "litert", 1, case.loop)
    assert "\n" not in str(e.value)


def test_a_loop_that_does_not_fit_the_file_is_refused(case: Case) -> None:
    longer = replace(case.loop, steps=case.loop.steps + 1)
    with pytest.raises(BabycryError, match=r"metadata field recurrence\.steps is"):
        open_engine(case.cell.int8_tflite, "tflite", "litert", 1, longer)
    first = replace(case.loop.layers[0], hidden=15)
    narrower = replace(case.loop, layers=(first, *case.loop.layers[1:]))
    with pytest.raises(BabycryError, match="metadata field recurrence does not fit the file"):
        open_engine(case.cell.int8_tflite, "tflite", "litert", 1, narrower)
    with pytest.raises(BabycryError, match="recurrence is for tflite files"):
        open_engine(b"", "onnx", "onnxruntime", 1, case.loop)


def test_a_damaged_file_in_parts_is_a_model_or_one_clear_line(case: Case) -> None:
    data = case.cell.int8_tflite
    for length in range(0, len(data), 211):
        with pytest.raises(BabycryError):
            read_tflite(data[:length])
    rng = random.Random(4)
    refused = 0
    for _ in range(600):
        damaged = bytearray(data)
        for _ in range(rng.choice((1, 2, 8))):
            # The structure stands before and behind the weights.
            position = rng.choice((rng.randrange(4000), -1 - rng.randrange(4000)))
            damaged[position] = rng.randrange(256)
        try:
            read_tflite(bytes(damaged))
        except BabycryError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 60


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: setattr(s[0], "subgraphIndex", 99), "a signature names subgraph 99 of"),
        (lambda s: setattr(s[0], "signatureKey", s[-1].signatureKey), "two signatures"),
    ],
)
def test_signatures_that_lie_are_refused(
    case: Case, change: Callable[[list[Any]], None], reason: str
) -> None:
    root = unpack(case.cell.int8_tflite)
    change(root.signatureDefs)
    with pytest.raises(BabycryError, match=reason):
        read_tflite(pack(root))


# ---- from a sound to an event


@pytest.fixture(scope="module")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cry detector with a GRU, trained on synthetic sounds, as a file in parts."""
    torch.manual_seed(4)
    windows, labels = tiny_windows(48, seed=1)
    module = trained(Recurrent(nn.GRU, stride=8, n_features=64, classes=2), windows, labels, 12)
    network = Network(module, (100, 64), 2, "custom", "test")
    files = convert_recurrent(network, windows[:40])
    assert files is not None
    metadata = replace(
        tiny_metadata(),
        recurrence=files.recurrence,
        calibration_sha256="0" * 64,
        calibration_count=1,
    )
    metadata = replace(metadata, golden=conversion.unanswered(metadata, tiny_golden()))
    folder = tmp_path_factory.mktemp("recurrent")
    draft = conversion.Draft("gru.tflite", files.int8_tflite, "tflite", metadata)
    with conversion.checked_files([draft], folder) as paths:
        return conversion.install(paths, folder)[0]


def test_a_model_in_parts_loads_and_passes_its_golden_check(detector_file: Path) -> None:
    model = Model.load(detector_file)
    check = model.self_check()
    assert check.passed
    assert check.max_score_error == 0.0
    assert model.metadata.recurrence == Recurrence(13, (RecurrentLayer("gru", ("forward",), 16),))
    windows, labels = tiny_windows(20, seed=3)
    answers = model.logits(windows).argmax(axis=1)
    assert (answers == labels).mean() > 0.9
    alone = np.concatenate([model.logits(window[np.newaxis]) for window in windows[::-1]])[::-1]
    np.testing.assert_array_equal(model.logits(windows), alone, "state starts at zero each time")


def test_the_recurrence_must_stand_in_the_metadata(detector_file: Path, tmp_path: Path) -> None:
    from babycry_convert.embed import embed

    data = detector_file.read_bytes()
    content = json.loads(read_tflite(data).metadata_json or "")

    def loaded(name: str, **changes: Any) -> Model:
        path = tmp_path / name
        path.write_bytes(embed(data, "tflite", json.dumps({**content, **changes})))
        return Model.load(path)

    lstm = [{"kind": "lstm", "directions": ["forward"], "hidden": 16}]
    with pytest.raises(BabycryError, match=r"metadata field recurrence does not fit.*cell_0"):
        loaded("kind.tflite", recurrence={"steps": 13, "layers": lstm})
    two = [content["recurrence"]["layers"][0]] * 2
    with pytest.raises(BabycryError, match=r"metadata field recurrence does not fit.*cell_1"):
        loaded("two.tflite", recurrence={"steps": 13, "layers": two})
    del content["recurrence"]
    with pytest.raises(BabycryError, match=r"metadata field recurrence does not fit.*single graph"):
        loaded("none.tflite")


def test_detect_runs_a_model_in_parts(detector_file: Path, tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    soundfile.write(sound, tiny_golden(), RATE)
    command = Path(sysconfig.get_path("scripts")) / "babycry-edge"
    done = subprocess.run(
        [command, "detect", sound, "--json", "--model", detector_file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["detected"] is True
    assert record["engine"].startswith("litert")


def test_ranges_do_not_depend_on_the_number_of_threads() -> None:
    """BLAS adds a product of this size in another order on two threads than on one."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    from babycry_convert.recurrence.cell import affine

    rng = np.random.default_rng(5)
    values = rng.standard_normal((64, 128)).astype(np.float32)
    weights = rng.standard_normal((192, 128)).astype(np.float32)

    def product(threads: int) -> np.ndarray:
        with threadpoolctl.threadpool_limits(threads):
            return affine(values, weights)

    np.testing.assert_array_equal(product(1), product(2))
    np.testing.assert_allclose(product(1), values @ weights.T, atol=1e-4)
