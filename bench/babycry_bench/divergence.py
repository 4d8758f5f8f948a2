"""Where the device's answer first leaves the reference's: audio, features, layer, score or event.

Each stage is judged on its own: features from the same audio, layers from the same features, and
only the scores and events are those of both pipelines from end to end. So the first stage that
fails is the one at fault, and those after it show what it led to.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from babycry_bench.accuracy.answer import FeatureSnr
from babycry_bench.accuracy.events import Alarm, EventRules, alarms_of, smoothed
from babycry_bench.accuracy.reference_pipeline import (
    ReferenceFrontend,
    best_frontend,
    find_reference,
    reference_windows,
)
from babycry_bench.clip_audio import at_rate
from babycry_bench.clips import Clip
from babycry_edge import Detector, Frontend, FrontendConfig, Model
from babycry_edge.detector import Detection, DetectorStream, Event
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.metadata import ModelMetadata
from babycry_edge.windows import Windows, clip_windows

if TYPE_CHECKING:
    from babycry_convert.report.layers import LayerFigures
    from babycry_edge.mismatch import Difference

Stage = Literal["audio", "features", "layer", "score", "event"]
Samples = npt.NDArray[Any]

#: The resampler against soxr's, on recordings of another rate. Two good filters differ in the
#: transition band alone, by -68 dB to 16 kHz and by -44 dB to 22.05 kHz on the bundled recordings;
#: a sample's delay gives 7 dB, 3 % of level 30 dB.
AUDIO_DB = 40.0

#: The network's input against that of the library: 78 dB and more for every front-end of the zoo,
#: 116 dB for the bundled one. The axis that changes least, triangles linear in mel in place of Hz,
#: gives 60 dB.
FEATURES_DB = 70.0

#: How far a layer's gain may be from 1, in per cent. Rounding leaves 0.4.
GAIN_PERCENT = 1.0

#: And in parts of its rounding's amplitude, where its values fill few steps.
GAIN_OF_ROUNDING = 0.4

#: A fault is in one layer or two. Where more have another gain, the float file is not what the
#: int8 file was made of: it was equalised in between, say, which evens out from layer to layer.
MOST_FAULTS = 2

#: Values of a layer whose rounding costs more than this fill too few steps to tell their gain.
MIN_ROUNDING_DB = 25.0

#: A layer with weights loses too much below ``LAYER_DB`` when it loses ``EXCESS_DB`` more than its
#: rounding. Undamaged ones of the zoo, some with corrected biases, keep 16.6 dB and more. Sums
#: before a sigmoid may be cut off on purpose: they have no weights.
LAYER_DB = 15.0
EXCESS_DB = 6.0

#: Scores of whole clips, 0 to 1.
SCORE = 0.05

#: Recordings on which an explanation is looked for; some seconds each.
EXPLAINED_CLIPS = 2

#: Fewer windows would leave a layer with too few values; more tell no more.
MAX_WINDOWS = 16


#: What makes events of scores.
_EVENT_RULES = ("threshold", "release_threshold", "smoothing_windows", "min_duration_s")


class OpenedModel(Protocol):
    """A model file under test, as ``bench_model`` opens it."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def model(self) -> Model: ...
    @property
    def detector(self) -> Detector: ...


@dataclass(frozen=True)
class Device:
    """How the device makes audio and windows; by default as this library does.

    ``audio``: a clip at a rate in Hz, int16 or float ``(n_samples,)``. ``windows``: of such audio
    for a model, float32 ``(k, rows, n_features)``.
    """

    audio: Callable[[Clip, int], Samples] = at_rate
    windows: Callable[[Samples, int, ModelMetadata], Windows] = clip_windows


@dataclass(frozen=True)
class Finding:
    """One stage's figure. ``passed`` is None where the stage was not compared, for the reason in
    ``detail``; ``where`` names the worst place."""

    stage: Stage
    value: float | None
    bound: float | None
    unit: str
    passed: bool | None
    where: str = ""
    detail: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As the report has it."""
        fields = {key: getattr(self, key) for key in ("stage", "value", "bound", "unit", "passed")}
        return {**fields, "worst": self.where} if self.where else fields


def check_divergence(
    models: Iterable[OpenedModel],
    clips: Sequence[Clip],
    on_model: Callable[[], object] = lambda: None,
) -> list[dict[str, Any]]:
    """The divergence record of each model that has a float file: see ``find_reference``.

    A file that is opened several times for one engine, with other threads say, is compared once.
    """
    records = []
    seen = set()
    for model in models:
        key = model.path, model.model.engine
        reference = find_reference(model.path) if key not in seen else None
        seen.add(key)
        if reference is not None and not reference.samefile(model.path):
            records.append(first_divergence(model, reference, clips))
        on_model()
    return records


def first_divergence(
    model: OpenedModel,
    reference: Path,
    clips: Sequence[Clip],
    frontend: ReferenceFrontend | None = None,
    device: Device | None = None,
) -> dict[str, Any]:
    """Compare a model file with the float file that it was made from, stage by stage.

    Args:
        model: the device's file, opened.
        reference: the float file, whose metadata says what the network was trained with.
        clips: recordings to compare on.
        frontend: the library that computes the reference's features; by default librosa where it
            is installed and has the front-end's axes.
        device: where audio and windows come from.

    Returns:
        The record of the report's schema: every stage, and the first that fails.

    Raises:
        BabycryError: the reference cannot be loaded.
    """
    compared = _Comparison(model, Model.load(reference, verify=False), clips, frontend, device)
    findings = [
        compared.audio(),
        compared.features(),
        compared.layers(),
        *compared.answers(),
    ]
    first = next((finding for finding in findings if finding.passed is False), None)
    left_out = [f"{f.stage} not compared: {f.detail}" for f in findings if f.passed is None]
    return {
        "model": model.name,
        "stage": "none" if first is None else first.stage,
        "where": "" if first is None else first.where,
        "value": None if first is None else first.value,
        "unit": "" if first is None else first.unit,
        "detail": "; ".join(left_out) if first is None else first.detail,
        "stages": [finding.to_dict() for finding in findings],
    }


class _Comparison:
    """A device's file and its float file on the same recordings."""

    def __init__(
        self,
        model: OpenedModel,
        reference: Model,
        clips: Sequence[Clip],
        frontend: ReferenceFrontend | None,
        device: Device | None,
    ) -> None:
        self._model, self._reference, self._clips = model, reference, clips
        self._ours, self._theirs = model.model.metadata, reference.metadata
        self._library = frontend or best_frontend(self._theirs.frontend)
        self._device = device or Device()
        self._windows: dict[str, Windows] = {}

    def audio(self) -> Finding:
        """The device's samples against the recording's, resampled by soxr where they must be."""
        rate = self._ours.frontend.sample_rate
        worst, where = math.inf, ""
        for clip in self._clips:
            try:
                expected = _expected_audio(clip, rate)
            except BabycryError as error:
                return Finding("audio", None, AUDIO_DB, "dB", None, "", str(error))
            ratio = _audio_snr_db(_as_double(self._device.audio(clip, rate)), expected)
            if ratio < worst:
                worst, where = ratio, clip.name
        passed = worst >= AUDIO_DB
        detail = (
            ""
            if passed
            else (
                f"the device's samples of {where} at {rate} Hz are not the recording's: "
                f"{worst:.1f} dB above the difference, not {AUDIO_DB:g}"
            )
        )
        return Finding("audio", _finite(worst), AUDIO_DB, "dB", passed, where, detail)

    def features(self) -> Finding:
        """The network's input against the library's, and the file's front-end axis by axis."""
        worst, where = math.inf, ""
        wrong = []
        for clip in self._clips:
            snr = FeatureSnr()
            snr.add([self._device_windows(clip)], [self._reference_windows(clip)])
            ratio = snr.decibels()
            if ratio is not None and ratio < worst:
                worst, where = ratio, clip.name
            if ratio is not None and ratio < FEATURES_DB:
                wrong.append(clip)
        axes = differing_axes(self._ours, self._theirs)
        if worst >= FEATURES_DB and not axes:
            return Finding("features", _finite(worst), FEATURES_DB, "dB", True, where)
        said = _said(axes)
        names = [axis for axis, _, _ in axes]
        if not axes:
            names, said = self._explained(wrong)
        detail = (
            f"the front-end is not the one that the network was trained with: {', '.join(said)}"
            if said
            else f"the features of {where} are not {self._library}'s, and no axis explains it"
        )
        return Finding(
            "features", _finite(worst), FEATURES_DB, "dB", False, ", ".join(names) or where, detail
        )

    def _explained(self, wrong: Sequence[Clip]) -> tuple[list[str], list[str]]:
        """The axes that explain the device's features where the file's own say that all is well.

        On recordings that need no resampling first, until one tells; some are too poor in sound.
        """
        rate = self._ours.frontend.sample_rate
        for clip in sorted(wrong, key=lambda clip: clip.sample_rate != rate)[:EXPLAINED_CLIPS]:
            found = self._differences(clip)
            if found:
                said = _said([(item.axis, item.theirs, item.ours) for item in found])
                return [item.axis for item in found], said
        return [], []

    def _differences(self, clip: Clip) -> tuple[Difference, ...]:
        from babycry_edge.mismatch import Recording, explain

        rate = self._ours.frontend.sample_rate
        audio = at_rate(clip, rate)
        features = self._device_rows(audio, rate)
        if not len(features):
            return ()
        trained_with = replace(self._theirs.frontend, normalize="none")
        try:
            found = explain(Recording(_as_double(audio)[:, None], rate), features, trained_with)
        except BabycryError:
            return ()
        return found.differences

    def _device_rows(self, audio: Samples, rate: int) -> npt.NDArray[np.float32]:
        """All rows of the device's features, ``(n_frames, n_features)``, not normalised."""
        plain = replace(self._ours.frontend, normalize="none")
        if plain.is_frame_by_frame:
            one_row = replace(self._ours, frontend=plain, window_frames=1, hop_frames=1)
            rows = self._device.windows(audio, rate, one_row)
            return rows.reshape(-1, plain.n_features)
        n_frames = len(Frontend(plain)(audio, rate))
        whole = replace(self._ours, frontend=plain, window_frames=n_frames)
        return self._device.windows(audio, rate, whole).reshape(-1, plain.n_features)

    def layers(self) -> Finding:
        """Each layer of the int8 file against the float file's, from the same inputs."""
        try:
            ranking = self._layer_figures()
        except BabycryError as error:
            return Finding("layer", None, GAIN_PERCENT, "%", None, "", str(error))
        off = [layer for layer in ranking if gain_percent(layer) > gain_bound(layer)]
        if not ranking or len(off) > MOST_FAULTS:
            reason = (
                f"{len(off)} of {len(ranking)} layers are scaled otherwise than in "
                f"{self._reference.path.name}: the int8 file was made of another one, and single "
                "layers cannot be told apart"
            )
            return Finding("layer", None, GAIN_PERCENT, "%", None, "", reason)
        worst = max(off or ranking, key=gain_percent)
        if off:
            gain = _worst_gain(worst)
            return Finding(
                "layer",
                gain_percent(worst),
                gain_bound(worst),
                "%",
                False,
                worst.name,
                f"{worst.operator} {worst.name} gives {gain:.4f} times what the float layer makes "
                "of the same inputs: a scale is wrong",
            )
        lost = [layer for layer in ranking if _loses_too_much(layer)]
        if lost:
            layer = min(lost, key=lambda layer: layer.local_sqnr_db)
            return Finding(
                "layer",
                layer.local_sqnr_db,
                LAYER_DB,
                "dB",
                False,
                layer.name,
                f"{layer.operator} {layer.name} keeps {layer.local_sqnr_db:.1f} dB of the float "
                f"layer's values where its steps alone would leave {layer.rounding_sqnr_db:.1f}",
            )
        return Finding("layer", gain_percent(worst), gain_bound(worst), "%", True, worst.name)

    def _layer_figures(self) -> list[LayerFigures]:
        if self._model.model.file.format != self._reference.file.format:
            raise BabycryError(f"needs a float {self._model.path.suffix} file of the network")
        needed = ("onnx", "sympy") if self._model.path.suffix == ".onnx" else ("ai_edge_litert",)
        for module in needed:
            require(module, "bench")
        from babycry_convert.report.layers import compare_layers, spread

        windows = np.concatenate([self._reference_windows(clip) for clip in self._clips])
        chosen = spread(windows, MAX_WINDOWS)
        if self._theirs.standardize is not None:
            chosen = self._theirs.standardize.apply(chosen)
        figures: list[LayerFigures] = compare_layers(
            self._reference.path.read_bytes(),
            self._model.path.read_bytes(),
            self._reference.file.format,
            chosen,
            recurrence=self._theirs.recurrence,
        )
        return figures

    def answers(self) -> list[Finding]:
        """Scores and events of both pipelines, from end to end."""
        largest, where = 0.0, ""
        different: list[str] = []
        for clip in self._clips:
            ours, theirs = self._device_answer(clip), self._reference_answer(clip)
            moved = abs(ours.score - theirs.score)
            if moved > largest:
                largest, where = moved, clip.name
            if any(misses_event(theirs, event, self._theirs) for event in ours.events) or any(
                misses_event(ours, event, self._ours) for event in theirs.events
            ):
                different.append(clip.name)
        moved_detail = f"{where} scores {largest:.3f} away from the float pipeline"
        passed = largest <= SCORE
        score = Finding("score", largest, SCORE, "", passed, where, "" if passed else moved_detail)
        return [score, self._events(different)]

    def _events(self, different: Sequence[str]) -> Finding:
        """``different``: the clips with other events than the float pipeline's."""
        rules = _differing(self._ours, self._theirs, _EVENT_RULES)
        detail = f"other events than the float pipeline's in {', '.join(different)}"
        where = different[0] if different else ""
        if rules:
            said = _said(rules)
            detail = f"events are made by other rules: {', '.join(said)}"
            where = ", ".join(name for name, _, _ in rules)
        passed = not different and not rules
        return Finding(
            "event", float(len(different)), 0.0, "clips", passed, where, "" if passed else detail
        )

    def _device_windows(self, clip: Clip) -> Windows:
        rate = self._ours.frontend.sample_rate
        return self._device.windows(_filling(clip, self._ours), rate, self._ours)

    def _reference_windows(self, clip: Clip) -> Windows:
        if clip.name not in self._windows:
            source = reference_windows(self._theirs, self._library)
            first = source.push(_filling(clip, self._theirs))
            last = source.flush()
            joined = np.concatenate([first, last]) if len(last) else first
            self._windows[clip.name] = joined
        return self._windows[clip.name]

    def _device_answer(self, clip: Clip) -> Detection:
        rate = self._ours.frontend.sample_rate
        return self._model.detector.detect(self._device.audio(clip, rate), rate)

    def _reference_answer(self, clip: Clip) -> Detection:
        detector = Detector(self._reference)
        source = reference_windows(self._theirs, self._library)
        stream = DetectorStream(detector, windows=source)
        stream.push(at_rate(clip, self._theirs.frontend.sample_rate))
        stream.flush()
        return stream.result()


def differing_axes(ours: ModelMetadata, theirs: ModelMetadata) -> list[tuple[str, Any, Any]]:
    """What one file says of its front-end and windows otherwise than the other, by name."""
    found = [
        (field.name, getattr(ours.frontend, field.name), getattr(theirs.frontend, field.name))
        for field in dataclasses.fields(FrontendConfig)
        if field.name not in ("profile", "version")
    ]
    differing = [item for item in found if item[1] != item[2]]
    return differing + _differing(ours, theirs, ("window_frames", "hop_frames", "standardize"))


def _differing(
    ours: ModelMetadata, theirs: ModelMetadata, names: Sequence[str]
) -> list[tuple[str, Any, Any]]:
    """Those of the named fields that the two files have otherwise."""
    found = [(name, getattr(ours, name), getattr(theirs, name)) for name in names]
    return [item for item in found if item[1] != item[2]]


def _filling(clip: Clip, metadata: ModelMetadata) -> Samples:
    """The clip at the model's rate; one that is shorter than a window begins again and again."""
    audio = at_rate(clip, metadata.frontend.sample_rate)
    return np.resize(audio, max(len(audio), metadata.frontend.samples_for(metadata.window_frames)))


def _expected_audio(clip: Clip, rate: int) -> npt.NDArray[np.float64]:
    """The clip's samples in double precision, resampled by soxr."""
    samples = clip.samples.astype(np.float64) / 32768.0
    if clip.sample_rate == rate:
        return samples
    soxr = require("soxr", "oracle")
    return np.asarray(soxr.resample(samples, clip.sample_rate, rate, quality="HQ"))


def _audio_snr_db(actual: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    """Infinite where they are equal; a sample more or less at the end is no difference."""
    if abs(len(actual) - len(expected)) > 1:
        return -math.inf
    size = min(len(actual), len(expected))
    signal = float(np.sum(expected[:size] ** 2))
    noise = float(np.sum((actual[:size] - expected[:size]) ** 2))
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0.0 else -math.inf


def _as_double(samples: Samples) -> npt.NDArray[np.float64]:
    scale = 1.0 / 32768.0 if samples.dtype == np.int16 else 1.0
    return np.asarray(samples, np.float64) * scale


def gain_percent(layer: LayerFigures) -> float:
    """How far the layer's gain is from 1, in per cent."""
    return 100.0 * abs(_worst_gain(layer) - 1.0)


def gain_bound(layer: LayerFigures) -> float:
    """How far it may be, in per cent."""
    rounding_percent = 100.0 * math.pow(10.0, -layer.rounding_sqnr_db / 20.0)
    return max(GAIN_PERCENT, GAIN_OF_ROUNDING * rounding_percent)


def _worst_gain(layer: LayerFigures) -> float:
    """The gain that is farthest from 1: of the weights, and of the values that can tell it."""
    gains = [1.0]
    if layer.weight_gain is not None:
        gains.append(layer.weight_gain)
    if layer.gain is not None and layer.rounding_sqnr_db >= MIN_ROUNDING_DB:
        gains.append(layer.gain)
    return max(gains, key=lambda gain: abs(gain - 1.0))


def _loses_too_much(layer: LayerFigures) -> bool:
    excess = layer.rounding_sqnr_db - layer.local_sqnr_db
    has_weights = layer.weight_sqnr_db is not None
    return bool(has_weights and layer.local_sqnr_db < LAYER_DB and excess > EXCESS_DB)


def misses_event(detection: Detection, event: Event, metadata: ModelMetadata) -> bool:
    """Whether nothing in ``detection`` answers to ``event`` of the other pipeline.

    Scores may differ by ``SCORE``: an event that is found with a threshold so much lower is no
    other event, but the same score on the other side of the line.
    """
    rules = EventRules.of(metadata)
    scores = smoothed(detection.window_scores.astype(np.float64), rules.smoothing_windows)
    lowered = rules.at(max(rules.threshold - SCORE, 0.0))
    alarms = alarms_of(scores, lowered, detection.duration_s)
    others: list[Event | Alarm] = [*detection.events, *alarms]
    return not any(_overlap(event, other) for other in others)


def _overlap(one: Event | Alarm, other: Event | Alarm) -> bool:
    ends = [math.inf if event.end_s is None else event.end_s for event in (one, other)]
    return one.start_s < ends[1] and other.start_s < ends[0]


def _said(differences: Iterable[tuple[str, Any, Any]]) -> list[str]:
    """Name, ours and theirs of each in words."""
    return [f"{name}={_shown(a)} (trained with {_shown(b)})" for name, a, b in differences]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
