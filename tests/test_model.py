"""Loading a model file, scoring windows with it, and refusing what cannot be trusted."""

from __future__ import annotations

import importlib.machinery
import json
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_edge.detector import Detector
from babycry_edge.engines import ENGINES
from babycry_edge.errors import BabycryError
from babycry_edge.frontend import Frontend
from babycry_edge.metadata import Golden, parse_metadata
from babycry_edge.model import Model, activate, features_sha256, golden_windows
from babycry_edge.model_file import TensorInfo
from babycry_edge.model_reader import read_model_file
from babycry_edge.quantized_io import dequantize, quantize
from babycry_edge.windows import WindowStream, clip_windows, windows

FIXTURES = Path(__file__).parent / "fixtures"
ONNX, TFLITE = FIXTURES / "tiny.onnx", FIXTURES / "tiny.tflite"
FILES = pytest.mark.parametrize("path", [ONNX, TFLITE], ids=["onnx", "tflite"])


@pytest.fixture(autouse=True)
def engines_installed() -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("ai_edge_litert")


def golden_of(model: Model) -> Golden:
    assert model.metadata.golden is not None
    return model.metadata.golden


def without_module(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Make a library absent for import and for look-up."""
    for name in names:
        for loaded in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
            monkeypatch.delitem(sys.modules, loaded)

    class Absent:
        def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
            if name.split(".")[0] in names:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    monkeypatch.setattr(
        "babycry_edge.engines.choice.find_spec", lambda name: None if name in names else True
    )


def patched(tmp_path: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of a model file whose metadata was changed."""
    pytest.importorskip("onnx")
    from babycry_convert.embed import embed

    data, file = read_model_file(path)
    content = json.loads(file.metadata_json or "")
    change(content)
    copy = tmp_path / path.name
    copy.write_bytes(embed(data, file.format, json.dumps(content)))
    return copy


@FILES
def test_a_model_passes_its_golden_check(path: Path) -> None:
    check = Model.load(path).self_check()
    assert check.passed
    assert check.features_equal
    assert check.max_score_error <= check.tolerance < 0.03


@FILES
def test_the_engine_is_chosen_from_the_file(path: Path) -> None:
    model = Model.load(path)
    assert model.engine == {".onnx": "onnxruntime", ".tflite": "litert"}[path.suffix]
    assert model.engine_version[0].isdigit()
    assert model.path == path
    assert model.file.format == path.suffix[1:]


@FILES
def test_scores_are_probabilities_one_row_a_window(path: Path) -> None:
    model = Model.load(path)
    cut = golden_windows(model.metadata, golden_of(model))
    scores = model.scores(cut)
    assert scores.dtype == np.float32
    assert scores.shape == (2, 2)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-6)
    assert scores[0, 1] > 0.5 > scores[1, 1], "the tone is a cry, the hum is not"


@FILES
def test_a_windows_score_does_not_depend_on_its_neighbours(path: Path) -> None:
    model = Model.load(path)
    rng = np.random.default_rng(5)
    cut = (rng.standard_normal((6, 100, 64)) * 10).astype(np.float32)
    together = model.scores(cut)
    alone = np.concatenate([model.scores(window[np.newaxis]) for window in cut[::-1]])[::-1]
    np.testing.assert_array_equal(together, alone)
    assert model.scores(cut[:0]).shape == (0, 2)


def test_onnx_and_tflite_agree_within_two_steps_of_the_output() -> None:
    rng = np.random.default_rng(6)
    cut = (rng.standard_normal((20, 100, 64)) * 10).astype(np.float32)
    onnx, tflite = Model.load(ONNX), Model.load(TFLITE)
    step = tflite.file.outputs[0].scale
    assert step is not None
    assert np.abs(onnx.logits(cut) - tflite.logits(cut)).max() < 2.01 * step


@FILES
def test_two_threads_give_the_scores_of_one(path: Path) -> None:
    rng = np.random.default_rng(7)
    cut = (rng.standard_normal((4, 100, 64)) * 10).astype(np.float32)
    np.testing.assert_array_equal(
        Model.load(path).scores(cut), Model.load(path, threads=2).scores(cut)
    )


@FILES
def test_loading_writes_nothing_on_stderr_or_stdout(path: Path, tmp_path: Path) -> None:
    code = f"from babycry_edge import Model; Model.load({str(path)!r}).self_check()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


# ---- optional fields of the metadata


@FILES
def test_standardising_happens_between_front_end_and_network(path: Path, tmp_path: Path) -> None:
    mean = [float(np.float32(0.1 * i - 3)) for i in range(64)]
    scale = [float(np.float32(0.5 + 0.01 * i)) for i in range(64)]

    def standardized(content: dict[str, Any]) -> None:
        content["standardize"] = {"mean": mean, "scale": scale}

    plain = Model.load(path)
    model = Model.load(patched(tmp_path, path, standardized), verify=False)
    cut = (np.random.default_rng(8).standard_normal((3, 100, 64)) * 10).astype(np.float32)
    by_hand = (cut - np.array(mean, np.float32)) * np.array(scale, np.float32)
    np.testing.assert_array_equal(model.logits(cut), plain.logits(by_hand))
    assert model.self_check().features_equal, "the recorded features are the front-end's own"
    with pytest.raises(BabycryError, match="infinite"):
        model.logits(np.full((1, 100, 64), 3e38, np.float32) * np.float32(-1.1))


@FILES
def test_a_recurrence_that_the_file_does_not_have_is_refused(path: Path, tmp_path: Path) -> None:
    def recurrent(content: dict[str, Any]) -> None:
        layer = {"kind": "gru", "directions": ["forward"], "hidden": 16}
        content["recurrence"] = {"steps": 12, "layers": [layer]}

    with pytest.raises(BabycryError, match=r"metadata field recurrence.*single graph"):
        Model.load(patched(tmp_path, path, recurrent))


def pooled_model(folder: Path) -> Path:
    """A float ONNX model over one pooled row a window: its logits are two of the row's values."""
    onnx = pytest.importorskip("onnx")
    from babycry_convert.embed import embed

    metadata = parse_metadata(read_model_file(ONNX)[1].metadata_json or "")
    frontend = replace(metadata.frontend, normalize="none", pooling="mean_std")
    metadata = replace(metadata, frontend=frontend, activation="none")
    golden = golden_of(Model.load(ONNX))
    cut = golden_windows(metadata, golden)
    scores = tuple(float(row[0, 1]) for row in cut)
    answered = replace(
        golden, features_sha256=features_sha256(cut), scores=scores, score_tolerance=0.0, events=()
    )
    helper, kind = onnx.helper, onnx.TensorProto
    weights = np.eye(128, 2, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["features"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        ],
        "pooled",
        [helper.make_tensor_value_info("features", kind.FLOAT, [1, 1, 1, 128])],
        [helper.make_tensor_value_info("logits", kind.FLOAT, [1, 2])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "pooled.onnx"
    text = replace(metadata, golden=answered).to_json()
    path.write_bytes(embed(model.SerializeToString(), "onnx", text))
    return path


def test_a_model_on_pooled_rows_detects_and_streams_alike(tmp_path: Path) -> None:
    model = Model.load(pooled_model(tmp_path))
    assert model.metadata.window_shape == (1, 128)
    audio = golden_of(model).pcm()
    cut = clip_windows(audio, 16000, model.metadata)
    assert cut.shape == (2, 1, 128)
    detection = Detector(model).detect(audio, 16000)
    np.testing.assert_array_equal(detection.window_scores, cut[:, 0, 1])
    span = model.metadata.frontend.samples_for(100)
    whole = Frontend(model.metadata.frontend)(audio[:span], 16000)
    np.testing.assert_array_equal(cut[0], whole)
    stream = WindowStream(model.metadata.frontend, 100, 25)
    pieces = [stream.push(piece) for piece in np.array_split(audio, 7)]
    np.testing.assert_array_equal(np.concatenate(pieces), cut)
    with pytest.raises(BabycryError, match=r"the model wants \(k, 1, 128\)"):
        model.logits(np.zeros((1, 100, 128), np.float32))


# ---- files that cannot be trusted


@FILES
def test_a_truncated_model_is_one_clear_line(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    for length in (1, 100, 5000, path.stat().st_size - 100):
        copy.write_bytes(path.read_bytes()[:length])
        with pytest.raises(BabycryError, match="truncated") as caught:
            Model.load(copy)
        assert str(copy) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_an_absent_file_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match=r"cannot read model .*none\.onnx: No such file"):
        Model.load(tmp_path / "none.onnx")


def test_a_model_without_metadata_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(ONNX)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(BabycryError, match=r"bare.onnx: carries no babycry_edge metadata: convert"):
        Model.load(tmp_path / "bare.onnx")


@FILES
def test_another_schema_version_is_refused(path: Path, tmp_path: Path) -> None:
    copy = patched(tmp_path, path, lambda content: content.update(schema_version=2))
    with pytest.raises(BabycryError, match="schema_version 2, this release reads 1"):
        Model.load(copy)


@FILES
def test_a_golden_check_that_fails_at_the_features_is_an_error(path: Path, tmp_path: Path) -> None:
    def other_band(content: dict[str, Any]) -> None:
        content["frontend"]["fmin"] += 20.0

    copy = patched(tmp_path, path, other_band)
    with pytest.raises(BabycryError, match="golden check failed at the features") as caught:
        Model.load(copy)
    assert str(copy) in str(caught.value)
    check = Model.load(copy, verify=False).self_check()
    assert not check.features_equal
    assert not check.passed


@FILES
def test_a_golden_check_that_fails_at_the_scores_names_the_values(
    path: Path, tmp_path: Path
) -> None:
    def other_score(content: dict[str, Any]) -> None:
        content["golden"]["scores"][0] = 0.25

    copy = patched(tmp_path, path, other_score)
    with pytest.raises(BabycryError, match=r"scores: window 0 gives 0\.\d+.*recorded is 0\.25"):
        Model.load(copy)
    check = Model.load(copy, verify=False).self_check()
    assert check.features_equal
    assert not check.passed
    assert check.expected_score == 0.25


def test_a_golden_check_with_too_few_scores_is_an_error(tmp_path: Path) -> None:
    copy = patched(tmp_path, ONNX, lambda content: content["golden"]["scores"].pop())
    with pytest.raises(BabycryError, match="1 scores are recorded and the front-end gives 2"):
        Model.load(copy)


def test_metadata_that_does_not_fit_the_tensors_is_refused(tmp_path: Path) -> None:
    copy = patched(tmp_path, ONNX, lambda content: content.update(window_frames=90))
    with pytest.raises(BabycryError, match=r"input has shape .* a window of"):
        Model.load(copy)
    copy = patched(tmp_path, ONNX, lambda content: content.update(labels=["a", "b", "cry"]))
    with pytest.raises(BabycryError, match=r"output has shape .* 3 labels"):
        Model.load(copy)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        (np.zeros((1, 100, 63), np.float32), "shape"),
        (np.zeros((100, 64), np.float32), "shape"),
        (np.full((1, 100, 64), np.nan, np.float32), "NaN"),
        (np.full((1, 100, 64), np.inf, np.float32), "infinite"),
    ],
)
def test_windows_that_do_not_fit_are_refused(bad: np.ndarray, named: str) -> None:
    with pytest.raises(BabycryError, match=named):
        Model.load(ONNX).scores(bad)


# ---- engines


def test_a_missing_engine_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without_module(monkeypatch, "onnxruntime", "ai_edge_litert", "tflite_runtime")
    with pytest.raises(BabycryError, match=r"pip install 'babycry-edge\[onnx\]'"):
        Model.load(ONNX)
    with pytest.raises(BabycryError, match=r"pip install 'babycry-edge\[tflite\]'"):
        Model.load(TFLITE)


def test_an_engine_for_the_other_format_is_refused() -> None:
    with pytest.raises(BabycryError, match="litert runs tflite files and this is onnx"):
        Model.load(ONNX, engine="litert")
    with pytest.raises(BabycryError, match="choose litert or tflite-runtime"):
        Model.load(TFLITE, engine="onnxruntime")
    with pytest.raises(BabycryError, match=f"no engine 'abacus': choose from {ENGINES[0]}"):
        Model.load(ONNX, engine="abacus")
    with pytest.raises(BabycryError, match="threads must be 1 or more"):
        Model.load(ONNX, threads=0)


def test_a_model_that_the_engine_refuses_is_one_clear_line(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(ONNX)
    model.graph.node[0].op_type = "Frobnicate"
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(BabycryError, match=r"odd\.onnx: onnxruntime cannot load the model: ") as e:
        Model.load(tmp_path / "odd.onnx")
    assert "\n" not in str(e.value)


def with_tflite_runtime(monkeypatch: pytest.MonkeyPatch, interpreter: object) -> None:
    """Put ``interpreter`` in place of tflite-runtime's, and take LiteRT away."""
    package = types.ModuleType("tflite_runtime")
    package.__spec__ = importlib.machinery.ModuleSpec("tflite_runtime", None, is_package=True)
    package.__path__ = []
    module = types.ModuleType("tflite_runtime.interpreter")
    module.Interpreter = interpreter  # type: ignore[attr-defined]
    without_module(monkeypatch, "ai_edge_litert")
    monkeypatch.setitem(sys.modules, "tflite_runtime", package)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)


def test_tflite_runtime_takes_over_where_litert_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_edge_litert.interpreter import Interpreter

    # The two libraries have the same interface; tflite-runtime itself needs numpy 1.
    with_tflite_runtime(monkeypatch, Interpreter)
    model = Model.load(TFLITE)
    assert model.engine == "tflite-runtime"
    assert model.self_check().passed


@pytest.mark.parametrize(
    ("numpy_version", "said"),
    [("1.26.4", "tflite-runtime cannot load the model: out of arena"), ("2.1.0", "'numpy<2'")],
)
def test_tflite_runtime_failing_under_numpy_2_names_the_mend(
    monkeypatch: pytest.MonkeyPatch, numpy_version: str, said: str
) -> None:
    def fail(**arguments: object) -> None:
        raise RuntimeError("out of arena")

    with_tflite_runtime(monkeypatch, fail)
    monkeypatch.setattr("babycry_edge.engines.tflite_engine.np.__version__", numpy_version)
    with pytest.raises(BabycryError, match=said):
        Model.load(TFLITE)


# ---- tensors, activations, windows


def test_quantising_rounds_half_to_even_and_clamps() -> None:
    info = TensorInfo("x", (7,), "int8", 0.5, 3)
    values = np.array([0.25, 0.75, -0.25, 1.25, 1000.0, -1000.0, 0.0], np.float32)
    stored = quantize(values, info)
    assert stored.dtype == np.int8
    assert stored.tolist() == [3, 5, 3, 5, 127, -128, 3]
    np.testing.assert_array_equal(dequantize(stored, info)[:4], [0.0, 1.0, 0.0, 1.0])
    unsigned = TensorInfo("x", (7,), "uint8", 0.5, 3)
    assert quantize(values, unsigned).tolist() == [3, 5, 3, 5, 255, 0, 3]


def test_a_float_tensor_keeps_its_values() -> None:
    values = np.array([0.1, -7.0], np.float32)
    info = TensorInfo("x", (2,), "float32")
    np.testing.assert_array_equal(dequantize(quantize(values, info), info), values)


def test_activations() -> None:
    logits = np.array([[0.0, np.log(3.0)], [1e4, -1e4]], np.float32)
    np.testing.assert_allclose(activate(logits, "softmax"), [[0.25, 0.75], [1, 0]], atol=1e-7)
    np.testing.assert_allclose(activate(logits, "sigmoid"), [[0.5, 0.75], [1, 0]], atol=1e-7)
    np.testing.assert_array_equal(activate(logits, "none"), logits)


def test_windows_overlap_by_the_hop_and_are_normalised_one_by_one() -> None:
    features = np.arange(40, dtype=np.float32).reshape(10, 4)
    plain = windows(features, 4, 3, "none")
    assert plain.shape == (3, 4, 4)
    np.testing.assert_array_equal(plain[1], features[3:7])
    centred = windows(features, 4, 3, "window_mean")
    np.testing.assert_allclose(centred, plain - plain.mean(axis=(1, 2), keepdims=True), atol=1e-5)
    assert windows(features[:3], 4, 3, "none").shape == (0, 4, 4)


def test_a_clips_windows_are_its_features_cut_and_normalised() -> None:
    model = Model.load(ONNX)
    golden = golden_of(model)
    features = Frontend(replace(model.metadata.frontend, normalize="none"))(golden.pcm(), 16000)
    expected = windows(features, 100, 25, "window_mean")
    np.testing.assert_array_equal(clip_windows(golden.pcm(), 16000, model.metadata), expected)
    assert features_sha256(expected) == golden.features_sha256
