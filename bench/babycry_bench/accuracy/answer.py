"""One recording by one model: what the device's pipeline answers, and what the float one does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.accuracy.events import EventRules
from babycry_bench.accuracy.reference_pipeline import (
    ReferenceFrontend,
    find_reference,
    library_version,
    reference_windows,
)
from babycry_edge import Detector, Model
from babycry_edge.audio import open_audio
from babycry_edge.detector import DetectorStream
from babycry_edge.errors import BabycryError
from babycry_edge.windows import Windows, WindowSource, WindowStream

Audio = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Recording:
    """A sound file to judge a model on.

    Attributes:
        path: where it is.
        name: its path in the corpus, with "/" whatever the system.
        label: what it holds, as the corpus calls it; None where nobody says.
        events: true events as (start_s, end_s), in seconds; None where they are not annotated.
    """

    path: Path
    name: str
    label: str | None = None
    events: tuple[tuple[float, float], ...] | None = None


@dataclass(frozen=True)
class Answer:
    """One recording by one model, in plain values; scores run from 0 to 1.

    Attributes:
        model: the model's name in the report.
        recording: :attr:`Recording.name`.
        label: :attr:`Recording.label`.
        duration_s: seconds of audio.
        scores: one for each label of the model: the mean of the recording's best windows.
        reference_scores: the same of the float pipeline; empty without one.
        window_scores: of the target label, each window's, in order.
        reference_window_scores: the same of the float pipeline.
        events: what was detected, each [start_s, end_s, score, announced_s].
        reference_events: the same of the float pipeline.
        true_events: each [start_s, end_s]; None where they are not annotated.
        feature_snr_db: the network's input against that of the reference front-end; None without
            a reference, and where the two are equal.
        error: why there is no answer, or "".
    """

    model: str
    recording: str
    label: str | None
    duration_s: float
    scores: list[float] = field(default_factory=list)
    reference_scores: list[float] = field(default_factory=list)
    window_scores: list[float] = field(default_factory=list)
    reference_window_scores: list[float] = field(default_factory=list)
    events: list[list[float]] = field(default_factory=list)
    reference_events: list[list[float]] = field(default_factory=list)
    true_events: list[list[float]] | None = None
    feature_snr_db: float | None = None
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for a table's row."""
        return asdict(self)


@dataclass(frozen=True)
class SystemSpec:
    """What to open in each process: plain values, so that it can be sent there.

    Attributes:
        model_path: the device's model file.
        engine: that runs it; None for the first installed one.
        reference_model_path: the float file that it was made from; None: no reference.
        reference_frontend: the library that computes the reference's features, or "ours".
        name: what the report calls the model; the file's name by default.
        threshold: score in place of the model's own, 0 to 1.
    """

    model_path: Path
    engine: str | None = None
    reference_model_path: Path | None = None
    reference_frontend: ReferenceFrontend = "librosa"
    name: str = ""
    threshold: float | None = None

    @classmethod
    def beside(
        cls,
        model_path: Path,
        engine: str | None = None,
        reference_frontend: ReferenceFrontend = "librosa",
        name: str = "",
    ) -> SystemSpec:
        """``model_path`` with the float file that lies beside it or is bundled, if there is one."""
        found = find_reference(model_path)
        return cls(model_path, engine, found, reference_frontend, name)


class Systems:
    """The two pipelines of a :class:`SystemSpec`, opened once. For one thread at a time."""

    def __init__(self, spec: SystemSpec) -> None:
        """Load the model files.

        Raises:
            BabycryError: a file cannot be loaded, the two do not answer with the same labels at
                the same times, or the reference's library is not installed or lacks an axis.
        """
        self.spec = spec
        self.name = spec.name or spec.model_path.name
        self.device = Detector(
            Model.load(spec.model_path, engine=spec.engine, verify=False), spec.threshold
        )
        self.reference: Detector | None = None
        if spec.reference_model_path is not None:
            model = Model.load(spec.reference_model_path, verify=False)
            self.reference = Detector(model, spec.threshold)
            _check_pair(self.device.model, model)
            reference_windows(model.metadata, spec.reference_frontend)  # fails now, not in a clip

    @property
    def labels(self) -> tuple[str, ...]:
        """What the scores stand for."""
        return self.device.model.metadata.labels

    @property
    def reference_name(self) -> str:
        """The float pipeline in words; empty without one."""
        if self.reference is None:
            return ""
        model = self.reference.model
        library = library_version(self.spec.reference_frontend)
        return f"{library}, {model.path.name} in {model.engine} {model.engine_version}"


def answer(systems: Systems, recording: Recording) -> Answer:
    """Run ``recording`` through both pipelines, block by block.

    Memory grows with the number of windows by some bytes for each, and not with the audio. A file
    that cannot be read gives an answer with :attr:`Answer.error`.
    """
    truth = None if recording.events is None else [list(event) for event in recording.events]
    try:
        rate = systems.device.model.metadata.frontend.sample_rate
        file = open_audio(recording.path)
        found = run_pipelines(systems, file.blocks(rate), rate)
    except BabycryError as error:
        return Answer(
            systems.name, recording.name, recording.label, 0.0, true_events=truth, error=str(error)
        )
    return Answer(systems.name, recording.name, recording.label, true_events=truth, **found)


def run_pipelines(systems: Systems, blocks: Iterable[Audio], rate: int) -> dict[str, Any]:
    """Both pipelines over a recording that comes in blocks at the model's ``rate``, in Hz.

    Returns:
        The fields of its :class:`Answer` that are measured.
    """
    device = _Stream(systems.device, None)
    reference = None
    snr = FeatureSnr()
    if systems.reference is not None:
        metadata = systems.reference.model.metadata
        source = reference_windows(metadata, systems.spec.reference_frontend)
        reference = _Stream(systems.reference, source)
    n_samples = 0
    for block in _not_empty(blocks):
        n_samples += len(block)
        device.push(block)
        if reference is not None:
            reference.push(block)
            snr.add(device.taken(), reference.taken())
        else:
            device.taken()
    found = {"duration_s": n_samples / rate, **device.result("")}
    if reference is not None:
        found |= reference.result("reference_")
        snr.add(device.taken(), reference.taken())
        found["feature_snr_db"] = snr.decibels()
    return found


def _not_empty(blocks: Iterable[Audio]) -> Iterator[Audio]:
    """A resampler gives nothing for its first samples."""
    return (block for block in blocks if len(block))


class _Tee:
    """A source of windows that keeps what it gave until it is fetched."""

    def __init__(self, source: WindowSource) -> None:
        self._source = source
        self._given: list[Windows] = []

    def push(self, chunk: npt.NDArray[Any], /) -> Windows:
        return self._keep(self._source.push(chunk))

    def flush(self) -> Windows:
        return self._keep(self._source.flush())

    def taken(self) -> list[Windows]:
        given, self._given = self._given, []
        return given

    def _keep(self, windows: Windows) -> Windows:
        if len(windows):
            self._given.append(windows)
        return windows


class _Stream:
    """One detector on one recording."""

    def __init__(self, detector: Detector, source: WindowSource | None) -> None:
        metadata = detector.model.metadata
        size = metadata.window_frames, metadata.hop_frames
        self._rules = EventRules.of(metadata)
        self._tee = _Tee(source or WindowStream(metadata.frontend, *size))
        self._stream = DetectorStream(detector, windows=self._tee)

    def push(self, block: Audio) -> None:
        self._stream.push(block)

    def taken(self) -> list[Windows]:
        """The windows since the last call."""
        return self._tee.taken()

    def result(self, prefix: str) -> dict[str, Any]:
        """The end of the stream, as fields of an answer."""
        self._stream.flush()
        detection = self._stream.result()
        events = [
            [
                event.start_s,
                float(event.end_s or 0.0),
                event.score,
                min(self._rules.announced_s(event.start_s), detection.duration_s),
            ]
            for event in detection.events
        ]
        return {
            f"{prefix}scores": [float(score) for score in self._stream.clip_scores()],
            f"{prefix}window_scores": [float(score) for score in detection.window_scores],
            f"{prefix}events": events,
        }


class FeatureSnr:
    """Signal-to-noise ratio of windows that come in two streams, possibly of other lengths."""

    def __init__(self) -> None:
        self.signal = self.noise = 0.0
        self._ours: list[npt.NDArray[np.float32]] = []
        self._theirs: list[npt.NDArray[np.float32]] = []

    def add(self, ours: list[Windows], theirs: list[Windows]) -> None:
        """Take the next windows of both, each ``(k, rows, n_features)``."""
        self._ours += [window for batch in ours for window in batch]
        self._theirs += [window for batch in theirs for window in batch]
        count = min(len(self._ours), len(self._theirs))
        for one, other in zip(self._ours[:count], self._theirs[:count], strict=True):
            self._add(one, other)
        del self._ours[:count], self._theirs[:count]

    def _add(self, ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]) -> None:
        real = theirs.astype(np.float64)
        self.signal += float(np.sum(real**2))
        if ours.shape != theirs.shape:
            self.noise += float(np.sum(real**2))
            return
        self.noise += float(np.sum((ours - real) ** 2))

    def decibels(self) -> float | None:
        """The ratio, with windows that only one side has as noise; None without any noise."""
        for window in (*self._ours, *self._theirs):
            self.noise += float(np.sum(window.astype(np.float64) ** 2))
        self._ours, self._theirs = [], []
        if self.noise <= 0.0 or self.signal <= 0.0:
            return None
        return 10.0 * math.log10(self.signal / self.noise)


def _check_pair(device: Model, reference: Model) -> None:
    """The two files stand for one detector: their answers can be compared one by one."""
    for name in ("labels", "target", "window_frames", "hop_frames"):
        ours, theirs = getattr(device.metadata, name), getattr(reference.metadata, name)
        if ours != theirs:
            raise BabycryError(
                f"{reference.path}: its {name} is {theirs}, that of {device.path} {ours}: "
                "give the float file that the model was made from"
            )
    ours, theirs = device.metadata.frontend, reference.metadata.frontend
    if (ours.sample_rate, ours.hop_length) != (theirs.sample_rate, theirs.hop_length):
        raise BabycryError(
            f"{reference.path}: its front-end has {theirs.sample_rate} Hz and a hop of "
            f"{theirs.hop_length}, that of {device.path} {ours.sample_rate} Hz and "
            f"{ours.hop_length}: give the float file that the model was made from"
        )
