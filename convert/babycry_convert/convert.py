"""One trained network -> float and int8 ONNX and TFLite files that check themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from babycry_convert.calibration import Calibration
from babycry_convert.embed import embed
from babycry_convert.writers.onnx_float import export_onnx
from babycry_convert.writers.onnx_int8 import output_scale, quantize_onnx
from babycry_convert.writers.tflite_float import export_tflite
from babycry_convert.writers.tflite_int8 import quantize_tflite
from babycry_edge.detector import Detector
from babycry_edge.engines.tflite_engine import open_litert
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Activation, Golden, GoldenEvent, ModelMetadata
from babycry_edge.model import Model, features_sha256, golden_windows
from babycry_edge.model_file import ModelFormat
from babycry_edge.tflite_file import read_tflite

if TYPE_CHECKING:
    from torch import nn

#: How far a float file's scores may move between machines: the order of additions differs.
FLOAT_SCORE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class ConvertedFiles:
    """The four files of one network; all carry the same metadata but for their own scores."""

    float_onnx: Path
    int8_onnx: Path
    float_tflite: Path
    int8_tflite: Path

    def paths(self) -> tuple[Path, Path, Path, Path]:
        return self.float_onnx, self.int8_onnx, self.float_tflite, self.int8_tflite


def convert_module(
    module: nn.Module,
    metadata: ModelMetadata,
    calibration: npt.NDArray[np.float32],
    calibration_list: list[str],
    golden_pcm: npt.NDArray[np.int16],
    out_dir: Path,
    stem: str,
) -> ConvertedFiles:
    """Convert a network, record golden answers from each written file and check each one.

    Args:
        module: maps float32 ``(N, 1, T, F)`` to logits ``(N, n_labels)``.
        metadata: everything but the calibration fields and ``golden``, which are set here.
        calibration: windows as the model sees them, float32 ``(n, T, F)``.
        calibration_list: the recordings that the windows come from, each named once.
        golden_pcm: ``(n_samples,)`` int16 at the front-end's sample rate, one window or longer.
        out_dir: folder of the files, made if absent.
        stem: file names are ``{stem}_float.onnx``, ``{stem}.onnx``, ``{stem}_float.tflite`` and
            ``{stem}.tflite``.

    Returns:
        The paths. The same arguments give the same bytes.

    Raises:
        BabycryError: arguments that do not fit each other, a missing library, or a written file
            that fails its own golden check. Then no file has been replaced.
    """
    recordings = Calibration(calibration, tuple(calibration_list))
    frames, features = metadata.window_shape
    if calibration.shape[1:] != (frames, features):
        raise BabycryError(
            f"calibration windows have shape {calibration.shape}, the metadata says "
            f"(n, {frames}, {features})"
        )
    described = replace(
        metadata, calibration_sha256=recordings.sha256, calibration_count=recordings.count
    )
    described = replace(described, golden=unanswered(described, golden_pcm))
    windows = np.ascontiguousarray(calibration, dtype=np.float32)
    float_onnx = export_onnx(module, frames, features)
    float_tflite = export_tflite(module, frames, features)
    models: dict[str, tuple[bytes, ModelFormat]] = {
        f"{stem}_float.onnx": (float_onnx, "onnx"),
        f"{stem}.onnx": (quantize_onnx(float_onnx, windows), "onnx"),
        f"{stem}_float.tflite": (float_tflite, "tflite"),
        f"{stem}.tflite": (quantize_tflite(float_tflite, windows), "tflite"),
    }
    drafts = [Draft(name, data, kind, described) for name, (data, kind) in models.items()]
    with checked_files(drafts, out_dir) as paths:
        return ConvertedFiles(*install(paths, out_dir))


def score_tolerance(scale: float | None, activation: Activation) -> float:
    """How far a score may be from the recorded one, for an output of the given scale.

    Kernels of two machines may round a logit to neighbouring steps (1 LSB). With softmax two logits
    may move apart by a step each and the slope of a probability is at most 1/4; a sigmoid's slope
    is at most 1/4 of one step. None is a float output.
    """
    if scale is None:
        return FLOAT_SCORE_TOLERANCE
    slope = {"softmax": 2 / 4, "sigmoid": 1 / 4, "none": 1.0}[activation]
    return FLOAT_SCORE_TOLERANCE + slope * scale


@dataclass(frozen=True)
class Draft:
    """A model before it is written: its bytes, and what its file will say of itself."""

    name: str
    data: bytes
    format: ModelFormat
    metadata: ModelMetadata


@contextmanager
def checked_files(drafts: Sequence[Draft], out_dir: Path) -> Iterator[list[Path]]:
    """Write models beside their place, each with its own golden answers, and check each there.

    Args:
        drafts: with metadata whose golden input is still unanswered.
        out_dir: folder of the files, made if absent.

    Yields:
        The written files, in a folder inside ``out_dir`` that goes away at the end: :func:`install`
        those that are wanted.

    Raises:
        BabycryError: a written file fails its own golden check, or the disk is full.
    """
    made = not out_dir.exists()
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".convert-", dir=out_dir) as folder:
            paths = [Path(folder, draft.name) for draft in drafts]
            for path, draft in zip(paths, drafts, strict=True):
                _write_checked(path, draft)
            yield paths
    except OSError as error:
        raise BabycryError(f"{out_dir}: cannot be written: {error.strerror or error}") from None
    finally:
        if made and out_dir.is_dir() and not any(out_dir.iterdir()):
            out_dir.rmdir()


def install(paths: Sequence[Path], out_dir: Path) -> list[Path]:
    """Rename checked files into their folder."""
    return [path.replace(out_dir / path.name) for path in paths]


def unanswered(metadata: ModelMetadata, pcm: npt.NDArray[np.int16]) -> Golden:
    """The golden input with the hash of its features, before any model has answered."""
    if pcm.dtype != np.int16 or pcm.ndim != 1:
        raise BabycryError(f"the golden input is {pcm.dtype} {pcm.shape}, not int16 (n_samples,)")
    golden = Golden(
        pcm_s16le_zlib_b64=Golden.encode_pcm(pcm),
        sample_rate=metadata.frontend.sample_rate,
        n_samples=len(pcm),
        features_sha256="0" * 64,
        scores=(0.0,),
        score_tolerance=1.0,
    )
    cut = golden_windows(metadata, golden)
    golden = replace(golden, features_sha256=features_sha256(cut), scores=(0.0,) * len(cut))
    replace(metadata, golden=golden).to_json()  # refuses metadata out of range, before the work
    return golden


def _write_checked(path: Path, draft: Draft) -> None:
    """Write the model, let it answer, write it again with its answers, and load it as a user."""
    data, kind, metadata = draft.data, draft.format, draft.metadata
    path.write_bytes(embed(data, kind, metadata.to_json()))
    model = Model.load(path, verify=False)
    answered = _answer(model, _OUTPUT_SCALE[kind](data))
    if kind == "tflite":
        answered = _tolerant(answered, path, model)
    path.write_bytes(embed(data, kind, replace(metadata, golden=answered).to_json()))
    Model.load(path, verify=True)


def _tflite_output_scale(model: bytes) -> float | None:
    return read_tflite(model).outputs[0].scale


_OUTPUT_SCALE: dict[ModelFormat, Callable[[bytes], float | None]] = {
    "onnx": output_scale,
    "tflite": _tflite_output_scale,
}


def _answer(model: Model, scale: float | None) -> Golden:
    metadata = model.metadata
    golden = metadata.golden
    if golden is None:
        raise BabycryError("the metadata has no golden input")
    scores = model.scores(golden_windows(metadata, golden))[:, metadata.target_index]
    detection = Detector(model).detect(golden.pcm(), golden.sample_rate)
    return replace(
        golden,
        scores=tuple(float(score) for score in scores),
        score_tolerance=score_tolerance(scale, metadata.activation),
        events=tuple(
            GoldenEvent(event.label, event.start_s, _end(event.end_s, golden), event.score)
            for event in detection.events
        ),
    )


def _tolerant(golden: Golden, path: Path, model: Model) -> Golden:
    """With room for what the reference kernels answer, which a deep network rounds otherwise."""
    metadata = model.metadata
    if model.file.inputs[0].dtype != "int8":
        return golden
    engine = open_litert(path.read_bytes(), 1, metadata.recurrence, reference_kernels=True)
    cut = golden_windows(metadata, golden)
    scores = Model(path, model.file, metadata, engine).scores(cut)[:, metadata.target_index]
    moved = float(np.abs(scores - np.array(golden.scores, np.float32)).max())
    one_step = golden.score_tolerance
    return golden if moved <= one_step else replace(golden, score_tolerance=moved + one_step)


def _end(end_s: float | None, golden: Golden) -> float:
    return golden.n_samples / golden.sample_rate if end_s is None else end_s
