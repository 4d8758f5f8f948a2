"""From window scores to clip scores and events; and the bundled models on the bundled clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from babycry_bench.clips import Clip
from babycry_edge import BabycryError, Detector, FrontendConfig, Model
from babycry_edge.audio import resample
from babycry_edge.detector import DetectorStream
from babycry_edge.models import NAMES, bundled

RATE = 16000
WINDOW = 31 * 320 + 512  # samples of a window of 32 frames
HOP_S = 8 * 320 / RATE


@dataclass
class ScriptedModel:
    """A model whose window scores are given, so that the event rules can be checked alone."""

    script: list[float]
    metadata: Any

    def scores(self, batch: np.ndarray) -> np.ndarray:
        taken, self.script = self.script[: len(batch)], self.script[len(batch) :]
        return np.array([[1 - s, s] for s in taken], np.float32)


def scripted(script: list[float], **rules: Any) -> Any:
    """A detector over scripted scores: windows of 32 frames, hop 8."""
    metadata = SimpleNamespace(
        frontend=FrontendConfig.from_profile("babycry"),
        window_frames=32,
        hop_frames=8,
        labels=("other", "cry"),
        target="cry",
        target_index=1,
        threshold=0.6,
        release_threshold=0.3,
        smoothing_windows=1,
        min_duration_s=0.0,
        clip_windows=3,
    )
    vars(metadata).update(rules)
    return Detector(ScriptedModel(list(script), metadata))  # type: ignore[arg-type]


def audio_for(n_windows: int) -> np.ndarray:
    """Silence that has exactly so many windows."""
    return np.zeros(WINDOW + (n_windows - 1) * 8 * 320, np.int16)


def test_event_starts_at_the_threshold_and_ends_below_the_release_threshold() -> None:
    scores = [0.1, 0.7, 0.4, 0.5, 0.2, 0.5]
    detection = scripted(scores).detect(audio_for(len(scores)), RATE)
    (event,) = detection.events
    assert event.start_s == pytest.approx(1 * HOP_S)
    assert event.end_s == pytest.approx(3 * HOP_S + 32 * 320 / RATE)
    assert event.score == pytest.approx(0.7)


def test_two_bursts_are_two_events() -> None:
    scores = [0.9, 0.1, 0.1, 0.8]
    events = scripted(scores).detect(audio_for(len(scores)), RATE).events
    assert [round(event.score, 3) for event in events] == [0.9, 0.8]


def test_smoothing_is_the_mean_of_the_last_windows() -> None:
    scores = [0.0, 0.9, 0.0, 0.9, 0.9]
    detector = scripted(scores, smoothing_windows=2)
    events = detector.detect(audio_for(len(scores)), RATE).events
    assert [event.start_s for event in events] == pytest.approx([4 * HOP_S])


def test_event_shorter_than_the_minimum_is_dropped() -> None:
    window_s = 32 * 320 / RATE
    scores = [0.9, 0.1, 0.9, 0.9, 0.1]
    detector = scripted(scores, min_duration_s=window_s + 0.5 * HOP_S)
    events = detector.detect(audio_for(len(scores)), RATE).events
    assert [event.start_s for event in events] == pytest.approx([2 * HOP_S])


def test_stream_announces_an_event_when_it_begins_and_when_it_is_over() -> None:
    scores = [0.1, 0.9, 0.9, 0.1]
    audio = audio_for(len(scores))
    events = list(scripted(scores).stream(np.array_split(audio, 50)))
    assert [event.end_s is None for event in events] == [True, False]
    assert events[0].start_s == events[1].start_s


def test_clip_score_is_the_mean_of_the_best_windows() -> None:
    scores = [0.1, 0.5, 0.2, 0.4, 0.3]
    detection = scripted(scores).detect(audio_for(len(scores)), RATE)
    assert detection.score == pytest.approx(0.4)
    assert not detection.detected
    assert detection.label == "other"
    np.testing.assert_allclose(detection.window_scores, scores)


def test_a_clip_shorter_than_a_window_is_one_window() -> None:
    detection = scripted([0.9]).detect(np.zeros(100, np.int16), RATE)
    assert len(detection.window_scores) == 1
    assert detection.events[0].end_s == pytest.approx(100 / RATE)


def test_no_samples_are_refused() -> None:
    with pytest.raises(BabycryError, match="no samples"):
        scripted([]).detect(np.zeros(0, np.int16), RATE)


def test_another_sample_rate_is_refused_and_never_resampled_silently() -> None:
    with pytest.raises(BabycryError, match="44100 Hz and the model wants 16000 Hz: resample"):
        scripted([0.1]).detect(np.zeros(44100, np.int16), 44100)


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5, float("nan")])
def test_threshold_out_of_range_is_refused(threshold: float) -> None:
    detector = scripted([])
    with pytest.raises(BabycryError, match="threshold"):
        Detector(detector.model, threshold=threshold)


def test_constant_memory_in_an_endless_stream() -> None:
    stream = DetectorStream(scripted([0.1] * 1000), keep_history=False)
    for _ in range(100):
        stream.push(np.zeros(RATE, np.int16))
    assert len(stream._scores) == 0
    assert len(stream._windows._rows) < 32 + 8


@pytest.fixture(scope="module", params=NAMES)
def bundled_model(request: pytest.FixtureRequest) -> Model:
    return Model.load(bundled(request.param))


def test_bundled_model_tells_cries_from_noises(bundled_model: Model, clips: list[Clip]) -> None:
    detector = Detector(bundled_model)
    scores: dict[bool, list[float]] = {True: [], False: []}
    for clip in clips:
        audio = resample(clip.samples, clip.sample_rate, RATE)
        scores[clip.label == "cry"].append(detector.detect(audio, RATE).score)
    assert min(scores[True]) > max(scores[False])
    assert max(scores[False]) < detector.threshold


def test_stream_in_random_pieces_equals_the_clip_bit_for_bit(
    bundled_model: Model, clips: list[Clip]
) -> None:
    detector = Detector(bundled_model)
    rng = np.random.default_rng(5)
    for clip in [clip for clip in clips if clip.sample_rate == RATE][::3]:
        whole = detector.detect(clip.samples, RATE)
        stream = DetectorStream(detector)
        for piece in np.split(clip.samples, np.sort(rng.integers(0, len(clip.samples), 40))):
            stream.push(piece)
        stream.flush()
        pieces = stream.result()
        np.testing.assert_array_equal(pieces.window_scores, whole.window_scores)
        assert pieces.events == whole.events
        assert replace(pieces, window_scores=whole.window_scores) == whole
