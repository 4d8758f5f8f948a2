"""scikit-learn classifiers, as an ONNX file of their own: there is nothing for torch to do.

``.skops`` files are read with an allow-list of types. ``.joblib`` and ``.pkl`` are pickles, which
can run code when they are opened, and are read only on request. Either way a process of its own
does it: a damaged pickle can bring Python itself down.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
import zipfile
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from babycry_convert.hub import FinishedModel
from babycry_convert.quiet import quiet
from babycry_convert.readers import ReadRequest
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

SUFFIXES = (".skops", ".joblib", ".pkl", ".pickle")

OPSET = 17

#: Types that skops leaves to us; each is one of the fitted parts of a classifier.
TRUSTED_TYPES = frozenset(
    {
        "sklearn.tree._tree.Tree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    }
)

#: Largest difference of a score from scikit-learn's, per unit of the largest.
TOLERANCE = 1e-5

_TIMEOUT_S = 600.0
_PROBES = 256
_MAX_MEMBERS = 100_000
_MAX_UNPACKED_BYTES = 1 << 30
_MAX_SCHEMA_BYTES = 64 << 20


def sniff(path: Path, head: bytes) -> bool:
    if path.suffix.lower() in SUFFIXES:
        return not head.startswith(b"PK") or b"/data.pkl" not in head  # torch's zip, misnamed
    return False


def read(path: Path, request: ReadRequest) -> FinishedModel:
    """The classifier as ONNX: float32 ``features`` (N, F) to float32 ``scores`` (N, n_classes).

    The scores are probabilities, or the decision function where there are none; ``note`` says
    which, and gives the classes in their order. Compared with scikit-learn on random rows.

    Raises:
        BabycryError: a pickle without ``trust_pickle``, a damaged file, a type or a classifier that
            cannot be converted, or sizes that do not fit the request.
    """
    if not _is_skops(path):
        if not request.trust_pickle:
            raise BabycryError(
                f"{path}: a pickle can run code when it is opened: use --trust-pickle if you trust"
                " its author, or have it saved as .skops (skops.io.dump)"
            )
        sys.stderr.write(f"babycry-edge: warning: {path} is a pickle and may run code\n")
    with tempfile.TemporaryDirectory() as work:
        answer = _run(path, request, Path(work))
        data = (Path(work) / "model.onnx").read_bytes()
    return FinishedModel(data, "onnx", answer["note"], _Reference(path))


class _Reference:
    """scikit-learn's own scores (k, n_classes) of windows (k, T, F).

    Opens, in this process, a file that another one has opened and checked before.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _model(self) -> Any:
        return _load(self._path)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = np.asarray(windows, dtype=np.float32).reshape(len(windows), -1)
            return _scores(self._model, rows).astype(np.float32)


def main(arguments: list[str]) -> None:
    """The process of :func:`read`: PATH STEPS FEATURES CLASSES FOLDER."""
    path, steps, features, n_classes, folder = arguments
    request = ReadRequest(int(n_classes), (int(steps), int(features)), "NF")
    try:
        made = convert(Path(path), request)
        (Path(folder) / "model.onnx").write_bytes(made.data)
        answer = {"note": made.note}
    except BabycryError as error:
        answer = {"error": str(error)}
    (Path(folder) / "answer.json").write_text(json.dumps(answer), "utf-8")


def _run(path: Path, request: ReadRequest, work: Path) -> dict[str, str]:
    """Run :func:`main` in a process of its own; what it left in answer.json."""
    sizes = [str(size) for size in (*request.window_shape, request.n_classes)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        "PYTHONSAFEPATH": "1",
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(path), *sizes, str(work)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BabycryError(f"{path}: reading it took more than {_TIMEOUT_S:.0f} s") from None
    answer = work / "answer.json"
    if not answer.is_file():
        raise BabycryError(f"{path}: damaged: reading it ended with status {done.returncode}")
    content: dict[str, str] = json.loads(answer.read_text("utf-8"))
    if "error" in content:
        raise BabycryError(content["error"])
    return content


def convert(path: Path, request: ReadRequest) -> FinishedModel:
    """:func:`read` in this process; a pickle is opened without a question."""
    require("sklearn", "scikit-learn")
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = _load(path)
    if any(type(w.message).__name__ == "InconsistentVersionWarning" for w in caught):
        notes.append("it was saved by another version of scikit-learn")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _check_estimator(model)
            _check_sizes(model, request)
            data, kind = _onnx(model)
            _compare(model, data)
    except BabycryError as error:
        raise BabycryError(f"{path}: {error}") from None
    except Exception as error:  # a damaged estimator can fail anywhere in the libraries
        raise BabycryError(f"{path}: damaged scikit-learn model: {_first_line(error)}") from None
    classes = ", ".join(str(c) for c in model.classes_)
    notes.insert(0, f"{_name(model)} from scikit-learn: {kind} of the classes {classes}")
    return FinishedModel(data, "onnx", "; ".join(notes))


def _is_skops(path: Path) -> bool:
    return zipfile.is_zipfile(path) or path.suffix.lower() == ".skops"


def _load(path: Path) -> Any:
    try:
        if _is_skops(path):
            return _load_skops(path)
        return require("joblib", "scikit-learn").load(path)
    except BabycryError:
        raise
    except Exception as error:  # unpickling raises anything
        raise BabycryError(f"{path}: damaged scikit-learn file: {_first_line(error)}") from None


def _load_skops(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        sizes = {member.filename: member.file_size for member in members}
        if "schema.json" not in sizes:
            raise BabycryError(f"{path}: no skops file: schema.json is missing")
        if (
            len(members) > _MAX_MEMBERS
            or sum(sizes.values()) > _MAX_UNPACKED_BYTES
            or sizes["schema.json"] > _MAX_SCHEMA_BYTES
        ):
            raise BabycryError(f"{path}: too large when unpacked: no model for a device")
        if len(members) != len(sizes):
            raise BabycryError(f"{path}: a name stands twice in the archive")
        if archive.testzip() is not None:
            raise BabycryError(f"{path}: damaged: a checksum in the archive is wrong")
    require("skops", "scikit-learn")
    from skops import io

    strangers = sorted(set(io.get_untrusted_types(file=path)) - TRUSTED_TYPES)
    if strangers:
        raise BabycryError(f"{path}: holds a {strangers[0]}, which is none of the known safe types")
    return io.load(path, trusted=sorted(TRUSTED_TYPES))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def _steps(model: Any) -> list[Any]:
    """The steps of a pipeline; a classifier alone is its only step."""
    if type(model).__name__ != "Pipeline":
        return [model]
    return [step for _, estimator in model.steps for step in _steps(estimator)]


def _name(model: Any) -> str:
    return type(_steps(model)[-1]).__name__


def _check_estimator(model: Any) -> None:
    from sklearn.base import BaseEstimator, is_classifier
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(model, BaseEstimator):
        raise BabycryError(f"holds a {type(model).__name__}, not a scikit-learn model")
    for step in _steps(model):
        if type(step).__name__.startswith("HistGradientBoosting"):
            raise BabycryError(
                "HistGradientBoosting cannot be written as ONNX: train a"
                " GradientBoostingClassifier or a RandomForestClassifier"
            )
    if not is_classifier(model):
        raise BabycryError(f"{_name(model)} is no classifier")
    check_is_fitted(model)
    for step in _steps(model):
        _check_trees(step)
        _check_support_vectors(step)


def _check_trees(estimator: Any) -> None:
    """scikit-learn follows a tree's links unchecked; a crafted file must not lead it astray."""
    members = np.ravel(np.asarray(getattr(estimator, "estimators_", []), dtype=object))
    for tree in [member.tree_ for member in members if hasattr(member, "tree_")] + [
        getattr(estimator, "tree_", None)
    ]:
        if tree is None:
            continue
        left, right = tree.children_left, tree.children_right
        own = np.arange(len(left))
        inner = left != -1
        both = np.stack((left, right))[:, inner]
        if (
            np.any((right == -1) == inner)
            or np.any(both <= own[inner])
            or np.any(both >= len(own))
            or np.any(tree.feature[inner] < 0)
            or np.any(tree.feature[inner] >= tree.n_features)
            or tree.n_features != estimator.n_features_in_
        ):
            raise BabycryError("damaged: a decision tree's links lead nowhere")


def _check_support_vectors(estimator: Any) -> None:
    if not hasattr(estimator, "support_vectors_"):
        return
    if hasattr(estimator.support_vectors_, "tocsr"):
        raise BabycryError("support vectors are sparse: train on dense rows")
    n_classes = len(estimator.classes_)
    pairs = n_classes * (n_classes - 1) // 2
    vectors = estimator.support_vectors_
    wrong = (
        vectors.shape != (int(np.sum(estimator.n_support_)), estimator.n_features_in_)
        or np.any(np.asarray(estimator.n_support_) < 0)
        or len(estimator.n_support_) != n_classes
        or estimator.dual_coef_.shape != (n_classes - 1, len(vectors))
        or estimator._dual_coef_.shape != (n_classes - 1, len(vectors))
        or len(estimator.intercept_) != pairs
        or len(estimator._intercept_) != pairs
        or len(estimator.support_) != len(vectors)
        or len(estimator._probA) not in (0, pairs)
        or len(estimator._probB) != len(estimator._probA)
    )
    if wrong:
        raise BabycryError("damaged: the support vectors do not fit their coefficients")


def _check_sizes(model: Any, request: ReadRequest) -> None:
    steps, features = request.window_shape
    wanted, given = steps * features, int(model.n_features_in_)
    if given != wanted:
        raise BabycryError(
            f"takes {given} features, but the recipe's window gives {steps} x {features} = {wanted}"
        )
    if len(model.classes_) != request.n_classes:
        raise BabycryError(
            f"has {len(model.classes_)} classes, but the recipe has {request.n_classes} labels"
        )


def _onnx(model: Any) -> tuple[bytes, str]:
    """The file's bytes, and what its scores are."""
    require("skl2onnx", "scikit-learn")
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    last = _steps(model)[-1]
    if getattr(last, "decision_function_shape", None) == "ovo":
        last.decision_function_shape = "ovr"  # a score for each class, not for each pair
    options: dict[str, Any] = {}
    kind = "probabilities"
    if type(last).__name__ != "LinearSVC":  # which knows no zipmap
        options["zipmap"] = False
    if not hasattr(model, "predict_proba"):
        options["raw_scores"] = True
        kind = "decision scores (it gives no probabilities)"
    kinds = [("features", FloatTensorType([None, int(model.n_features_in_)]))]
    try:
        with quiet():  # options of the whole pipeline would turn the sign of an SVC's scores
            found = convert_sklearn(
                model, "scores", kinds, options={id(last): options}, target_opset=OPSET
            )
    except Exception as error:
        raise BabycryError(
            f"{_name(model)} cannot be written as ONNX: {_first_line(error)}"
        ) from None
    _only_scores(found, len(model.classes_))
    return found.SerializeToString(deterministic=True), kind


def _only_scores(model: Any, n_classes: int) -> None:
    """Leave the scores as the one output, named "scores", and drop what only made the label."""
    from onnx import TensorProto, helper

    graph = model.graph
    scores = [
        output.name
        for output in graph.output
        if output.type.tensor_type.elem_type == TensorProto.FLOAT
        and len(output.type.tensor_type.shape.dim) == 2
    ]
    if len(scores) != 1:
        raise BabycryError("its ONNX form has no row of scores")
    while True:  # from the last node back: what nothing reads goes
        read = {name for node in graph.node for name in node.input} | set(scores)
        dead = [node for node in graph.node if not read & set(node.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for initializer in [i for i in graph.initializer if i.name not in used]:
        graph.initializer.remove(initializer)
    for node in graph.node:
        node.output[:] = ["scores" if name == scores[0] else name for name in node.output]
        node.input[:] = ["scores" if name == scores[0] else name for name in node.input]
    del graph.output[:]
    graph.output.append(
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, n_classes])
    )
    model.producer_name = model.producer_version = model.domain = model.doc_string = ""
    model.model_version = 0


def _compare(model: Any, data: bytes) -> None:
    onnxruntime = require("onnxruntime", "onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with quiet():
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    rows = _probes(model)
    expected = _scores(model, rows)
    given = session.run(None, {"features": rows})[0]
    if given.shape != expected.shape:
        raise BabycryError(f"its ONNX form has scores of {given.shape}, not {expected.shape}")
    limit = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    error = float(np.abs(given - expected).max())
    ranked = np.sort(expected, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > 2 * limit
    if not error <= limit or np.any((given.argmax(1) != expected.argmax(1))[clear]):
        raise BabycryError(f"its ONNX form differs from scikit-learn by {error:.2g}: not used")


def _scores(model: Any, rows: np.ndarray) -> np.ndarray:
    """scikit-learn's probabilities, or its decision scores as one column a class."""
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(rows))
    last = _steps(model)[-1]
    if getattr(last, "decision_function_shape", None) == "ovo":
        last.decision_function_shape = "ovr"  # a score for each class, not for each pair
    decision = np.asarray(model.decision_function(rows))
    return np.stack((-decision, decision), axis=1) if decision.ndim == 1 else decision


def _probes(model: Any) -> np.ndarray:
    """Rows of the size that the model was fitted on, some small and some far out."""
    generator = np.random.default_rng(0)
    width = int(model.n_features_in_)
    rows = generator.standard_normal((_PROBES, width))
    rows *= 10.0 ** generator.uniform(-1.0, 0.7, size=(_PROBES, 1))
    first = _steps(model)[0]
    mean, scale = getattr(first, "mean_", None), getattr(first, "scale_", None)
    if getattr(first, "support_vectors_", None) is not None:
        mean, scale = first.support_vectors_.mean(axis=0), first.support_vectors_.std(axis=0)
    elif hasattr(first, "estimators_"):
        mean, scale = _thresholds(first, width)
    if scale is not None:
        rows = rows * scale
    if mean is not None:
        rows = rows + mean
    return np.ascontiguousarray(rows, dtype=np.float32)


def _thresholds(forest: Any, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each feature's thresholds."""
    mean, scale = np.zeros(width), np.ones(width)
    members = np.ravel(np.asarray(forest.estimators_, dtype=object))
    trees = [member.tree_ for member in members if hasattr(member, "tree_")]
    if not trees:
        return mean, scale
    features = np.concatenate([tree.feature for tree in trees])
    thresholds = np.concatenate([tree.threshold for tree in trees])
    for feature in range(width):
        own = thresholds[features == feature]
        if len(own):
            mean[feature], scale[feature] = own.mean(), own.std() or 1.0
    return mean, scale


if __name__ == "__main__":
    main(sys.argv[1:])
