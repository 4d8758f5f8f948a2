"""The model files of one conversion before they are written: float and int8, of both formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from babycry_convert.choose import Candidate, choose
from babycry_convert.choose_recurrent import choose_recurrent
from babycry_convert.convert import Draft
from babycry_convert.hub import FinishedModel, Network
from babycry_convert.material import Material
from babycry_convert.recurrence import (
    CannotSplitError,
    RecurrentFiles,
    RecurrentParts,
    take_apart,
)
from babycry_convert.report import TensorPair
from babycry_convert.targets import ONNX, TFLITE
from babycry_edge.metadata import ModelMetadata
from babycry_edge.model_file import ModelFormat
from babycry_edge.progress import Track

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
    with _one_thread():
        return _quantised(source, metadata, material, order, track)


@contextmanager
def _one_thread() -> Iterator[None]:
    """torch on one thread: sums, and so bytes, do not depend on how many the machine has."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _quantised(
    source: Source, metadata: ModelMetadata, material: Material, order: Order, track: Track
) -> DrawnUp:
    assert source.network is not None
    network, recipe = source.network, order.recipe
    calibration = _standardised(material.calibration.windows, metadata)
    choice_windows = _standardised(material.choice.windows, metadata)

    parts, refusal = _parts(network)
    choice = choose(
        network,
        calibration,
        choice_windows,
        recipe.calibration,
        layers=recipe.layers,
        gates=recipe.gates,
        activation=recipe.labels.activation,
        targets=(ONNX, TFLITE) if parts is None else (ONNX,),
        progress=track,
    )
    onnx = choice.files["onnx"]
    if parts is None:
        tflite = choice.files["tflite"]
        files = RecurrentFiles(tflite.float_model, tflite.int8_model, None)
        candidates, settings = tflite.candidates, str(tflite.settings)
        pair = TensorPair(tflite.source, tflite.int8_model, tflite.names)
    else:
        files, candidates, settings = choose_recurrent(
            network, parts, calibration, choice_windows, recipe, order.recurrence, track
        )
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


def _parts(network: Network) -> tuple[RecurrentParts | None, str]:
    """The parts of a network with recurrent layers; why it has none, if it should."""
    try:
        return take_apart(network), ""
    except CannotSplitError as error:
        return None, f"TFLite with every step unrolled by litert-torch: {error}"


def _wrapped(finished: FinishedModel, metadata: ModelMetadata, name: str) -> DrawnUp:
    draft = Draft(f"{name}.{finished.format}", finished.data, finished.format, metadata)
    return DrawnUp((draft,), notes=(finished.note,))


def _standardised(windows: Windows, metadata: ModelMetadata) -> Windows:
    return windows if metadata.standardize is None else metadata.standardize.apply(windows)
