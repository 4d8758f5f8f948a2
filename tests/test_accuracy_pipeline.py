"""The float pipeline is the library's, whole clip or stream, and the device's is the detector."""

from __future__ import annotations

import pickle
import shutil
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from babycry_bench.accuracy.answer import (
    Answer,
    FeatureSnr,
    Recording,
    Systems,
    SystemSpec,
    answer,
    run_pipelines,
)
from babycry_bench.accuracy.events import Alarm, EventRules, alarms_of, smoothed
from babycry_bench.accuracy.reference_pipeline import (
    ReferenceFrontend,
    ReferenceStream,
    best_frontend,
    find_reference,
    reference_features,
    reference_windows,
)
from babycry_bench.clips import Clip, clips_folder
from babycry_bench.models import FLOAT_ONNX, FLOAT_TFLITE
from babycry_edge import Detector, FrontendConfig, Model
from babycry_edge.detector import DetectorStream
from babycry_edge.errors import BabycryError
from babycry_edge.models import bundled
from babycry_edge.windows import clip_windows

librosa = pytest.importorskip("librosa")
pytest.importorskip("onnxruntime")
soundfile = pytest.importorskip("soundfile")

MODELS = Path(__file__).parent / "models"
BABYCRY = FrontendConfig.from_profile("babycry", normalize="none")

CONFIGS = {
    "babycry": BABYCRY,
    "librosa": FrontendConfig.from_profile("librosa", top_db=None),
    "reflected": FrontendConfig.from_profile("librosa-0.8", top_db=None),
    "htk": replace(BABYCRY, mel_scale="htk", mel_norm="none", framing="center-zero"),
    "narrow window": replace(BABYCRY, win_length=400, window_position="center"),
    "magnitude": replace(BABYCRY, spectrum="magnitude", compression="log", log_offset=1e-6),
    "mfcc": replace(BABYCRY, n_mfcc=13, dct_norm="ortho", framing="center-reflect"),
}


@pytest.fixture(scope="module")
def signal() -> npt.NDArray[np.float64]:
    """Not a whole number of hops: then librosa mirrors the last frame one sample short."""
    rng = np.random.default_rng(4)
    time = np.arange(16000 * 3 + 37) / 16000
    sweep = np.sin(2 * np.pi * (200 + 500 * time) * time)
    return np.asarray(0.3 * sweep + 0.01 * rng.standard_normal(len(time)))


def whole_clip(config: FrontendConfig, signal: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
    """The textbook call, on the whole clip at once."""
    mel = librosa.feature.melspectrogram(
        y=signal,
        sr=config.sample_rate,
        n_fft=config.n_fft,
        win_length=config.win_length,
        hop_length=config.hop_length,
        window="hann",
        center=config.framing != "left",
        pad_mode="reflect" if config.framing == "center-reflect" else "constant",
        power=1.0 if config.spectrum == "magnitude" else 2.0,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        htk=config.mel_scale == "htk",
        norm=None if config.mel_norm == "none" else config.mel_norm,
    )
    if config.compression == "log":
        return np.asarray(np.log(mel + config.log_offset).T)
    level = librosa.power_to_db(mel, ref=1.0, amin=config.amin, top_db=None)
    if config.n_mfcc:
        level = librosa.feature.mfcc(S=level, n_mfcc=config.n_mfcc, norm=config.dct_norm)
    return np.asarray(level.T)


def pieces(signal: npt.NDArray[Any], size: int) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(signal), size):
        yield signal[start : start + size]


@pytest.mark.parametrize("size", [100, 333, 16000, 10**6])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_stream_is_librosa_on_the_whole_clip(
    name: str, size: int, signal: npt.NDArray[np.float64]
) -> None:
    config = CONFIGS[name]
    stream = ReferenceStream(reference_features(config, "librosa"), config)
    found = np.concatenate(
        [*(stream.push(piece) for piece in pieces(signal, size)), stream.flush()]
    )
    expected = whole_clip(config, signal)
    assert found.shape == expected.shape
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_the_end_is_mirrored_wherever_it_falls(signal: npt.NDArray[np.float64]) -> None:
    """Every length over one hop, pushed so that the last piece meets what was kept."""
    config = CONFIGS["mfcc"]
    features = reference_features(config, "librosa")
    pad = config.n_fft // 2
    for length in range(2000, 2000 + config.hop_length):
        stream = ReferenceStream(features, config)
        clip = signal[:length]
        found = np.concatenate([stream.push(clip), stream.flush()])
        expected = features(np.pad(clip, pad, mode="reflect"))
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 1e-9


@pytest.mark.parametrize("normalize", ["none", "window_mean", "window_mean_std", "min_max"])
@pytest.mark.parametrize("top_db", [None, 60.0])
def test_the_windows_are_those_of_the_device(
    normalize: Any, top_db: float | None, signal: npt.NDArray[np.float64]
) -> None:
    """The front-end in C against the library, to single precision, window by window."""
    metadata = Model.load(bundled("cry.onnx"), verify=False).metadata
    config = replace(metadata.frontend, normalize=normalize, top_db=top_db)
    if top_db is not None:
        config = replace(config, ref="max", framing="center-zero")
    metadata = replace(metadata, frontend=config)
    audio = signal.astype(np.float32)
    source = reference_windows(metadata, "librosa")
    found = [*(source.push(piece) for piece in pieces(audio, 5000)), source.flush()]
    windows = np.concatenate([batch for batch in found if len(batch)])
    expected = clip_windows(audio, 16000, metadata)
    assert windows.shape == expected.shape
    assert np.abs(windows - expected).max() < 2e-3
    snr = FeatureSnr()
    snr.add([expected], [windows])
    decibels = snr.decibels()
    assert decibels is not None and decibels > 90.0


def test_torchaudio_gives_librosas_features(signal: npt.NDArray[np.float64]) -> None:
    try:
        theirs = reference_features(BABYCRY, "torchaudio")
    except BabycryError as error:
        pytest.skip(str(error))
    ours = reference_features(BABYCRY, "librosa")
    assert theirs(signal) == pytest.approx(ours(signal), abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "axis"),
    [({"preemphasis": 0.97}, "preemphasis"), ({"mel_slopes": "mel"}, "mel_slopes")],
)
def test_an_axis_that_the_library_lacks_is_named(changes: dict[str, Any], axis: str) -> None:
    config = replace(BABYCRY, **changes)
    with pytest.raises(BabycryError, match=f"librosa does not compute the front-end's {axis}="):
        reference_features(config, "librosa")
    assert best_frontend(config) == "ours"
    assert best_frontend(BABYCRY) == "librosa"


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(BabycryError, match="choose librosa, torchaudio or ours"):
        reference_features(BABYCRY, "essentia")  # type: ignore[arg-type]


# ---- which float file belongs to a model


def test_the_float_file_lies_beside_the_model_or_is_bundled(tmp_path: Path) -> None:
    assert find_reference(MODELS / "fold2.onnx") == MODELS / "fold2_float.onnx"
    assert find_reference(MODELS / "fold2.tflite") == MODELS / "fold2_float.onnx"
    assert find_reference(bundled("cry.onnx")) == FLOAT_ONNX
    copied = tmp_path / "renamed.tflite"
    shutil.copy(bundled("cry.tflite"), copied)
    assert find_reference(copied) == FLOAT_TFLITE
    shutil.copy(MODELS / "fold0.onnx", tmp_path / "cry.onnx")  # another network of that name
    assert find_reference(tmp_path / "cry.onnx") is None


def test_a_float_file_of_another_detector_is_refused(tmp_path: Path) -> None:
    from babycry_convert.embed import embed

    data = (MODELS / "fold0_float.onnx").read_bytes()
    metadata = Model.load(MODELS / "fold0_float.onnx", verify=False).metadata
    other = tmp_path / "other.onnx"
    other.write_bytes(embed(data, "onnx", replace(metadata, hop_frames=50).to_json()))
    spec = SystemSpec(bundled("cry.onnx"), reference_model_path=other)
    with pytest.raises(BabycryError, match="its hop_frames is 50"):
        Systems(spec)


# ---- answers


@pytest.fixture(scope="module")
def systems() -> Systems:
    return Systems(pickle.loads(pickle.dumps(SystemSpec.beside(bundled("cry.onnx")))))


@pytest.mark.parametrize("name", ["cry_hungry_3", "cry_hungry_8khz", "noise_pink"])
def test_the_device_answers_as_the_detector_does(
    name: str, systems: Systems, clips: list[Clip]
) -> None:
    from babycry_edge.audio import read_audio

    path = clips_folder() / f"{name}.flac"
    found = answer(systems, Recording(path, f"a/{name}.flac", "cry", ((1.0, 2.5),)))
    expected = Detector(Model.load(bundled("cry.onnx"))).detect(*read_audio(path, 16000))
    assert found.scores[1] == expected.score
    assert sum(found.scores) == pytest.approx(1.0, abs=1e-6)
    assert found.window_scores == expected.window_scores.tolist()
    assert [event[:3] for event in found.events] == [
        [event.start_s, event.end_s, event.score] for event in expected.events
    ]
    assert found.duration_s == expected.duration_s
    assert (found.model, found.recording, found.label) == ("cry.onnx", f"a/{name}.flac", "cry")
    assert found.true_events == [[1.0, 2.5]]
    assert len(found.reference_window_scores) == len(found.window_scores)
    assert found.reference_scores == pytest.approx(found.scores, abs=0.02)
    assert found.reference_scores != found.scores
    assert found.feature_snr_db is not None and found.feature_snr_db > 110.0
    assert found.error == ""


def test_events_follow_from_the_window_scores(systems: Systems) -> None:
    """What the sweep over thresholds does with window scores is what the detector does."""
    rules = EventRules.of(systems.device.model.metadata)
    n_events = 0
    for path in sorted(clips_folder().glob("*.flac")):
        found = answer(systems, Recording(path, path.name))
        smooth = smoothed(np.array(found.window_scores), rules.smoothing_windows)
        alarms = alarms_of(smooth, rules, found.duration_s)
        assert [Alarm(event[0], event[1], event[3]) for event in found.events] == alarms
        n_events += len(alarms)
    assert n_events >= 10


@pytest.mark.parametrize("min_duration_s", [0.5, 3.2])
def test_the_announcement_is_when_the_detector_speaks(
    min_duration_s: float, clips: list[Clip]
) -> None:
    """Pushed 20 ms at a time, the event comes out with the push that completes its window."""
    model = Model.load(bundled("cry.onnx"), verify=False)
    model.metadata = replace(model.metadata, min_duration_s=min_duration_s)
    rules = EventRules.of(model.metadata)
    samples = next(clip for clip in clips if clip.name == "cry_hungry_3").samples
    stream = DetectorStream(Detector(model))
    heard = []
    for end in range(320, len(samples) + 1, 320):
        events = stream.push(samples[end - 320 : end])
        heard += [(event.start_s, end / 16000) for event in events if event.end_s is None]
    assert heard
    for start_s, at_s in heard:
        assert at_s - 0.02 < rules.announced_s(start_s) <= at_s


def test_without_a_float_file_there_is_no_reference() -> None:
    systems = Systems(SystemSpec(bundled("cry.onnx")))
    path = clips_folder() / "cry_hungry_1.flac"
    found = answer(systems, Recording(path, "x"))
    assert systems.reference_name == ""
    assert (found.reference_scores, found.reference_events, found.feature_snr_db) == ([], [], None)
    assert found.scores


def test_a_recording_that_cannot_be_read_is_an_answer(tmp_path: Path, systems: Systems) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x10\x00\x00\x00WAVEjunk")
    found = answer(systems, Recording(broken, "broken.wav", "cry"))
    assert "broken.wav" in found.error and "\n" not in found.error
    assert found.scores == []
    assert found.to_dict()["duration_s"] == 0.0


def test_a_recording_shorter_than_a_window(tmp_path: Path, systems: Systems) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.random.default_rng(1).standard_normal(4000) * 0.05, 16000)
    found = answer(systems, Recording(path, "short.wav"))
    assert len(found.window_scores) == len(found.reference_window_scores) == 1
    assert found.feature_snr_db is None or found.feature_snr_db > 90.0
    assert isinstance(found, Answer)


@pytest.mark.parametrize("library", ["librosa", "ours"])
def test_memory_does_not_grow_with_the_recording(
    library: ReferenceFrontend, systems: Systems
) -> None:
    opened = Systems(replace(systems.spec, reference_frontend=library))
    block = np.random.default_rng(1).standard_normal(160_000).astype(np.float32) * 0.01
    run_pipelines(opened, iter([block]), 16000)
    peaks = []
    for n_blocks in (3, 30):
        tracemalloc.start()
        found = run_pipelines(opened, (block for _ in range(n_blocks)), 16000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found["duration_s"] == 10.0 * n_blocks
    assert peaks[1] < peaks[0] + 270 * 2 * 400  # some bytes a window, two windows a second


def test_windows_of_which_only_one_side_has_some_are_noise() -> None:
    one = np.ones((1, 2, 2), np.float32)
    snr = FeatureSnr()
    snr.add([one, one], [one])
    assert snr.decibels() == pytest.approx(0.0)  # as much noise as signal
    equal = FeatureSnr()
    equal.add([one], [one])
    assert equal.decibels() is None
