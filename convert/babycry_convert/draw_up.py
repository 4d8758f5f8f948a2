"""The model files of one conversion before they are written: float and int8, of both formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate.ranges import Observations, RangeSettings
from babycry_convert.choose import (
    NEGLIGIBLE_LOSS,
    Candidate,
    ChosenFile,
    Settings,
    choose,
    compare,
    scores,
)
from babycry_convert.convert import Draft
from babycry_convert.hub import FinishedModel, Network
from babycry_convert.material import Material
from babycry_convert.recurrence import RecurrentFiles, convert_recurrent
from babycry_convert.recurrence.split import split
from babycry_convert.report import TensorPair
from babycry_convert.targets import ONNX, TFLITE
from babycry_edge.engines.tflite_engine import open_litert
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import ModelMetadata
from babycry_edge.model_file import ModelFormat
from babycry_edge.progress import Track
from babycry_edge.quantized_io import dequantize, quantize
from babycry_edge.tflite_file import read_tflite

if TYPE_CHECKING:
    from babycry_convert.conversion import Order, Source

Windows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DrawnUp:
    """All drafts of one conversion, in the order float, int8 of ONNX, then of TFLite.

    ``candidates``: what was tried. ``settings``: how each format's int8 file was made.
    ``pairs``: for the report's layers. ``notes``: for people.
    """

    drafts: tuple[Draft, ...]
    candidates: tuple[Candidate, ...] = ()
    settings: Mapping[ModelFormat, str] = field(default_factory=dict)
    pairs: Mapping[ModelFormat, TensorPair] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def draw_up(
    source: Source, metadata: ModelMetadata, material: Material, order: Order, track: Track
) -> DrawnUp:
    """Quantise a network for both engines, or wrap a finished model.

    Args:
        source: the checkpoint as read.
        metadata: with an unanswered golden input.
        material: calibration windows, and those that candidates are compared on.
        order: its name, recipe and form of recurrence.
        track: announces parts of the work.

    Raises:
        BabycryError: a library is missing, or the network cannot be written.
    """
    if source.finished is not None:
        return _wrapped(source.finished, metadata, order.name)
    assert source.network is not None
    network, recipe = source.network, order.recipe
    calibration = _standardised(material.calibration.windows, metadata)
    choice_windows = _standardised(material.choice.windows, metadata)

    def chosen(target: Any) -> ChosenFile:
        return choose(
            network,
            calibration,
            choice_windows,
            recipe.calibration,
            layers=recipe.layers,
            gates=recipe.gates,
            activation=recipe.labels.activation,
            targets=(target,),
            progress=track,
        ).files[target.format]

    onnx = chosen(ONNX)
    looping, refusal = _can_loop(network)
    if not looping:
        tflite = chosen(TFLITE)
        files = RecurrentFiles(tflite.float_model, tflite.int8_model, None)
        candidates, settings = tflite.candidates, str(tflite.settings)
        pair = TensorPair(tflite.source, tflite.int8_model, tflite.names)
    else:
        search = _RecurrentSearch(network, calibration, choice_windows, order, track)
        files, candidates, settings = search.run()
        pair = TensorPair(files.float_tflite, files.int8_tflite, {})
    looped = replace(metadata, recurrence=files.recurrence)
    name = order.name
    return DrawnUp(
        drafts=(
            Draft(f"{name}_float.onnx", onnx.float_model, "onnx", metadata),
            Draft(f"{name}.onnx", onnx.int8_model, "onnx", metadata),
            Draft(f"{name}_float.tflite", files.float_tflite, "tflite", looped),
            Draft(f"{name}.tflite", files.int8_tflite, "tflite", looped),
        ),
        candidates=(*onnx.candidates, *candidates),
        settings={"onnx": str(onnx.settings), "tflite": settings},
        pairs={
            "onnx": TensorPair(onnx.source, onnx.int8_model, onnx.names),
            "tflite": pair,
        },
        notes=(refusal,) if refusal else (),
    )


def _can_loop(network: Network) -> tuple[bool, str]:
    """Whether the network has recurrent layers that become cells; why not, if it has others."""
    try:
        return split(network) is not None, ""
    except BabycryError as error:
        return False, f"TFLite with every step unrolled by litert-torch: {error}"


def _wrapped(finished: FinishedModel, metadata: ModelMetadata, name: str) -> DrawnUp:
    draft = Draft(f"{name}.{finished.format}", finished.data, finished.format, metadata)
    return DrawnUp((draft,), notes=(finished.note,))


def _standardised(windows: Windows, metadata: ModelMetadata) -> Windows:
    return windows if metadata.standardize is None else metadata.standardize.apply(windows)


@dataclass(frozen=True)
class _RecurrentSearch:
    """Which ranges lose least in a TFLite file whose recurrent layers are cells."""

    network: Network
    calibration: Windows
    judged: Windows
    order: Order
    track: Track

    def run(self) -> tuple[RecurrentFiles, tuple[Candidate, ...], str]:
        """The best files, what was tried, and how they were made."""
        reference = scores(_torch_logits(self.network, self.judged), self._activation)
        best: tuple[float, RecurrentFiles, Candidate] | None = None
        tried = []
        for ranges in self._methods():
            advance = self.track(f"tflite: {ranges}", 1)
            files = convert_recurrent(
                self.network,
                self.calibration,
                form=self.order.recurrence,
                find_ranges=_finder(ranges),
            )
            assert files is not None
            logits = _tflite_logits(files, self.judged)
            figures = compare(reference, scores(logits, self._activation))
            advance()
            candidate = Candidate("tflite", Settings(ranges), figures)
            tried.append(candidate)
            if best is None or figures.loss < best[0]:
                best = (figures.loss, files, candidate)
            if figures.loss <= NEGLIGIBLE_LOSS:
                break
        assert best is not None
        return best[1], tuple(tried), str(best[2].settings)

    @property
    def _activation(self) -> Any:
        return self.order.recipe.labels.activation

    def _methods(self) -> tuple[RangeSettings, ...]:
        plan = self.order.recipe.calibration
        if plan.method != "auto":
            return (RangeSettings(plan.method, plan.percentile),)
        return (
            RangeSettings("min_max"),
            RangeSettings("percentile", plan.percentile),
            RangeSettings("mse"),
        )


def _finder(settings: RangeSettings) -> Callable[[Any], dict[str, tuple[float, float]]]:
    return lambda feed: dict(Observations(feed).ranges(settings))


def _torch_logits(network: Network, windows: Windows) -> npt.NDArray[np.float32]:
    import torch

    with torch.no_grad():
        parts = [network.module(part) for part in torch.from_numpy(windows)[:, None].split(16)]
    result: npt.NDArray[np.float32] = torch.cat(parts).numpy()
    return result


def _tflite_logits(files: RecurrentFiles, windows: Windows) -> npt.NDArray[np.float32]:
    engine = open_litert(files.int8_tflite, 1, files.recurrence)
    file = read_tflite(files.int8_tflite)
    (given,), (taken,) = file.inputs, file.outputs
    if any(size < 1 for size in given.shape):
        raise BabycryError(f"the TFLite input has shape {given.shape}")
    rows = [
        dequantize(engine.run(quantize(window.reshape(given.shape), given)), taken).reshape(-1)
        for window in windows
    ]
    return np.stack(rows)
