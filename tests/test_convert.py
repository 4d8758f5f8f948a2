"""From a trained torch network to four files: equal, fully int8, the same every time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_edge.detector import Detector
from babycry_edge.errors import BabycryError
from babycry_edge.model import Model
from babycry_edge.model_reader import read_model_file
from tiny_network import convert_tiny, tiny_golden, tiny_metadata, tiny_network, tiny_windows

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("litert_torch")
pytest.importorskip("ai_edge_quantizer")

from babycry_convert import convert as conversion  # noqa: E402  (after the skips)
from babycry_convert.calibration import Calibration, list_sha256  # noqa: E402
from babycry_convert.convert import ConvertedFiles, convert_module, score_tolerance  # noqa: E402
from babycry_convert.embed import embed_tflite  # noqa: E402
from babycry_convert.writers.onnx_float import export_onnx  # noqa: E402


@pytest.fixture(scope="module")
def network() -> Any:
    return tiny_network()


@pytest.fixture(scope="module")
def files(network: Any, tmp_path_factory: pytest.TempPathFactory) -> ConvertedFiles:
    converted: ConvertedFiles = convert_tiny(network, tmp_path_factory.mktemp("converted"))
    return converted


@pytest.fixture(scope="module")
def test_set() -> tuple[np.ndarray, np.ndarray]:
    return tiny_windows(20, seed=3)


@pytest.fixture(scope="module")
def torch_logits(network: Any, test_set: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    with torch.no_grad():
        logits: np.ndarray = network(torch.from_numpy(test_set[0])[:, None]).numpy()
    return logits


def test_the_test_network_has_learned(torch_logits: np.ndarray, test_set: Any) -> None:
    assert (torch_logits.argmax(axis=1) == test_set[1]).mean() > 0.9


@pytest.mark.parametrize("name", ["float_onnx", "float_tflite"])
def test_float_files_equal_torch(
    files: ConvertedFiles, name: str, torch_logits: np.ndarray, test_set: Any
) -> None:
    logits = Model.load(getattr(files, name)).logits(test_set[0])
    assert np.abs(logits - torch_logits).max() < 1e-4


@pytest.mark.parametrize("name", ["int8_onnx", "int8_tflite"])
def test_int8_files_stay_near_torch(
    files: ConvertedFiles, name: str, torch_logits: np.ndarray, test_set: Any
) -> None:
    model = Model.load(getattr(files, name))
    logits = model.logits(test_set[0])
    assert np.abs(logits - torch_logits).max() < 0.1 * np.abs(torch_logits).max()
    assert (logits.argmax(axis=1) == torch_logits.argmax(axis=1)).mean() > 0.97
    probability = torch.softmax(torch.from_numpy(torch_logits), dim=1).numpy()
    assert np.abs(model.scores(test_set[0]) - probability).mean() < 0.02


def test_the_int8_tflite_has_no_float_tensor(files: ConvertedFiles) -> None:
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(bytearray(files.int8_tflite.read_bytes()), 0)
    (graph,) = model.subgraphs
    kinds = schema.TensorType
    # int32: biases, and the shapes and paddings that operators take as constants.
    assert {tensor.type for tensor in graph.tensors} <= {kinds.INT8, kinds.INT32}
    used = {index for op in graph.operators for index in op.outputs}
    assert {graph.tensors[index].type for index in used} == {kinds.INT8}
    names = dict(read_model_file(files.int8_tflite)[1].operators)
    assert not {"QUANTIZE", "DEQUANTIZE"} & names.keys()


def test_every_computing_operator_of_the_int8_onnx_is_quantised(files: ConvertedFiles) -> None:
    graph = onnx.load(files.int8_onnx).graph
    makers = {output: node.op_type for node in graph.node for output in node.output}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            continue
        sources = {makers.get(name) for name in node.input if name}
        assert sources == {"DequantizeLinear"}, node.op_type
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    per_channel = [w for n, w in weights.items() if n.endswith("weight_scale")]
    assert any(scale.size > 1 for scale in per_channel)
    zero_points = [w for n, w in weights.items() if n.endswith("weight_zero_point")]
    assert {w.dtype.name for w in zero_points} == {"int8"}


def test_tflite_weights_are_aligned_for_32_bit_arm(files: ConvertedFiles) -> None:
    from ai_edge_litert import schema_py_generated as schema

    data = files.int8_tflite.read_bytes()
    model = schema.Model.GetRootAs(data, 0)
    filled = 0
    for index in range(model.BuffersLength()):
        buffer = model.Buffers(index)
        if buffer.DataLength():
            start = buffer._tab.Vector(buffer._tab.Offset(4))
            assert start % 16 == 0
            filled += 1
    assert filled > 10


def test_mean_over_the_image_becomes_a_pool_that_can_be_int8(files: ConvertedFiles) -> None:
    names = dict(read_model_file(files.float_onnx)[1].operators)
    assert names["GlobalAveragePool"] == 1
    assert "ReduceMean" not in names


def test_the_float_onnx_takes_any_batch(files: ConvertedFiles, test_set: Any) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(files.float_onnx))
    (logits,) = session.run(None, {"features": test_set[0][:7, None]})
    assert logits.shape == (7, 2)


def test_all_files_carry_the_same_metadata_but_for_their_own_answers(
    files: ConvertedFiles,
) -> None:
    def common(path: Path) -> dict[str, Any]:
        content = json.loads(read_model_file(path)[1].metadata_json or "")
        for own in ("scores", "score_tolerance", "events"):
            content["golden"].pop(own)
        return dict(content)

    first = common(files.float_onnx)
    assert all(common(path) == first for path in files.paths())
    assert first["calibration_count"] == 24
    assert first["calibration_sha256"] == list_sha256([f"synthetic/{i}.wav" for i in range(24)])


def test_each_file_carries_the_scores_and_events_that_it_gives(files: ConvertedFiles) -> None:
    for path in files.paths():
        model = Model.load(path)
        golden = model.metadata.golden
        assert golden is not None
        check = model.self_check()
        assert check.passed
        assert check.max_score_error == 0.0
        found = Detector(model).detect(golden.pcm(), golden.sample_rate).events
        assert [(e.label, e.start_s, e.end_s, e.score) for e in found] == [
            (e.label, e.start_s, e.end_s, e.score) for e in golden.events
        ]
        np.testing.assert_array_equal(golden.pcm(), tiny_golden())


def test_converting_again_gives_the_same_bytes(
    network: Any, files: ConvertedFiles, tmp_path: Path
) -> None:
    again = convert_tiny(network, tmp_path)
    for first, second in zip(files.paths(), again.paths(), strict=True):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes(), first.name


def test_the_network_is_left_as_it_was(network: Any, files: ConvertedFiles) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()
    export_onnx(network, 100, 64)
    assert network.training
    network.eval()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_embedding_again_replaces_the_metadata_and_keeps_the_rest(files: ConvertedFiles) -> None:
    data = files.int8_tflite.read_bytes()
    text = read_model_file(files.int8_tflite)[1].metadata_json or ""
    assert embed_tflite(data, text) == data
    from babycry_edge.tflite_file import read_tflite

    changed = read_tflite(embed_tflite(data, "{}"))
    assert changed.metadata_json == "{}"
    assert changed.operators == read_tflite(data).operators


def test_a_failed_conversion_leaves_the_old_files_and_nothing_else(
    network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "tiny.onnx"
    old.write_bytes(b"old")

    def fail(*args: object, **options: object) -> Iterator[None]:
        raise BabycryError("golden check failed")

    monkeypatch.setattr(conversion.Model, "load", fail)
    with pytest.raises(BabycryError, match="golden check failed"):
        convert_tiny(network, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.onnx"]
    assert old.read_bytes() == b"old"


def test_arguments_that_do_not_fit_are_refused(network: Any, tmp_path: Path) -> None:
    windows = np.zeros((4, 100, 64), np.float32)
    pcm = tiny_golden()

    def convert(**changes: Any) -> None:
        arguments: dict[str, Any] = {
            "metadata": tiny_metadata(),
            "calibration": windows,
            "calibration_list": ["a.wav"],
            "golden_pcm": pcm,
        }
        convert_module(network, out_dir=tmp_path, stem="x", **(arguments | changes))

    with pytest.raises(BabycryError, match="calibration windows have shape"):
        convert(calibration=windows[:, :90])
    with pytest.raises(BabycryError, match="names no recording"):
        convert(calibration_list=[])
    with pytest.raises(BabycryError, match="int16"):
        convert(golden_pcm=pcm.astype(np.float32))
    with pytest.raises(BabycryError, match="shorter than one window"):
        convert(golden_pcm=pcm[:16000])
    with pytest.raises(BabycryError, match="target"):
        convert(metadata=replace(tiny_metadata(), target="dog"))
    assert list(tmp_path.iterdir()) == []


def test_the_calibration_hash_is_that_of_a_text_file(tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "list.txt").write_text("b.wav\na.wav\n")
    recordings = Calibration(np.zeros((3, 2, 2), np.float32), ("b.wav", "a.wav"))
    assert recordings.count == 2
    content = (tmp_path / "list.txt").read_bytes()
    assert recordings.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("windows", "recordings", "named"),
    [
        (np.zeros((0, 2, 2), np.float32), ("a",), "shape"),
        (np.full((1, 2, 2), np.nan, np.float32), ("a",), "NaN"),
        (np.zeros((1, 2, 2), np.float32), ("a", "a"), "twice"),
        (np.zeros((1, 2, 2), np.float32), ("a\nb",), "line break"),
    ],
)
def test_a_calibration_set_that_proves_nothing_is_refused(
    windows: np.ndarray, recordings: tuple[str, ...], named: str
) -> None:
    with pytest.raises(BabycryError, match=named):
        Calibration(windows, recordings)


def test_the_score_tolerance_covers_one_step_of_the_output() -> None:
    step = 0.1
    logits = np.array([[0.0, 0.05]])
    moved = logits + np.array([[-step, step]])

    def softmax(values: np.ndarray) -> float:
        powers = np.exp(values)
        return float(powers[0, 1] / powers.sum())

    difference = abs(softmax(moved) - softmax(logits))
    assert difference <= score_tolerance(step, "softmax") < 1.2 * difference
    assert score_tolerance(None, "softmax") == conversion.FLOAT_SCORE_TOLERANCE
