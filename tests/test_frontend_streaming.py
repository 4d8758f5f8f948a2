"""A stream gives the bits of the whole clip, however its samples arrive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from babycry_bench.clips import Clip
from babycry_edge import BabycryError, Frontend
from babycry_edge.frontend import instruction_sets
from oracles.signals import SAMPLE_RATE, at_16_khz, hard_signals, short_signals

FRAMINGS = ("left", "center-zero", "center-reflect")
FFT_SIZES = (64, 128, 256, 400, 480, 512, 1024, 2048, 4096)

CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "librosa": ("librosa", {}),
    "torchaudio": ("torchaudio", {}),
    "yamnet": ("yamnet", {}),
    "babycry": ("babycry", {"normalize": "none"}),
    "magnitude, 40 bands": ("librosa", {"spectrum": "magnitude", "n_mels": 40, "n_fft": 512}),
    **{
        f"{framing}, FFT of {n_fft}": (
            "librosa",
            {"framing": framing, "n_fft": n_fft, "hop_length": n_fft // 4, "n_mels": 10},
        )
        for framing in FRAMINGS
        for n_fft in FFT_SIZES
    },
    **{
        f"{framing}, hop {hop} of 512": (
            "librosa",
            {"framing": framing, "n_fft": 512, "hop_length": hop, "n_mels": 20},
        )
        for framing in FRAMINGS
        for hop in (1, 7, 257, 300, 511, 512, 513, 1300)
    },
    **{
        f"{framing}, window {length} at the {position} of 512": (
            "librosa",
            {
                "framing": framing,
                "n_fft": 512,
                "win_length": length,
                "window_position": position,
                "hop_length": 160,
                "n_mels": 20,
            },
        )
        for framing in FRAMINGS
        for position in ("center", "left")
        for length in (1, 301, 400)
    },
}


def streamed(
    frontend: Frontend, samples: NDArray[Any], sizes: Iterable[int]
) -> NDArray[np.float32]:
    """The features of samples pushed in chunks of the given sizes, the rest at once at the end."""
    stream = frontend.stream()
    parts, at = [], 0
    for size in sizes:
        parts.append(stream.push(samples[at : at + size]))
        at += size
        if at >= len(samples):
            break
    parts.append(stream.push(samples[at:]))
    parts.append(stream.flush())
    return np.concatenate(parts)


def assert_same_bits(measured: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    assert measured.dtype == expected.dtype == np.float32
    assert measured.shape == expected.shape
    assert np.array_equal(measured.view(np.uint32), expected.view(np.uint32))


def random_sizes(seed: int, largest: int = SAMPLE_RATE) -> Iterable[int]:
    """Chunk sizes from one sample to one second, as many small ones as large."""
    rng = np.random.default_rng(seed)
    while True:
        yield int(np.exp(rng.uniform(0.0, np.log(largest))))


@pytest.mark.parametrize("profile", ["librosa", "torchaudio", "yamnet", "babycry"])
def test_streaming_equals_batch_bit_for_bit_on_every_bundled_clip(
    profile: str, clips: list[Clip]
) -> None:
    frontend = _frontend(profile)
    for seed, clip in enumerate(clips):
        samples = at_16_khz(clip)
        expected = frontend(samples, SAMPLE_RATE)
        assert_same_bits(streamed(frontend, samples, random_sizes(seed)), expected)
        if clip.sample_rate == SAMPLE_RATE:
            assert_same_bits(streamed(frontend, clip.samples, random_sizes(seed + 100)), expected)


@pytest.mark.parametrize("name", CONFIGS)
def test_streaming_equals_batch_bit_for_bit_in_random_chunks(name: str, clips: list[Clip]) -> None:
    frontend = _frontend(name)
    samples = clips[0].samples[:9000]
    as_float = samples.astype(np.float32) / np.float32(32768)
    expected = frontend(samples, SAMPLE_RATE)
    for seed in range(4):
        assert_same_bits(streamed(frontend, samples, random_sizes(seed)), expected)
        assert_same_bits(streamed(frontend, as_float, random_sizes(seed + 50, 900)), expected)


@pytest.mark.parametrize("name", CONFIGS)
def test_streaming_equals_batch_bit_for_bit_one_sample_at_a_time(
    name: str, clips: list[Clip]
) -> None:
    frontend = _frontend(name)
    n_samples = max(1500, frontend.config.n_fft + 3 * frontend.config.hop_length + 5)
    samples = clips[1].samples[3000 : 3000 + n_samples]
    as_float = samples.astype(np.float32) / np.float32(32768)
    expected = frontend(samples, SAMPLE_RATE)
    assert_same_bits(streamed(frontend, samples, [1] * n_samples), expected)
    assert_same_bits(streamed(frontend, as_float, [1] * n_samples), expected)


@pytest.mark.parametrize("name", CONFIGS)
def test_streams_of_hardly_any_samples_equal_batch_or_are_refused_alike(name: str) -> None:
    frontend = _frontend(name)
    config = frontend.config
    for samples in short_signals(config.n_fft, config.hop_length).values():
        try:
            expected = frontend(samples, SAMPLE_RATE)
        except BabycryError as error:
            with pytest.raises(BabycryError, match="too short to be mirrored"):
                streamed(frontend, samples, random_sizes(1, 50))
            assert "too short to be mirrored" in str(error)
        else:
            assert_same_bits(streamed(frontend, samples, random_sizes(2, 50)), expected)
            assert_same_bits(streamed(frontend, samples, []), expected)


@pytest.mark.parametrize("profile", ["librosa", "torchaudio", "yamnet"])
def test_streaming_equals_batch_bit_for_bit_on_signals_that_break_front_ends(profile: str) -> None:
    frontend = _frontend(profile)
    for seed, samples in enumerate(hard_signals().values()):
        expected = frontend(samples, SAMPLE_RATE)
        assert_same_bits(streamed(frontend, samples, random_sizes(seed)), expected)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(CONFIGS)),
    n_samples=st.integers(0, 6000),
    sizes=st.lists(st.integers(0, 3000), max_size=40),
    seed=st.integers(0, 2**16),
    as_int16=st.booleans(),
)
def test_any_chunking_gives_the_bits_of_the_whole_clip(
    name: str, n_samples: int, sizes: list[int], seed: int, as_int16: bool
) -> None:
    frontend = _frontend(name)
    samples = np.random.default_rng(seed).integers(-32768, 32768, n_samples).astype(np.int16)
    audio = samples if as_int16 else samples.astype(np.float32) / np.float32(32768)
    if frontend.config.framing == "center-reflect" and n_samples <= frontend.config.n_fft // 2:
        with pytest.raises(BabycryError, match="too short to be mirrored"):
            streamed(frontend, audio, sizes)
    else:
        assert_same_bits(streamed(frontend, audio, sizes), frontend(audio, SAMPLE_RATE))


@settings(max_examples=40, deadline=None)
@given(
    profile=st.sampled_from(["librosa", "torchaudio", "yamnet"]),
    pieces=st.lists(st.tuples(st.integers(0, 4000), st.booleans()), min_size=1, max_size=12),
)
def test_a_stream_may_mix_int16_and_float_chunks(
    profile: str, pieces: list[tuple[int, bool]]
) -> None:
    frontend = _frontend(profile)
    n_samples = sum(size for size, _ in pieces) + 500
    samples = np.random.default_rng(n_samples).integers(-3000, 3000, n_samples).astype(np.int16)
    stream, at, parts = frontend.stream(), 0, []
    for size, as_int16 in [*pieces, (500, True)]:
        chunk = samples[at : at + size]
        parts.append(stream.push(chunk if as_int16 else chunk / np.float32(32768)))
        at += size
    parts.append(stream.flush())
    assert_same_bits(np.concatenate(parts), frontend(samples, SAMPLE_RATE))


@pytest.mark.parametrize("profile", ["librosa", "torchaudio", "yamnet"])
def test_a_frame_comes_out_with_the_sample_that_completes_it(profile: str) -> None:
    frontend = _frontend(profile)
    config = frontend.config
    span = config.win_length if config.window_position == "left" else config.n_fft
    pad = 0 if config.framing == "left" else config.n_fft // 2
    stream = frontend.stream()
    samples = np.random.default_rng(3).integers(-999, 999, 3 * config.n_fft).astype(np.int16)
    given_out = 0
    for taken, sample in enumerate(samples, start=1):
        given_out += len(stream.push(np.array([sample], np.int16)))
        complete = 0 if taken + pad < span else 1 + (taken + pad - span) // config.hop_length
        if config.framing == "center-reflect" and taken <= pad:
            complete = 0
        assert given_out == complete


@pytest.mark.parametrize("profile", ["librosa", "torchaudio", "yamnet"])
def test_after_a_flush_a_new_stream_starts(profile: str, clips: list[Clip]) -> None:
    frontend = _frontend(profile)
    stream = frontend.stream()
    for clip in clips[:4]:
        samples = at_16_khz(clip)[:20000]
        both = np.concatenate([stream.push(samples), stream.flush()])
        assert_same_bits(both, frontend(samples, SAMPLE_RATE))


def test_two_streams_and_a_clip_do_not_disturb_each_other(clips: list[Clip]) -> None:
    frontend = _frontend("yamnet")
    one, two = clips[0].samples[:30000], clips[1].samples[:30000]
    first, second = frontend.stream(), frontend.stream()
    parts: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = ([], [])
    for at in range(0, 30000, 777):
        parts[0].append(first.push(one[at : at + 777]))
        frontend(two[:4000], SAMPLE_RATE)
        parts[1].append(second.push(two[at : at + 777]))
    parts[0].append(first.flush())
    parts[1].append(second.flush())
    assert_same_bits(np.concatenate(parts[0]), frontend(one, SAMPLE_RATE))
    assert_same_bits(np.concatenate(parts[1]), frontend(two, SAMPLE_RATE))


def test_a_refused_chunk_leaves_the_stream_as_it_was(clips: list[Clip]) -> None:
    frontend = _frontend("yamnet")
    samples = at_16_khz(clips[0])[:20000]
    stream = frontend.stream()
    parts = [stream.push(samples[:7001])]
    broken = samples[7001:9000].copy()
    broken[-1] = np.nan
    with pytest.raises(BabycryError):
        stream.push(broken)
    parts += [stream.push(samples[7001:]), stream.flush()]
    assert_same_bits(np.concatenate(parts), frontend(samples, SAMPLE_RATE))


@pytest.mark.parametrize("name", CONFIGS)
def test_every_instruction_set_gives_the_same_bits(name: str, clips: list[Clip]) -> None:
    frontend = _frontend(name)
    samples = clips[2].samples[:20001]
    as_float = samples.astype(np.float32) / np.float32(32768)
    expected = frontend(samples, SAMPLE_RATE)
    for isa in instruction_sets():
        other = Frontend(frontend.config, isa=isa)
        assert_same_bits(other(samples, SAMPLE_RATE), expected)
        assert_same_bits(other(as_float, SAMPLE_RATE), expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"ref": "max"},
        {"top_db": 80.0},
        {"compression": "log10_whisper", "framing": "left"},
        {"delta": 1},
        {"normalize": "window_mean"},
        {"pooling": "mean"},
    ],
)
def test_what_depends_on_the_whole_clip_cannot_be_streamed(changes: dict[str, Any]) -> None:
    frontend = Frontend.from_profile("librosa", **changes)
    assert not frontend.config.is_frame_by_frame
    frontend(np.zeros(6000, np.int16), SAMPLE_RATE)
    with pytest.raises(BabycryError, match="whole clip") as refusal:
        frontend.stream()
    field, value = next(iter(changes.items()))
    assert field in str(refusal.value) or str(value) in str(refusal.value)


_made: dict[str, Frontend] = {}


def _frontend(name: str) -> Frontend:
    if name not in _made:
        profile, changes = CONFIGS[name]
        _made[name] = Frontend.from_profile(profile, **changes)
    return _made[name]
