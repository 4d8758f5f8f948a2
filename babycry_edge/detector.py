"""Audio to cry events: windows are scored, scores smoothed, and events found with hysteresis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError
from babycry_edge.model import Model
from babycry_edge.windows import Windows, WindowSource, WindowStream

Audio = npt.NDArray[np.int16] | npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Event:
    """A stretch of audio in which the target sound was heard.

    ``start_s`` is the start of the first window above the threshold and ``end_s`` the end of the
    last one not below the release threshold, both in seconds from the start of the audio;
    ``end_s`` is None while the event lasts. ``score`` is the highest smoothed score so far, 0 to 1.
    """

    label: str
    start_s: float
    end_s: float | None
    score: float


@dataclass(frozen=True)
class Detection:
    """What was found in a clip.

    ``score`` is the mean of the ``clip_windows`` best window scores (of the target label);
    ``detected`` says whether it reaches the threshold, and ``label`` then is the target's,
    otherwise that of the most likely other label. ``window_scores`` has one value per window, in
    order.
    """

    label: str
    score: float
    detected: bool
    events: tuple[Event, ...]
    window_scores: npt.NDArray[np.float32]
    duration_s: float


class Detector:
    """A model with its front-end and its rules for events, all taken from the model file."""

    def __init__(self, model: Model, threshold: float | None = None) -> None:
        """Wrap ``model``.

        Args:
            model: from :meth:`Model.load`.
            threshold: score from 0 to 1 in place of the model's own; the release threshold moves
                in proportion.

        Raises:
            BabycryError: the threshold is out of range.
        """
        metadata = model.metadata
        self.model = model
        self.threshold = metadata.threshold if threshold is None else float(threshold)
        if not 0.0 < self.threshold <= 1.0:
            raise BabycryError(f"the threshold must be above 0 and at most 1, not {threshold}")
        self.release_threshold = metadata.release_threshold * self.threshold / metadata.threshold

    def detect(self, audio: Audio, sample_rate: int) -> Detection:
        """Score a clip: the same as a stream of it, bit for bit.

        Args:
            audio: shape ``(n_samples,)``, int16 or float with full scale 1.0. A clip shorter than
                one window is followed by silence up to one window.
            sample_rate: in Hz; it must be the model's.

        Raises:
            BabycryError: no samples, another sample rate, several channels, NaN or infinity.
        """
        wanted = self.model.metadata.frontend.sample_rate
        if sample_rate != wanted:
            raise BabycryError(
                f"the audio has {sample_rate} Hz and the model wants {wanted} Hz: "
                "resample it first (babycry_edge.audio.resample)"
            )
        stream = DetectorStream(self)
        stream.push(audio)
        stream.flush()
        return stream.result()

    def stream(self, chunks: Iterable[Audio]) -> Iterator[Event]:
        """Events in audio that arrives in pieces, at the model's sample rate.

        Yields:
            Each event when it begins, with ``end_s`` None, and once more when it is over.
        """
        stream = DetectorStream(self, keep_history=False)
        for chunk in chunks:
            yield from stream.push(chunk)
        yield from stream.flush()


@dataclass
class DetectorStream:
    """The state of one stream.

    ``keep_history`` keeps every window's score and every event for :meth:`result`; without it,
    memory is constant however long the stream runs. ``windows`` makes the model's windows out of
    the audio in place of the model's own front-end.
    """

    detector: Detector
    keep_history: bool = True
    windows: WindowSource | None = None
    _scores: list[float] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        metadata = self.detector.model.metadata
        self._windows = self.windows or WindowStream(
            metadata.frontend, metadata.window_frames, metadata.hop_frames
        )
        self._n_samples = 0
        self._n_windows = 0
        self._recent: list[float] = []
        self._best: list[npt.NDArray[np.float32]] = []
        self._active: Event | None = None
        self._announced = False
        self._target = metadata.target_index

    def push(self, chunk: Audio) -> list[Event]:
        """Take some audio, shape ``(n_samples,)``; returns the events that began or ended."""
        batch = self._windows.push(chunk)
        self._n_samples += len(chunk)
        return self._take(batch)

    def take_scores(self, scores: npt.NDArray[np.float32]) -> list[Event]:
        """Take the next windows' scores, shape ``(k, n_labels)``: the rules for events alone.

        Returns:
            The events that began or ended.
        """
        found: list[Event] = []
        for window_scores in scores:
            found += self._take_window(window_scores)
        return found

    def flush(self) -> list[Event]:
        """End the stream; returns the last events.

        Raises:
            BabycryError: the stream held no audio.
        """
        if self._n_samples == 0:
            raise BabycryError("the audio holds no samples")
        found = self._take(self._windows.push(np.zeros(self._missing(), np.float32)))
        found += self._take(self._windows.flush())
        return found + self._close()

    def result(self) -> Detection:
        """The whole stream as a clip, after :meth:`flush`."""
        metadata = self.detector.model.metadata
        mean = self.clip_scores()
        score = float(mean[self._target])
        detected = score >= self.detector.threshold
        others = [i for i in range(len(metadata.labels)) if i != self._target] or [self._target]
        label = metadata.target if detected else metadata.labels[max(others, key=lambda i: mean[i])]
        return Detection(
            label=label,
            score=score,
            detected=detected,
            events=tuple(self._events),
            window_scores=np.array(self._scores, np.float32),
            duration_s=self._n_samples / metadata.frontend.sample_rate,
        )

    def clip_scores(self) -> npt.NDArray[np.float32]:
        """The clip's score for each label, float32 ``(n_labels,)``, after :meth:`flush`."""
        mean: npt.NDArray[np.float32] = np.mean(self._best, axis=0)
        return mean

    def _missing(self) -> int:
        """Samples of silence that a clip shorter than one window lacks."""
        metadata = self.detector.model.metadata
        return max(0, metadata.frontend.samples_for(metadata.window_frames) - self._n_samples)

    def _take(self, batch: Windows) -> list[Event]:
        return self.take_scores(self.detector.model.scores(batch)) if len(batch) else []

    def _take_window(self, scores: npt.NDArray[np.float32]) -> list[Event]:
        metadata = self.detector.model.metadata
        score = float(scores[self._target])
        if self.keep_history:
            self._scores.append(score)
        self._best = sorted([*self._best, scores], key=lambda s: float(-s[self._target]))
        del self._best[metadata.clip_windows :]
        self._recent = [*self._recent, score][-metadata.smoothing_windows :]
        index = self._n_windows
        self._n_windows += 1
        return self._follow(index, sum(self._recent) / len(self._recent))

    def _follow(self, index: int, smoothed: float) -> list[Event]:
        """Hysteresis: on at the threshold, off below the release threshold."""
        metadata = self.detector.model.metadata
        hop_s = metadata.frontend.hop_length / metadata.frontend.sample_rate
        start_s = index * metadata.hop_frames * hop_s
        if self._active is None:
            if smoothed < self.detector.threshold:
                return []
            self._active = Event(metadata.target, start_s, None, smoothed)
            self._announced = False
        elif smoothed < self.detector.release_threshold:
            return self._close()
        self._active_end_s = start_s + metadata.window_frames * hop_s
        self._active = replace(self._active, score=max(self._active.score, smoothed))
        if self._announced or self._active_end_s - self._active.start_s < metadata.min_duration_s:
            return []
        self._announced = True
        return [self._active]

    def _close(self) -> list[Event]:
        event, self._active = self._active, None
        if event is None or not self._announced:
            return []
        length_s = self._n_samples / self.detector.model.metadata.frontend.sample_rate
        ended = replace(event, end_s=min(self._active_end_s, length_s))
        if self.keep_history:
            self._events.append(ended)
        return [ended]
