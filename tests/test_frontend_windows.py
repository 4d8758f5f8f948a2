"""Sliding windows: each one the bits of its samples as a clip, from frames computed once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_bench.clips import load_clips
from babycry_edge import BabycryError, Detector, Frontend, Model
from babycry_edge.config import profile_names
from babycry_edge.detector import DetectorStream
from babycry_edge.frontend import FrontendWindows
from babycry_edge.models import bundled

RATE = 16000

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "clip maximum": (
        "librosa",
        {"ref": "max", "top_db": 80, "n_fft": 512, "hop_length": 160, "n_mels": 64},
    ),
    "clip maximum, mirrored": ("librosa-0.8", {"ref": "max", "top_db": 80}),
    "clip maximum, framing left": ("librosa", {"ref": "max", "top_db": 80, "framing": "left"}),
    "cepstra and differences": ("librosa", {"n_mfcc": 20, "delta": 2, "top_db": 80}),
    "Kaldi's mirror": ("kaldi", {"framing": "kaldi-mirror", "normalize": "window_mean_std"}),
    "PCEN": ("librosa", {"compression": "pcen"}),
    "0 to 1": ("torchaudio", {"normalize": "min_max"}),
    **{name: (name, {}) for name in profile_names() if name != "tflm-micro"},
}


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    clip = next(clip for clip in load_clips() if clip.sample_rate == RATE)
    return clip.samples[: 5 * RATE]


def pushed(windows: FrontendWindows, audio: np.ndarray, seed: int) -> np.ndarray:
    """All windows of audio pushed in pieces of 1 to 6000 samples."""
    generator = np.random.default_rng(seed)
    found, at = [], 0
    while at < len(audio):
        size = int(generator.integers(1, 6000))
        found.append(windows.push(audio[at : at + size]))
        at += size
    return np.concatenate(found)


def from_scratch(frontend: Frontend, audio: np.ndarray, n_samples: int, hop: int) -> np.ndarray:
    starts = range(0, len(audio) - n_samples + 1, hop)
    return np.stack([frontend(audio[at : at + n_samples], RATE) for at in starts])


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("n_samples", "hop_frames"), [(RATE, 10), (7000, 3), (30001, 60)])
def test_each_window_has_the_bits_of_its_samples_as_a_clip(
    name: str, n_samples: int, hop_frames: int, audio: np.ndarray
) -> None:
    profile, changes = CONFIGS[name]
    frontend = Frontend.from_profile(profile, **changes)
    hop = hop_frames * frontend.config.hop_length
    found = pushed(frontend.windows(n_samples, hop_frames), audio, seed=n_samples)
    expected = from_scratch(frontend, audio, n_samples, hop)
    assert len(expected) >= 2
    assert found.tobytes() == expected.tobytes() and found.shape == expected.shape


@settings(max_examples=40, deadline=None)
@given(
    n_samples=st.integers(300, 9000),
    hop_frames=st.integers(1, 80),
    framing=st.sampled_from(["left", "center-zero", "center-reflect", "kaldi-mirror"]),
    hop_length=st.integers(50, 700),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_window_and_hop(
    n_samples: int, hop_frames: int, framing: str, hop_length: int, seed: int
) -> None:
    frontend = Frontend.from_profile(
        "librosa", n_fft=256, n_mels=20, framing=framing, hop_length=hop_length, ref="max"
    )
    audio = np.random.default_rng(seed).normal(0, 5000, 20000).astype(np.int16)
    if len(frontend(audio[:n_samples], RATE)) == 0:  # Kaldi rounds the number of frames
        with pytest.raises(BabycryError, match="a window must have samples enough"):
            frontend.windows(n_samples, hop_frames)
        return
    found = pushed(frontend.windows(n_samples, hop_frames), audio, seed)
    expected = from_scratch(frontend, audio, n_samples, hop_frames * hop_length)
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("n_samples", "hop_frames"), [(0, 1), (100, 1), (RATE, 0), (-5, 1)])
def test_windows_without_a_frame_or_a_hop_are_refused(n_samples: int, hop_frames: int) -> None:
    with pytest.raises(BabycryError, match="a window must have samples enough"):
        Frontend.from_profile("yamnet").windows(n_samples, hop_frames)


def test_a_sample_that_is_not_finite_leaves_the_windows_as_they_were(audio: np.ndarray) -> None:
    windows = Frontend.from_profile("librosa", ref="max").windows(RATE, 5)
    expected = Frontend.from_profile("librosa", ref="max").windows(RATE, 5).push(audio)
    first = windows.push(audio[:20000])
    with pytest.raises(BabycryError, match="NaN"):
        windows.push(np.array([0.0, np.nan], np.float32))
    rest = windows.push(audio[20000:])
    assert np.concatenate([first, rest]).tobytes() == expected.tobytes()


def test_a_model_with_the_clip_maximum_detects_in_a_stream_as_in_a_clip(audio: np.ndarray) -> None:
    model = Model.load(bundled("cry.onnx"))
    config = replace(model.metadata.frontend, ref="max", top_db=80.0)
    model.metadata = replace(model.metadata, frontend=config, golden=None)
    detector = Detector(model)
    whole = detector.detect(audio, RATE)
    stream = DetectorStream(detector)
    for at in range(0, len(audio), 1600):
        stream.push(audio[at : at + 1600])
    stream.flush()
    assert stream.result().window_scores.tobytes() == whole.window_scores.tobytes()
    assert len(whole.window_scores) >= 2
