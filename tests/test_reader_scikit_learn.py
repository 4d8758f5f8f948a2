"""scikit-learn to ONNX: the same scores; pickles only on request; damaged files, one line each."""

from __future__ import annotations

import json
import os
import pickle
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_edge.errors import BabycryError
from babycry_edge.model_file import ModelFile

pytest.importorskip("sklearn")
pytest.importorskip("skl2onnx")
pytest.importorskip("onnx")
joblib = pytest.importorskip("joblib")
skops_io = pytest.importorskip("skops.io")
onnxruntime = pytest.importorskip("onnxruntime")

from sklearn.ensemble import (  # noqa: E402  (after the skips)
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC, LinearSVC  # noqa: E402

from babycry_convert.hub import FinishedModel  # noqa: E402
from babycry_convert.readers import ReadRequest, find_reader, scikit_learn  # noqa: E402
from babycry_edge.onnx_file import read_onnx  # noqa: E402

WIDTH = 8
pytestmark = pytest.mark.filterwarnings("ignore")


def rows(count: int = 300, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((count, WIDTH))
    return (values * np.arange(1, WIDTH + 1) + 5.0).astype(np.float32)


def labels(kind: str) -> np.ndarray:
    x = rows()
    two = (x[:, 0] + 0.5 * x[:, 1] > 7.5).astype(int)
    three = two + (x[:, 2] > 6.0)
    return {"two": two, "three": three, "text": np.array(["cry", "other", "x"])[three]}[kind]


def request(n_classes: int = 3, **changes: Any) -> ReadRequest:
    return ReadRequest(n_classes, (1, WIDTH), "NF", **changes)


CLASSIFIERS = {
    "forest": RandomForestClassifier(10, random_state=0),
    "extra trees": ExtraTreesClassifier(10, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=4, random_state=0),
    "svc": SVC(),
    "svc of pairs": SVC(decision_function_shape="ovo"),
    "svc with probabilities": SVC(probability=True, random_state=0),
    "linear svc": LinearSVC(random_state=0),
    "logistic": LogisticRegression(),
    "mlp": MLPClassifier((8,), max_iter=30, random_state=0),
}


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("kind", ["two", "three", "text"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_scores_equal_scikit_learn(name: str, kind: str, scaled: bool, tmp_path: Path) -> None:
    model: Any = CLASSIFIERS[name]
    if scaled:
        model = make_pipeline(StandardScaler(), model)
    model.fit(rows(), labels(kind))
    path = tmp_path / "model.skops"
    skops_io.dump(model, path)
    converted = scikit_learn.convert(path, request(len(model.classes_)))
    x = rows(seed=1)
    if hasattr(model, "predict_proba"):
        expected = model.predict_proba(x)
        assert "probabilities of the classes" in converted.note
    else:
        step = model[-1] if scaled else model
        if name == "svc of pairs":
            step.decision_function_shape = "ovr"
        expected = model.decision_function(x)
        if kind == "two":
            expected = np.stack((-expected, expected), axis=1)
        assert "decision scores (it gives no probabilities)" in converted.note
    given = run(converted.data, x)
    np.testing.assert_allclose(given, expected, atol=1e-5 * max(1.0, np.abs(expected).max()))
    assert ", ".join(str(c) for c in model.classes_) in converted.note
    file = read_onnx(converted.data)
    check_border(file, len(model.classes_))
    assert scikit_learn.convert(path, request(len(model.classes_))).data == converted.data


def run(data: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    scores: np.ndarray
    (scores,) = session.run(None, {"features": x})
    return scores


def check_border(file: ModelFile, n_classes: int) -> None:
    (given,), (made,) = file.inputs, file.outputs
    assert (given.name, given.shape, given.dtype) == ("features", (-1, WIDTH), "float32")
    assert (made.name, made.shape, made.dtype) == ("scores", (-1, n_classes), "float32")
    assert "ZipMap" not in dict(file.operators)


@pytest.fixture(scope="module")
def forest_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("forest")
    model = RandomForestClassifier(5, random_state=0).fit(rows(), labels("three"))
    files = {name: folder / f"forest.{name}" for name in ("skops", "joblib", "pkl")}
    skops_io.dump(model, files["skops"])
    joblib.dump(model, files["joblib"], compress=3)
    files["pkl"].write_bytes(pickle.dumps(model))
    return files


def test_every_kind_of_file_gives_the_same_bytes(
    forest_files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    made: dict[str, FinishedModel] = {}
    for name, path in forest_files.items():
        assert find_reader(path) == "scikit_learn"
        made[name] = scikit_learn.read(path, request(trust_pickle=name != "skops"))
        assert ("is a pickle and may run code" in capsys.readouterr().err) == (name != "skops")
    assert made["skops"].data == made["joblib"].data == made["pkl"].data
    assert made["skops"].note == made["joblib"].note == made["pkl"].note
    assert made["skops"].format == "onnx"
    reference = made["skops"].reference
    assert reference is not None
    x = rows(5)
    given = reference(x[:, None, :])
    np.testing.assert_allclose(given, run(made["skops"].data, x), atol=1e-6)


def one_line(path: Path, wanted: ReadRequest, match: str, read: Any = scikit_learn.convert) -> None:
    with pytest.raises(BabycryError, match=match) as caught:
        read(path, wanted)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


class Evil:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("suffix", ["joblib", "pkl"])
def test_a_pickle_is_refused_and_not_run(suffix: str, tmp_path: Path) -> None:
    marker, path = tmp_path / "ran", tmp_path / f"evil.{suffix}"
    path.write_bytes(pickle.dumps(Evil(marker)))
    one_line(path, request(), "--trust-pickle.*skops", scikit_learn.read)
    assert not marker.exists()


class Crash:
    def __reduce__(self) -> Any:
        return os.abort, ()


def test_a_pickle_that_brings_python_down(tmp_path: Path) -> None:
    path = tmp_path / "crash.pkl"
    path.write_bytes(pickle.dumps(Crash()))
    one_line(path, request(trust_pickle=True), "ended with status -6", scikit_learn.read)


def test_a_skops_file_of_unknown_types(tmp_path: Path) -> None:
    path = tmp_path / "neighbours.skops"
    skops_io.dump(KNeighborsClassifier().fit(rows(), labels("two")), path)
    one_line(path, request(2), "none of the known safe types")
    crafted = tmp_path / "crafted.skops"
    marker = tmp_path / "ran"
    schema = {
        "__class__": "system",
        "__module__": "os",
        "__loader__": "ObjectNode",
        "__id__": 1,
        "content": {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode",
                    "content": json.dumps(f"touch {marker}"), "__id__": 2, "is_json": True},
        "protocol": 2,
        "_skops_version": "0.16.0",
    }  # fmt: skip
    with zipfile.ZipFile(crafted, "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    one_line(crafted, request(2), "none of the known safe types|damaged")
    assert not marker.exists()


def test_a_tree_whose_links_lead_astray(tmp_path: Path) -> None:
    model = RandomForestClassifier(2, random_state=0).fit(rows(), labels("two"))
    for change in ("loop", "outside", "feature"):
        tree = model.estimators_[1].tree_
        state = tree.__getstate__()
        nodes = state["nodes"].copy()
        nodes["left_child"][0] = {"loop": 0, "outside": 10**6}.get(change, nodes["left_child"][0])
        nodes["feature"][0] = WIDTH + 3 if change == "feature" else nodes["feature"][0]
        broken = type(tree)(WIDTH, np.array([2]), 1)
        broken.__setstate__({**state, "nodes": nodes})
        broken_model = RandomForestClassifier(2, random_state=0).fit(rows(), labels("two"))
        broken_model.estimators_[1].tree_ = broken
        path = tmp_path / f"{change}.skops"
        skops_io.dump(broken_model, path)
        one_line(path, request(2), "links lead nowhere")


def test_support_vectors_that_do_not_fit(tmp_path: Path) -> None:
    model = SVC().fit(rows(), labels("two"))
    model._n_support = np.array([10**6, 3], dtype=np.int32)
    path = tmp_path / "m.skops"
    skops_io.dump(model, path)
    one_line(path, request(2), "support vectors do not fit")


def test_what_cannot_be_converted(tmp_path: Path) -> None:
    x, y = rows(), labels("two")
    path = tmp_path / "m.skops"
    for model, match in (
        (HistGradientBoostingClassifier(max_iter=2).fit(x, y), "train a GradientBoosting"),
        (RandomForestRegressor(2).fit(x, y), "is no classifier"),
        (SVC(), "not fitted"),
        ([1, 2], "holds a list, not a scikit-learn model"),
    ):
        skops_io.dump(model, path)
        one_line(path, request(2), match)


def test_sizes_that_do_not_fit(forest_files: dict[str, Path]) -> None:
    path = forest_files["skops"]
    one_line(path, request(2), "has 3 classes, but the recipe has 2 labels")
    one_line(
        path,
        ReadRequest(3, (10, 8), "NF"),
        "takes 8 features, but the recipe's window gives 10 x 8",
    )


def test_a_wrong_onnx_is_refused(
    forest_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.ensemble import RandomForestClassifier as Forest

    honest = Forest.predict_proba
    monkeypatch.setattr(Forest, "predict_proba", lambda self, x: honest(self, x)[:, ::-1])
    one_line(forest_files["skops"], request(), "differs from scikit-learn by")


@pytest.mark.parametrize("kind", ["skops", "joblib", "pkl"])
def test_damaged_files_give_one_line(
    kind: str, forest_files: dict[str, Path], tmp_path: Path
) -> None:
    data = forest_files[kind].read_bytes()
    path = tmp_path / f"m.{kind}"
    for seed in range(12):
        path.write_bytes(data[: random.Random(seed).randrange(len(data))])
        one_line(path, request(trust_pickle=True), "damaged|schema.json is missing")
    if kind == "skops":
        for seed in range(12):
            chance = random.Random(seed)
            damaged = bytearray(data)
            for _ in range(8):
                damaged[chance.randrange(len(data))] ^= 1 + chance.randrange(255)
            path.write_bytes(damaged)
            one_line(path, request(), "damaged|twice")


def test_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.skops"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("schema.json", "w") as member,
    ):
        for _ in range(70):
            member.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    one_line(path, request(), "too large when unpacked")
