"""Threads share a clip's frames: any number of them gives the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from babycry_bench.clips import load_clips
from babycry_edge import BabycryError, Frontend, FrontendConfig
from babycry_edge.config import profile_names
from babycry_edge.frontend import MIN_SHARED_FRAMES

RATE = 16000


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    clips = [clip.samples for clip in load_clips() if clip.sample_rate == RATE]
    return np.concatenate(clips)[: 20 * RATE]


@pytest.mark.parametrize("profile", profile_names())
@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_any_number_of_threads_gives_the_same_bits(
    profile: str, n_threads: int, audio: np.ndarray
) -> None:
    config = FrontendConfig.from_profile(profile)
    shared = Frontend(config, n_threads=n_threads)
    for samples in (audio, (audio / 32768).astype(np.float32), audio[: 2 * RATE]):
        expected = Frontend(config)(samples, RATE)
        assert shared(samples, RATE).tobytes() == expected.tobytes()
    assert 1 + len(audio) // config.hop_length >= MIN_SHARED_FRAMES


def test_a_sample_that_is_not_finite_is_refused_by_every_thread(audio: np.ndarray) -> None:
    samples = (audio / 32768).astype(np.float32)
    samples[-1] = np.nan
    with pytest.raises(BabycryError, match="NaN"):
        Frontend(FrontendConfig.from_profile("librosa"), n_threads=4)(samples, RATE)


@pytest.mark.parametrize("n_threads", [0, -1])
def test_fewer_than_one_thread_is_refused(n_threads: int) -> None:
    with pytest.raises(BabycryError, match="n_threads"):
        Frontend(FrontendConfig.from_profile("librosa"), n_threads=n_threads)
