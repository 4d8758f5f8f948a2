"""tflm-micro: equal to pymicro-features and to the numpy oracle, on every compiler and target."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_bench.clips import Clip, load_clips
from babycry_edge.binding import ffi, lib
from babycry_edge.errors import BabycryError
from babycry_edge.tflm import TflmFrontend, to_float, to_int8
from oracles.signals import SAMPLE_RATE, at_16_khz, hard_signals, out_of_band_signals
from oracles.tflm_oracle import TflmOracle

ROOT = Path(__file__).resolve().parent.parent
CLIPS = {clip.name: clip for clip in load_clips()}

# pymicro-features and the oracle take log1pf from the C library. glibc 2.41 and later rounds it
# correctly, which moves four filter weights by one; newlib (microcontrollers), earlier glibc and
# this library do not.
needs_log1pf = pytest.mark.skipif(
    float(np.log1p(np.float32(2.5))) != float.fromhex("0x1.40b514p+0"),
    reason="this C library's log1pf rounds otherwise than newlib's",
)


def int16_at_16_khz(clip: Clip) -> np.ndarray:
    """The clip's own samples, or resampled and rounded."""
    if clip.sample_rate == SAMPLE_RATE:
        return clip.samples
    return np.clip(np.rint(at_16_khz(clip) * 32768), -32768, 32767).astype(np.int16)


def pymicro(pcm: np.ndarray) -> np.ndarray:
    """A stream through pymicro-features; its floats are v * 10 / 256."""
    pymicro_features = pytest.importorskip("pymicro_features")
    frontend = pymicro_features.MicroFrontend()
    rows = []
    for start in range(0, len(pcm) - 159, 160):
        output = frontend.process_samples(pcm[start : start + 160].tobytes())
        if output.features:
            rows.append(np.array(output.features) * 25.6)
    return np.array(rows, np.uint16).reshape(-1, 40)


def nasty_signals() -> dict[str, np.ndarray]:
    """Signals that wrap 16 bits, empty the noise level, or move it fast."""
    rng = np.random.default_rng(3)
    n = 2 * SAMPLE_RATE
    time = np.arange(n) / SAMPLE_RATE
    signals = {**hard_signals(), **out_of_band_signals()}
    for hz in (50, 125, 1000, 2000, 4000, 7000):
        wave = np.sin(2 * np.pi * hz * time) >= 0
        signals[f"square wave of {hz} Hz"] = np.where(wave, 32767, -32768).astype(np.int16)
    signals["either end of the range"] = rng.choice(np.array([-32768, 32767], np.int16), n)
    signals["random int16"] = rng.integers(-32768, 32768, n).astype(np.int16)
    rare = np.zeros(n, np.int16)
    rare[rng.integers(0, n, 90)] = rng.choice([-32768, 32767, -8192, -4, 1, -1], 90)
    signals["rare impulses"] = rare
    quiet, loud = rng.integers(-3, 4, n), rng.integers(-32768, 32768, n)
    signals["loud and quiet by turns"] = np.where(time % 0.1 < 0.05, loud, quiet).astype(np.int16)
    gains = np.repeat(10.0 ** rng.uniform(-4.5, 0, 40), n // 40)
    noise = rng.normal(size=n) * gains * 20000
    signals["noise of changing level"] = np.clip(noise, -32768, 32767).astype(np.int16)
    return signals


SIGNALS = nasty_signals()


@needs_log1pf
@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_equals_pymicro_features(name: str) -> None:
    pcm = int16_at_16_khz(CLIPS[name])
    expected = pymicro(pcm)
    assert len(expected) > 90
    np.testing.assert_array_equal(TflmFrontend().push(pcm), expected)


@needs_log1pf
@pytest.mark.parametrize("name", SIGNALS)
def test_a_hard_signal_equals_pymicro_features(name: str) -> None:
    pcm = SIGNALS[name]
    np.testing.assert_array_equal(TflmFrontend().push(pcm), pymicro(pcm))


@needs_log1pf
def test_five_minutes_in_one_stream_equal_pymicro_features() -> None:
    rng = np.random.default_rng(5)
    level = np.repeat(10.0 ** rng.uniform(-4, 0, 300), SAMPLE_RATE)
    pcm = np.clip(rng.normal(size=len(level)) * level * 20000, -32768, 32767).astype(np.int16)
    np.testing.assert_array_equal(TflmFrontend().push(pcm), pymicro(pcm))


@needs_log1pf
@pytest.mark.parametrize("name", ["random int16", "noise of changing level", "rare impulses"])
def test_the_oracle_equals_pymicro_features(name: str) -> None:
    pcm = SIGNALS[name][: SAMPLE_RATE // 2]
    np.testing.assert_array_equal(TflmOracle().features(pcm), pymicro(pcm))


CONFIGS = {
    "micro_speech, hop 20 ms": TflmOracle(hop_length=320),
    "8 kHz": TflmOracle(8000, 240, 80, 40, 125.0, 3800.0),  # n_fft 256: a stage of radix 2
    "16 kHz, 25 ms, 32 channels": TflmOracle(16000, 400, 160, 32),
    "44.1 kHz, odd window": TflmOracle(44100, 1323, 441),
    "48 kHz, from 0 Hz": TflmOracle(48000, 960, 480, 80, 0.0, 23000.0),
    "window fills the FFT": TflmOracle(16000, 512, 512, 20, 60.0, 7900.0),
    "smallest FFT": TflmOracle(16000, 33, 7, 5, 300.0, 7000.0),
    "channels without a bin": TflmOracle(16000, 128, 64, 60),
}


@needs_log1pf
@pytest.mark.parametrize("name", CONFIGS)
def test_other_configurations_equal_the_oracle(name: str) -> None:
    oracle = CONFIGS[name]
    rng = np.random.default_rng(6)
    n = oracle.win_length + 12 * oracle.hop_length + 3
    levels = np.repeat([1.0, 0.003, 0.3, 0.00005], -(-n // 4))[:n]
    noise = (rng.normal(size=n) * 20000 * levels).clip(-32768, 32767)
    extremes = rng.choice([-32768, 32767], n)
    pcm = np.concatenate([noise, extremes]).astype(np.int16)
    expected = oracle.features(pcm)
    assert expected.any()
    np.testing.assert_array_equal(frontend_of(oracle).push(pcm), expected)


def frontend_of(oracle: TflmOracle) -> TflmFrontend:
    names = ("win_length", "hop_length", "n_channels", "fmin", "fmax")
    return TflmFrontend(oracle.sample_rate, **{name: getattr(oracle, name) for name in names})


@settings(max_examples=30, deadline=None)
@given(
    pieces=st.lists(st.integers(0, 1500), max_size=12),
    win_length=st.integers(33, 600),
    hop=st.floats(0.05, 1.0),
)
def test_any_pieces_give_the_same_frames(pieces: list[int], win_length: int, hop: float) -> None:
    hop_length = max(1, int(hop * win_length))
    pcm = np.random.default_rng(1).integers(-9000, 9000, sum(pieces)).astype(np.int16)
    stream = TflmFrontend(win_length=win_length, hop_length=hop_length)
    bounds = np.cumsum([0, *pieces])
    rows = [stream.push(pcm[a:b]) for a, b in itertools.pairwise(bounds)]
    whole = TflmFrontend(win_length=win_length, hop_length=hop_length).push(pcm)
    count = max(0, (len(pcm) - win_length) // hop_length + 1)
    assert whole.shape == (count, 40)
    np.testing.assert_array_equal(np.concatenate([np.zeros((0, 40), np.uint16), *rows]), whole)


def test_after_a_reset_the_stream_is_new() -> None:
    stream = TflmFrontend()
    first = stream.push(SIGNALS["random int16"])
    stream.reset()
    np.testing.assert_array_equal(stream.push(SIGNALS["random int16"]), first)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sample_rate": 999}, "sample_rate"),
        ({"win_length": 32}, "win_length"),
        ({"win_length": 4097}, "win_length"),
        ({"hop_length": 0}, "hop_length"),
        ({"hop_length": 481}, "hop_length"),
        ({"n_channels": 0}, "n_channels"),
        ({"n_channels": 256}, "n_channels"),
        ({"fmin": -1.0}, "fmin"),
        ({"fmin": float("nan")}, "fmin"),
        ({"fmax": 125.5}, "fmax"),
        ({"fmax": 8000.0}, "fmax"),
        ({"sample_rate": 8000}, "fmax"),  # 7500 Hz is beyond half of it
        ({"fmax": float("inf")}, "fmax"),
        ({"n_mels": 40}, "n_mels"),
        ({"win_length": 2**40}, "win_length"),
    ],
)
def test_what_cannot_be_is_refused_by_name(changes: dict[str, object], field: str) -> None:
    with pytest.raises(BabycryError, match=field):
        TflmFrontend(**changes)


@pytest.mark.parametrize("pcm", [np.zeros(9, np.float32), np.zeros((9, 2), np.int16)])
def test_other_audio_is_refused(pcm: np.ndarray) -> None:
    with pytest.raises(BabycryError, match="int16"):
        TflmFrontend().push(pcm)


def test_the_c_library_says_how_much_room_it_needs() -> None:
    config, tables, stream = (
        ffi.new(f"{name} *") for name in ("bc_tflm_config", "bc_tflm_tables", "bc_tflm")
    )
    assert lib.bc_tflm_default(config, 16000) == lib.BC_OK
    size = lib.bc_tflm_tables_size(config)
    memory = ffi.new("char[]", size)
    assert lib.bc_tflm_make_tables(config, tables, memory, size - 1) == lib.BC_RAM_TOO_SMALL
    assert lib.bc_tflm_make_tables(config, tables, memory, size) == lib.BC_OK
    ram_size = lib.bc_tflm_ram_size(tables)
    assert ram_size == 2 * 480 + 2 * 512 + 4 * 40 + 3  # BC_TFLM_RAM_SIZE(480, 512, 40)
    ram = ffi.new("char[]", ram_size)
    assert lib.bc_tflm_init(stream, tables, ram, ram_size - 1) == lib.BC_RAM_TOO_SMALL
    assert lib.bc_tflm_init(stream, tables, ram, ram_size) == lib.BC_OK
    pcm, features, count = (ffi.new(kind) for kind in ("int16_t[640]", "uint16_t[80]", "size_t *"))
    assert lib.bc_tflm_push_count(stream, 640) == 2
    assert lib.bc_tflm_push(stream, pcm, 640, features, 1, count) == lib.BC_OUTPUT_TOO_SMALL
    assert lib.bc_tflm_push_count(stream, 640) == 2  # nothing was consumed
    assert lib.bc_tflm_push(stream, pcm, 640, features, 2, count) == lib.BC_OK
    assert count[0] == 2
    assert lib.bc_tflm_push(stream, ffi.NULL, 1, features, 2, count) == lib.BC_NULL_POINTER


def test_every_table_states_its_length() -> None:
    fields = dict(ffi.typeof("bc_tflm_tables").fields)
    pointers = [name for name, field in fields.items() if field.type.kind == "pointer"]
    assert len(pointers) == 8
    assert all(f"n_{name}" in fields for name in pointers)


def test_what_models_take() -> None:
    values = np.arange(65536, dtype=np.uint16)
    exact = (values.astype(np.int64) * 256 + 333) // 666 - 128
    np.testing.assert_array_equal(to_int8(values), np.clip(exact, -128, 127).astype(np.int8))
    np.testing.assert_array_equal(to_float(values), values.astype(np.float64) * 10 / 256)


FLAGS = ["-std=c11", "-ffp-contract=off", "-ffreestanding", "-Wall", "-Wextra", "-Wconversion"]
FLAGS += ["-Wshadow", "-Werror", f"-I{ROOT / 'csrc/include'}"]
UBSAN = ["-fsanitize=undefined", "-fno-sanitize-recover=all"]
SOURCES = sorted((ROOT / "csrc/tflm").glob("*.c"))


def require_tools(*tools: str) -> None:
    """Skips where a tool is absent, but fails where the build server must have it."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing and os.environ.get("BABYCRY_REQUIRE_CROSS"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@pytest.mark.parametrize(
    ("compiler", "options", "emulator"),
    [
        pytest.param("gcc", ["-O0", *UBSAN], [], id="gcc-O0-ubsan"),
        pytest.param("gcc", ["-O3"], [], id="gcc-O3"),
        pytest.param("clang", ["-O0"], [], id="clang-O0"),
        pytest.param("clang", ["-O3"], [], id="clang-O3"),
        pytest.param(
            "aarch64-linux-gnu-gcc",
            ["-O2", "-static"],
            ["qemu-aarch64", "-cpu", "cortex-a53"],
            id="aarch64",
        ),
        pytest.param(
            "arm-linux-gnueabihf-gcc",
            ["-O2", "-static", "-march=armv7-a", "-mfpu=neon-vfpv4"],  # has the DSP instructions
            ["qemu-arm", "-cpu", "cortex-a7"],
            id="armv7-dsp",
        ),
    ],
)
def test_one_hash_on_every_compiler_and_target(
    compiler: str, options: list[str], emulator: list[str], tmp_path: Path
) -> None:
    require_tools(compiler, *emulator[:1])
    program = tmp_path / "dump_tflm"
    files = [*SOURCES, ROOT / "csrc/frontend/bc_elementary.c", ROOT / "csrc/tests/dump_tflm.c"]
    subprocess.run([compiler, *FLAGS, *options, *files, "-o", program], check=True)
    pcm = np.concatenate([*SIGNALS.values(), int16_at_16_khz(CLIPS["cry_hungry_1"])])
    (tmp_path / "in.s16").write_bytes(pcm.astype("<i2").tobytes())
    for hop in (160, 320):
        command = [*emulator, program, tmp_path / "in.s16", tmp_path / "out.u16", str(hop)]
        subprocess.run(command, check=True, timeout=300)
        found = hashlib.sha256((tmp_path / "out.u16").read_bytes()).hexdigest()
        expected = TflmFrontend(hop_length=hop).push(pcm).astype("<u2").tobytes()
        assert found == hashlib.sha256(expected).hexdigest()


TABLE_TIME = {"bc_tflm_tables.c", "bc_tflm_to_float.c"}


@pytest.mark.parametrize("cpu", ["cortex-m0", "cortex-m3"])
def test_no_floating_point_where_there_is_no_fpu(cpu: str, tmp_path: Path) -> None:
    require_tools("arm-none-eabi-gcc", "arm-none-eabi-nm")
    compiler = ["arm-none-eabi-gcc", *FLAGS, "-O2", f"-mcpu={cpu}", "-mthumb"]
    undefined = {}
    for source in SOURCES:
        target = tmp_path / f"{source.stem}.o"
        subprocess.run([*compiler, "-c", source, "-o", target], check=True)
        command = ["arm-none-eabi-nm", "--undefined-only", target]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        undefined[source.name] = {name for name in names if name != "U"}
    floats = {name: {s for s in symbols if is_float(s)} for name, symbols in undefined.items()}
    assert floats["bc_tflm_tables.c"]  # the search does find some
    assert {name: found for name, found in floats.items() if found and name not in TABLE_TIME} == {}
    outside = set().union(*(undefined[n] for n in undefined if n not in TABLE_TIME))
    allowed = re.compile(
        r"bc_tflm_\w+|__aeabi_(uidiv|uidivmod|idiv|lmul|llsl|llsr)|__clzsi2|mem(cpy|set)"
    )
    assert [name for name in outside if not allowed.fullmatch(name)] == []


def is_float(symbol: str) -> bool:
    """Whether a symbol is one of the compiler's helpers for float or double."""
    return bool(re.match(r"__aeabi_(c?f|c?d|i2f|i2d|ui2f|ui2d|l2f|l2d|ul2f|ul2d)", symbol))
