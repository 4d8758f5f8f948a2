"""Everything that the report says, measured on the files of one conversion."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import babycry_edge
from babycry_convert.gates import Cost, GateResult, judge
from babycry_convert.report.agreement import (
    Agreement,
    HeldOutClip,
    Scorer,
    Scores,
    answers,
    clip_drift,
    clip_scores,
    measure_agreement,
    measure_drift,
)
from babycry_convert.report.arena import estimate_arena
from babycry_convert.report.counts import count
from babycry_convert.report.layers import LayerFigures, compare_layers, parts_left_out
from babycry_convert.report.pictures import Pictures, draw
from babycry_convert.report.support import operator_support, self_checks
from babycry_convert.writers.operators import float_operators
from babycry_edge.model import Model
from babycry_edge.model_file import ModelFile, ModelFormat
from babycry_edge.model_reader import read_model_file

if TYPE_CHECKING:
    from babycry_convert.hub import Network
    from babycry_convert.recipe import Recipe
    from babycry_edge.metadata import Recurrence, Standardize

#: Version of the dictionary's layout.
SCHEMA_VERSION = 1

#: Clips that moved most and are shown.
WORST_CLIPS = 6

_LIBRARIES = ("numpy", "torch", "onnx", "onnxruntime", "ai-edge-litert", "ai-edge-quantizer")
_TITLES: dict[ModelFormat, str] = {"onnx": "int8 ONNX", "tflite": "int8 TFLite"}


@dataclass(frozen=True)
class TensorPair:
    """A float and an int8 model whose tensors correspond; ``names``: tensor -> torch layer."""

    float_model: bytes
    int8_model: bytes
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportInputs:
    """What the report is made from.

    ``paths``: the written files with their metadata. ``reference``: windows ``(k, T, F)`` as the
    front-end gives them -> the float network's logits; None where a file is its own reference.
    ``pairs``: the models to compare layer by layer. ``candidates``: each with "format", "settings",
    "agreement", "mean_score_drift", "loss". ``settings``: how each int8 file was made.
    """

    name: str
    recipe: Recipe
    checkpoint: str
    checkpoint_sha256: str
    reader: str
    architecture: str
    paths: Sequence[Path]
    held_out: Sequence[HeldOutClip]
    reference: Scorer | None
    network: Network | None = None
    pairs: Mapping[ModelFormat, TensorPair] = field(default_factory=dict)
    calibration_count: int = 0
    settings: Mapping[ModelFormat, str] = field(default_factory=dict)
    candidates: Sequence[Mapping[str, Any]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class _File:
    path: Path
    data: bytes
    content: ModelFile
    int8: bool


def build_report(inputs: ReportInputs) -> tuple[dict[str, Any], Pictures]:
    """Measure and judge the written files.

    Returns:
        The dictionary, made of what JSON can hold, and the pictures for the page. Keys:
        ``schema_version``, ``name``, ``created_with``, ``verdict`` ("passed", "failed" or "not
        judged"), ``gates`` (name, value, bound, passed), ``checkpoint``, ``recipe``,
        ``calibration``, ``network``, ``files``, ``engines`` (by format: the answers of the file
        against the float network), ``onnx_vs_tflite``, ``layers`` (by format, worst first),
        ``layers_left_out``, ``worst_clips``, ``versions`` and ``notes``.

    Raises:
        BabycryError: a file cannot be read or run, or there is no held-out clip.
    """
    files = [_read(path) for path in inputs.paths]
    recipe = inputs.recipe
    judged = _judged(files)
    activation = recipe.labels.activation
    int8 = {
        f: clip_scores(_scorer(item.path), inputs.held_out, activation)
        for f, item in judged.items()
    }
    real = None
    if inputs.reference is not None:
        real = clip_scores(inputs.reference, inputs.held_out, activation)
    truth = [clip.label for clip in inputs.held_out]
    engines: dict[ModelFormat, Agreement] = {}
    if real is not None:
        engines = {
            f: measure_agreement(real, s, truth, recipe.labels.names) for f, s in int8.items()
        }
    gates = judge({_title(judged[f]): _cost(a) for f, a in engines.items()}, recipe.gates)
    layers, left_out = _layers(inputs, judged)
    worst = [] if real is None else _worst_clips(inputs, real, int8)
    report = {
        "schema_version": SCHEMA_VERSION,
        "name": inputs.name,
        "created_with": f"babycry-edge {babycry_edge.__version__}",
        "verdict": _verdict(gates),
        "gates": [gate.to_dict() for gate in gates],
        "checkpoint": {
            "name": inputs.checkpoint,
            "sha256": inputs.checkpoint_sha256,
            "reader": inputs.reader,
            "architecture": inputs.architecture,
        },
        "recipe": _recipe(recipe),
        "calibration": {
            "method": dict(inputs.settings),
            "count": inputs.calibration_count,
            "candidates": [dict(candidate) for candidate in inputs.candidates],
        },
        "network": _network(inputs.network),
        "files": [_file(item) for item in files],
        "engines": {f: {"title": _title(judged[f]), **a.to_dict()} for f, a in engines.items()},
        "onnx_vs_tflite": _between(int8),
        "layers": {f: [layer.to_dict() for layer in ranking] for f, ranking in layers.items()},
        "layers_left_out": left_out,
        "worst_clips": worst,
        "versions": _versions(),
        "notes": list(inputs.notes),
    }
    plain: dict[str, Any] = _plain(report)
    return plain, draw(plain, layers, {clip.name: clip.windows for clip in inputs.held_out})


def _read(path: Path) -> _File:
    data, content = read_model_file(path)
    kinds = {name for name, _ in content.operators}
    int8 = "DequantizeLinear" in kinds or any(t.dtype == "int8" for t in content.inputs)
    return _File(path, data, content, int8)


def _judged(files: list[_File]) -> dict[ModelFormat, _File]:
    """Of each format the int8 file, or the only one."""
    judged: dict[ModelFormat, _File] = {}
    for item in files:
        known = judged.get(item.content.format)
        if known is None or (item.int8 and not known.int8):
            judged[item.content.format] = item
    return judged


def _title(item: _File) -> str:
    precision = "int8" if item.int8 else "float"
    return f"{precision} {'ONNX' if item.content.format == 'onnx' else 'TFLite'}"


def _scorer(path: Path) -> Scorer:
    return Model.load(path, verify=False).logits


def _cost(agreement: Agreement) -> Cost:
    loss = agreement.macro_f1_loss
    return Cost(
        agreement=agreement.agreement.value,
        macro_f1_loss=None if loss is None else loss.value,
        mean_score_drift=agreement.drift.mean,
    )


def _verdict(gates: list[GateResult]) -> str:
    if not gates:
        return "not judged"
    return "passed" if all(gate.passed for gate in gates) else "failed"


def _recipe(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "description": recipe.description,
        "front_end": recipe.frontend.to_dict(),
        "window_frames": recipe.window.frames,
        "hop_frames": recipe.window.hop_frames,
        "window_shape": list(recipe.window_shape),
        "labels": list(recipe.labels.names),
        "target": recipe.labels.target,
        "activation": recipe.labels.activation,
    }


def _network(network: Network | None) -> dict[str, Any] | None:
    if network is None:
        return None
    counts = count(network.module, network.window_shape)
    return {"parameters": counts.parameters, "macs": counts.macs}


def _file(item: _File) -> dict[str, Any]:
    form = item.content.format
    return {
        "name": item.path.name,
        "format": form,
        "precision": "int8" if item.int8 else "float",
        "bytes": item.content.size,
        "sha256": item.content.sha256,
        "float_operators": float_operators(item.data, form) if item.int8 else None,
        "arena_bytes": estimate_arena(item.data) if form == "tflite" else None,
        "support": [support.to_dict() for support in operator_support(item.data, form)],
        "self_check": [check.to_dict() for check in self_checks(item.path, form)],
    }


def _between(scores: Mapping[ModelFormat, Scores]) -> dict[str, Any] | None:
    """The two int8 files against each other."""
    if len(scores) < 2:
        return None
    onnx, tflite = scores["onnx"], scores["tflite"]
    return {
        "agreement": float((answers(onnx) == answers(tflite)).mean()),
        "drift": measure_drift(onnx, tflite).to_dict(),
    }


def _layers(
    inputs: ReportInputs, judged: Mapping[ModelFormat, _File]
) -> tuple[dict[ModelFormat, list[LayerFigures]], list[str]]:
    """Rankings of both formats, and what was left out of them."""
    windows = np.concatenate([clip.windows for clip in inputs.held_out])
    rankings: dict[ModelFormat, list[LayerFigures]] = {}
    left_out: list[str] = []
    for form, pair in inputs.pairs.items():
        metadata = Model.load(judged[form].path, verify=False).metadata
        recurrence: Recurrence | None = metadata.recurrence
        rankings[form] = compare_layers(
            pair.float_model,
            pair.int8_model,
            form,
            _standardised(windows, metadata.standardize),
            pair.names,
            recurrence,
        )
        if form == "tflite":
            left_out += parts_left_out(pair.int8_model, recurrence)
    return rankings, left_out


def _standardised(
    windows: npt.NDArray[np.float32], step: Standardize | None
) -> npt.NDArray[np.float32]:
    return windows if step is None else step.apply(windows)


def _worst_clips(
    inputs: ReportInputs, real: Scores, int8: Mapping[ModelFormat, Scores]
) -> list[dict[str, Any]]:
    """The clips whose scores moved most in either file, most first."""
    labels = inputs.recipe.labels.names
    moved = {form: clip_drift(real, scores) for form, scores in int8.items()}
    ranked = sorted(
        ((float(drift[i]), i, form) for form, drift in moved.items() for i in range(len(drift))),
        key=lambda entry: (-entry[0], entry[1], entry[2]),
    )
    chosen: dict[int, dict[str, Any]] = {}
    for drift, index, form in ranked:
        if len(chosen) == WORST_CLIPS:
            break
        if index in chosen:
            continue
        column = int(np.abs(real[index] - int8[form][index]).argmax())
        chosen[index] = {
            "name": inputs.held_out[index].name,
            "label": inputs.held_out[index].label,
            "file": _TITLES[form],
            "format": form,
            "drift": drift,
            "score_of": labels[column],
            "float_score": float(real[index, column]),
            "int8_score": float(int8[form][index, column]),
            "float_answer": _answer(real[index], labels),
            "int8_answer": _answer(int8[form][index], labels),
        }
    return list(chosen.values())


def _answer(scores: npt.NDArray[np.float64], labels: Sequence[str]) -> str:
    best = int(answers(scores[np.newaxis])[0])
    if len(labels) == 1:
        return labels[0] if best else f"not {labels[0]}"
    return labels[best]


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "babycry-edge": babycry_edge.__version__}
    for name in (*_LIBRARIES, "litert-torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _plain(value: Any) -> Any:
    """``value`` as JSON can hold it: numpy's scalars and tuples replaced."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value
