"""The resampler: its response, its alignment, and one answer however the audio is cut."""

from __future__ import annotations

import json
import re
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_bench.clips import load_clips
from babycry_bench.resampler_figures import PAIRS, ours
from babycry_bench.resampler_response import (
    PASS_BAND,
    at_two_rates,
    pass_band_ripple_db,
    sine_response,
    snr_db,
    stop_band_db,
)
from babycry_edge import BabycryError
from babycry_edge.binding import ffi, lib
from babycry_edge.conditioning import Resampler, as_float, resample, resampler_instruction_sets

ROOT = Path(__file__).resolve().parent.parent
ODD_PAIRS = [(16000, 15001), (44101, 16000), (384000, 1000), (1000, 384000), (8000, 48000)]
RATES = st.sampled_from([1000, 8000, 11025, 12345, 16000, 22050, 32000, 44100, 48000, 96000])


def noise(n_samples: int, seed: int = 3) -> np.ndarray:
    """White, float32, well within full scale."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples).astype(np.float32)


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_stop_band_is_below_minus_105_db(in_rate: int, out_rate: int) -> None:
    assert stop_band_db(ours(in_rate, out_rate), in_rate, out_rate) < -105


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_pass_band_ripple_is_below_a_thousandth_of_a_db(in_rate: int, out_rate: int) -> None:
    assert pass_band_ripple_db(ours(in_rate, out_rate), in_rate, out_rate) < 0.001


@pytest.mark.parametrize(("in_rate", "out_rate"), [(16000, 15001), (96000, 11025), (8000, 48000)])
def test_other_ratios_are_as_good(in_rate: int, out_rate: int) -> None:
    assert stop_band_db(ours(in_rate, out_rate), in_rate, out_rate, points=30) < -105
    assert pass_band_ripple_db(ours(in_rate, out_rate), in_rate, out_rate, points=15) < 0.001


def test_the_response_measures_what_it_says() -> None:
    halved = sine_response(lambda audio: np.float32(0.5) * audio, 16000, 16000, 1000)
    assert halved.gain_db == pytest.approx(-6.0206, abs=1e-3)
    aliased = sine_response(lambda audio: audio[::2], 16000, 8000, 5000)
    assert aliased.rest_db == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_sounds_equal_their_exact_samples_at_the_other_rate(in_rate: int, out_rate: int) -> None:
    for clip in load_clips():
        if clip.label == "cry":
            audio = as_float(clip.samples)
            given_, truth = at_two_rates(audio, clip.sample_rate, in_rate, out_rate)
            snr = snr_db(truth, resample(given_, in_rate, out_rate), out_rate // 10)
            assert snr > 100, clip.name


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_cries_and_sweeps_agree_with_soxr_hq(in_rate: int, out_rate: int) -> None:
    soxr = pytest.importorskip("soxr", reason="pip install 'babycry-edge[oracle]'")
    seconds = np.arange(4 * in_rate) / in_rate
    edge = PASS_BAND * min(in_rate, out_rate) / 2  # soxr falls by 0.009 dB up to there: 60 dB
    sweep = np.sin(2 * np.pi * edge / 8 * seconds**2).astype(np.float32)
    audios = [sweep]
    for clip in load_clips():
        if clip.label == "cry":
            audio = as_float(clip.samples)
            audios.append(at_two_rates(audio, clip.sample_rate, in_rate, out_rate)[0])
    for audio in audios:
        oracle = soxr.resample(audio, in_rate, out_rate, quality="HQ")
        assert snr_db(oracle, resample(audio, in_rate, out_rate), out_rate // 10) > 65


@pytest.mark.parametrize(("in_rate", "out_rate"), [*PAIRS, *ODD_PAIRS])
def test_an_impulse_stays_where_it_was(in_rate: int, out_rate: int) -> None:
    seconds = 2 if max(in_rate, out_rate) < 100000 else 1
    audio = np.zeros(seconds * in_rate, np.float32)
    audio[in_rate // 2] = 1.0
    output = resample(audio, in_rate, out_rate)
    center = out_rate // 2
    assert abs(int(np.abs(output).argmax()) - in_rate // 2 * out_rate / in_rate) < 1
    if in_rate // 2 * out_rate % in_rate == 0:
        np.testing.assert_allclose(
            output[center - 50 : center], output[center + 50 : center : -1], atol=2e-7
        )


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_a_clip_is_followed_up_to_both_its_ends(in_rate: int, out_rate: int) -> None:
    """As librosa: silence is assumed before and after, and nothing is delayed."""
    soxr = pytest.importorskip("soxr", reason="pip install 'babycry-edge[oracle]'")
    fade = np.sin(np.pi * np.arange(in_rate // 4) / (in_rate // 4)) ** 2
    audio = (fade * np.sin(2 * np.pi * 440 * np.arange(len(fade)) / in_rate)).astype(np.float32)
    oracle, output = soxr.resample(audio, in_rate, out_rate), resample(audio, in_rate, out_rate)
    n = min(len(oracle), len(output))
    np.testing.assert_allclose(output[:n], oracle[:n], atol=1e-5)


@given(in_rate=RATES, out_rate=RATES, n=st.integers(0, 3000))
@settings(deadline=None, max_examples=50)
def test_length_is_the_ratio_rounded_up(in_rate: int, out_rate: int, n: int) -> None:
    assert len(resample(noise(n), in_rate, out_rate)) == ceil(n * out_rate / in_rate)


@given(
    in_rate=RATES,
    out_rate=RATES,
    pieces=st.lists(st.integers(0, 1500), min_size=1, max_size=12),
    isa=st.sampled_from(resampler_instruction_sets()),
)
@settings(deadline=None, max_examples=80)
def test_pieces_give_the_bits_of_the_whole(
    in_rate: int, out_rate: int, pieces: list[int], isa: str
) -> None:
    audio = noise(sum(pieces))
    whole = resample(audio, in_rate, out_rate)
    stream = Resampler(in_rate, out_rate, isa=isa)
    for _ in range(2):  # flushing makes it new
        outputs = [stream.push(piece) for piece in np.split(audio, np.cumsum(pieces)[:-1])]
        outputs.append(stream.flush())
        np.testing.assert_array_equal(np.concatenate(outputs), whole)


def test_samples_one_at_a_time_give_the_bits_of_the_whole() -> None:
    audio = noise(700)
    stream = Resampler(44100, 16000)
    outputs = [stream.push(audio[i : i + 1]) for i in range(len(audio))] + [stream.flush()]
    np.testing.assert_array_equal(np.concatenate(outputs), resample(audio, 44100, 16000))


@pytest.mark.parametrize("isa", resampler_instruction_sets())
@pytest.mark.parametrize(("in_rate", "out_rate"), [*PAIRS, *ODD_PAIRS])
def test_every_instruction_set_gives_the_same_bits(isa: str, in_rate: int, out_rate: int) -> None:
    audio = noise(in_rate // 5 + 7)
    stream = Resampler(in_rate, out_rate, isa=isa)
    np.testing.assert_array_equal(stream.whole(audio), resample(audio, in_rate, out_rate))


def test_int16_is_float_over_32768() -> None:
    pcm = np.random.default_rng(5).integers(-32768, 32768, 20000).astype(np.int16)
    as_float32 = pcm.astype(np.float32) / 32768
    np.testing.assert_array_equal(resample(pcm, 44100, 16000), resample(as_float32, 44100, 16000))


def test_equal_rates_change_nothing() -> None:
    audio = noise(1000)
    np.testing.assert_array_equal(resample(audio, 16000, 16000), audio)


def test_no_subnormal_number_comes_out() -> None:
    audio = np.exp(-np.linspace(0, 90, 20000)).astype(np.float32)  # to 1e-39
    for in_rate, out_rate in PAIRS:
        output = np.abs(resample(audio, in_rate, out_rate))
        smallest = np.finfo(np.float32).tiny
        assert not ((output > 0) & (output < smallest)).any()
        assert output[-1] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e9])
def test_a_sample_that_is_no_number_is_refused_and_nothing_is_taken(bad: float) -> None:
    audio = noise(500)
    broken = audio.copy()
    broken[250] = bad
    stream = Resampler(44100, 16000)
    with pytest.raises(BabycryError, match="NaN, infinite"):
        stream.push(broken)
    outputs = np.concatenate([stream.push(audio), stream.flush()])
    np.testing.assert_array_equal(outputs, resample(audio, 44100, 16000))


@pytest.mark.parametrize(
    ("in_rate", "out_rate", "message"),
    [
        (999, 16000, "in_rate must be 1000 to 384000 Hz"),
        (16000, 384001, "out_rate must be 1000 to 384000 Hz"),
        (-8000, 16000, "in_rate must be 1000 to 384000 Hz"),
        (2**40, 16000, "in_rate must be 1000 to 384000 Hz"),
        (16000, 0, "out_rate must be 1000 to 384000 Hz"),
        (16000.5, 8000, "in_rate must be a whole number"),
        (16000, "8k", "out_rate must be a whole number"),
    ],
)
def test_a_rate_out_of_range_is_named(in_rate: int, out_rate: int, message: str) -> None:
    with pytest.raises(BabycryError, match=message):
        Resampler(in_rate, out_rate)


def test_audio_of_another_shape_or_type_is_refused() -> None:
    with pytest.raises(BabycryError, match="mix it down first"):
        resample(np.zeros((10, 2), np.float32), 8000, 16000)
    with pytest.raises(BabycryError, match="int16 or float"):
        resample(np.zeros(10, np.int32), 8000, 16000)
    with pytest.raises(BabycryError, match="not compiled in"):
        Resampler(8000, 16000, isa="z80")


@pytest.mark.parametrize(("in_rate", "out_rate"), PAIRS)
def test_c_refuses_memory_and_tables_that_do_not_fit(in_rate: int, out_rate: int) -> None:
    tables, handle = ffi.new("bc_resampler_tables *"), ffi.new("bc_resampler *")
    size = lib.bc_resampler_tables_size(in_rate, out_rate)
    ram_size = lib.bc_resampler_ram_size(in_rate, out_rate)
    memory, ram = ffi.new("char[]", size), ffi.new("char[]", ram_size)
    make = partial(lib.bc_resampler_make_tables, tables, in_rate, out_rate)
    assert make(memory, size - 1) == lib.BC_RAM_TOO_SMALL
    assert make(ffi.NULL, size) == lib.BC_NULL_POINTER
    assert make(memory, size) == lib.BC_OK
    assert tables.n_sharp * 4 + tables.n_phases * 4 + 3 == size
    init = partial(lib.bc_resampler_init, handle)
    assert init(tables, ram, ram_size - 1) == lib.BC_RAM_TOO_SMALL
    assert init(tables, ffi.NULL, ram_size) == lib.BC_NULL_POINTER
    assert init(ffi.NULL, ram, ram_size) == lib.BC_NULL_POINTER
    assert init(tables, ram, ram_size) == lib.BC_OK
    n_out = ffi.new("size_t *")
    pcm = ffi.new("int16_t[]", in_rate)
    count = lib.bc_resampler_push_count(handle, in_rate)
    out = ffi.new("float[]", count)
    assert lib.bc_resampler_push(handle, pcm, in_rate, out, count - 1, n_out) == (
        lib.BC_OUTPUT_TOO_SMALL
    )
    assert lib.bc_resampler_push(handle, pcm, in_rate, out, count, n_out) == lib.BC_OK
    assert n_out[0] == count
    assert lib.bc_resampler_flush(handle, out, 0, n_out) == lib.BC_OUTPUT_TOO_SMALL
    tables.n_phases += 1
    assert init(tables, ram, ram_size) == lib.BC_BAD_TABLES


def test_ram_of_a_microphone_at_48_khz_is_below_4_kib() -> None:
    resampler = Resampler(48000, 16000)
    assert resampler.ram_size + resampler.tables_size < 4096


def figures() -> dict[tuple[int, int], dict[str, float]]:
    """The committed measurements by rates."""
    (path,) = (ROOT / "bench/results").glob("resampler-*.json")
    rows = json.loads(path.read_text())["rates"]
    return {(row["in_rate"], row["out_rate"]): row for row in rows}


def test_table_in_the_docs_is_the_committed_measurement() -> None:
    text = (ROOT / "docs/conditioning.md").read_text()
    rows = re.findall(r"^\| [\d.]+ → .*$", text, flags=re.MULTILINE)
    expected = [
        f"| {row['in_rate'] / 1000:g} → {row['out_rate'] / 1000:g} kHz "
        f"| {row['stop_band_db']:.0f} / {row['soxr_stop_band_db']:.0f} dB "
        f"| {row['ripple_db']:.5f} / {row['soxr_ripple_db']:.5f} dB "
        f"| {row['snr_exact_db']:.0f} / {row['soxr_snr_exact_db']:.0f} dB "
        f"| {row['snr_against_soxr_db']:.0f} dB "
        f"| {row['ours_ms']:.1f} / {row['soxr_ms']:.1f} ms | {row['soxr_over_ours']:.2f} "
        f"| {row['ram_bytes']} + {row['tables_bytes']} |"
        for row in figures().values()
    ]
    assert rows == expected


def test_committed_memory_is_what_the_library_says() -> None:
    for (in_rate, out_rate), row in figures().items():
        resampler = Resampler(in_rate, out_rate)
        assert row["ram_bytes"] == resampler.ram_size
        assert row["tables_bytes"] == resampler.tables_size


def test_committed_response_is_measured_again() -> None:
    for pair in [(44100, 16000), (48000, 16000)]:
        row = figures()[pair]
        assert stop_band_db(ours(*pair), *pair) == pytest.approx(row["stop_band_db"], abs=0.1)
        assert pass_band_ripple_db(ours(*pair), *pair) == pytest.approx(row["ripple_db"], abs=1e-6)
