"""The integer front-end: how near it is to the float one, and the same bits everywhere."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_bench.clips import load_clips
from babycry_edge import BabycryError, Frontend, FrontendConfig
from babycry_edge.audio import resample
from babycry_edge.binding import ffi, lib
from babycry_edge.integer import IntegerFrontend, IntegerStream, IntegerTables

ROOT = Path(__file__).resolve().parent.parent
RATE = 16000

LOG_MEL = FrontendConfig.from_profile("librosa", n_fft=512, hop_length=160, n_mels=64)
CONFIGS = {
    "log-mel 512/160/64": LOG_MEL,
    "librosa": FrontendConfig.from_profile("librosa"),
    "babycry": FrontendConfig.from_profile("babycry", normalize="none"),
    "yamnet": FrontendConfig.from_profile("yamnet"),
    "1024, 800 in the middle, reflect, ln": FrontendConfig.from_profile(
        "torchaudio",
        n_fft=1024,
        win_length=800,
        n_mels=64,
        compression="log_max",
        log_offset=1e-10,
    ),
}
BY_NAME = pytest.mark.parametrize("name", CONFIGS)


@cache
def clips() -> dict[str, np.ndarray]:
    """Every bundled clip as int16 at 16 kHz."""
    found = {}
    for clip in load_clips():
        audio = clip.samples
        if clip.sample_rate != RATE:
            louder = resample(audio, clip.sample_rate, RATE) * 32768
            audio = np.clip(np.rint(louder), -32768, 32767).astype(np.int16)
        found[clip.name] = audio
    return found


def at_level(pcm: np.ndarray, peak_dbfs: float) -> np.ndarray:
    """The clip with its peak at a level, rounded to int16 again."""
    peak = np.abs(pcm.astype(np.float64)).max()
    return np.rint(pcm * (32768 * 10 ** (peak_dbfs / 20) / peak)).astype(np.int16)


def snr_db(reference: np.ndarray, values: np.ndarray) -> float:
    """Energy of the reference over that of the difference, in dB."""
    difference = np.sum((reference - values) ** 2)
    return float(10 * np.log10(np.sum(reference**2) / difference))


@BY_NAME
def test_within_60_db_of_the_float_front_end_on_every_clip(name: str) -> None:
    config = CONFIGS[name]
    front_end, exact = IntegerFrontend(config), Frontend(config)
    for clip, pcm in clips().items():
        values = front_end(pcm, RATE) * front_end.scale
        assert snr_db(exact(pcm, RATE).astype(np.float64), values) >= 60, clip


@BY_NAME
def test_within_60_db_of_it_for_clips_whose_peak_is_60_db_below_full_scale(name: str) -> None:
    """The frame's exponent keeps the precision: the requirement is 40 dB."""
    config = CONFIGS[name]
    front_end, exact = IntegerFrontend(config), Frontend(config)
    for clip, pcm in clips().items():
        quiet = at_level(pcm, -60)
        values = front_end(quiet, RATE) * front_end.scale
        assert snr_db(exact(quiet, RATE).astype(np.float64), values) >= 60, clip


def test_no_value_is_off_by_more_than_0_03_db_from_double_precision() -> None:
    """In the empty bands of an 8 kHz recording the float front-end itself is 0.1 dB off."""
    librosa = pytest.importorskip("librosa")
    filters = librosa.filters.mel(sr=RATE, n_fft=512, n_mels=64, dtype=np.float64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    front_end = IntegerFrontend(LOG_MEL)
    for clip, pcm in clips().items():
        for audio in (pcm, at_level(pcm, -60)):
            padded = np.pad(audio / 32768, 256)
            frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::160]
            power = np.abs(np.fft.rfft(frames * hann)) ** 2
            expected = 10 * np.log10(np.maximum(power @ filters.T, 1e-10))
            values = front_end(audio, RATE) * front_end.scale
            assert np.abs(values - expected).max() < 0.03, clip


@pytest.mark.parametrize("norm", ["none", "ortho", "htk", "kaldi"])
@pytest.mark.parametrize(("n_mfcc", "lifter", "n_mels"), [(13, 0, 64), (20, 22, 64), (40, 0, 41)])
def test_mfcc_within_60_db_of_the_float_ones(
    norm: str, n_mfcc: int, lifter: int, n_mels: int
) -> None:
    config = FrontendConfig.from_profile(
        "librosa",
        n_fft=512,
        hop_length=160,
        n_mels=n_mels,
        n_mfcc=n_mfcc,
        dct_norm=norm,
        lifter=lifter,
    )
    front_end, exact = IntegerFrontend(config), Frontend(config)
    assert front_end.n_features == n_mfcc
    for clip, pcm in clips().items():
        for audio in (pcm, at_level(pcm, -60)):
            values = front_end(audio, RATE) * front_end.scale
            # the step is as large as the coefficient that a lifter raises most wants it
            required = 60 if lifter == 0 or clip.startswith("cry") else 55
            assert snr_db(exact(audio, RATE).astype(np.float64), values) >= required, clip


@st.composite
def front_ends(draw: st.DrawFn) -> FrontendConfig:
    """Configurations that the integer front-end takes."""
    n_fft = 2 ** draw(st.integers(5, 12))
    return FrontendConfig.from_profile(
        "librosa",
        n_fft=n_fft,
        win_length=draw(st.integers(1, n_fft)),
        hop_length=draw(st.integers(n_fft // 8, 3 * n_fft)),
        window=draw(st.sampled_from(["hann", "hann_symmetric", "povey"])),
        window_position=draw(st.sampled_from(["center", "left"])),
        framing=draw(st.sampled_from(["left", "center-zero", "center-reflect"])),
        spectrum=draw(st.sampled_from(["power", "magnitude"])),
        mel_scale=draw(st.sampled_from(["slaney", "htk"])),
        mel_slopes=draw(st.sampled_from(["hz", "mel", "bin"])),
        mel_norm=draw(st.sampled_from(["slaney", "none"])),
        n_mels=draw(st.integers(1, 80)),
        compression=draw(st.sampled_from(["db", "log", "log_max"])),
        log_offset=draw(st.sampled_from([1e-10, 1e-3, 1.0])),
    )


@settings(max_examples=150, deadline=None)
@given(config=front_ends(), seed=st.integers(0, 2**31), n=st.integers(0, 9000))
def test_a_stream_gives_the_float_streams_frames_when_it_does_and_the_clips_bits(
    config: FrontendConfig, seed: int, n: int
) -> None:
    random = np.random.default_rng(seed)
    pcm = random.integers(-32768, 32768, n).astype(np.int16)
    front_end = IntegerFrontend(config)
    stream, exact = front_end.stream(), Frontend(config).stream()
    for _ in range(2):  # the flush makes it ready for another one
        rows = []
        at = 0
        while at < n:
            piece = pcm[at : at + int(random.integers(1, 3000))]
            rows.append(stream.push(piece))
            assert len(rows[-1]) == len(exact.push(piece))
            at += len(piece)
        if config.framing == "center-reflect" and n <= config.n_fft // 2:
            for end in (stream.flush, exact.flush, lambda: front_end(pcm, RATE)):
                with pytest.raises(BabycryError, match="too short"):
                    end()
            continue
        rows.append(stream.flush())
        assert len(rows[-1]) == len(exact.flush())
        assert np.array_equal(np.concatenate(rows), front_end(pcm, RATE))


@settings(max_examples=100, deadline=None)
@given(config=front_ends(), seed=st.integers(0, 2**31))
def test_any_configuration_is_near_the_float_one(config: FrontendConfig, seed: int) -> None:
    """Noise of an LSB or more in every bin: an error of at most 0.05 dB, or its like in ln."""
    random = np.random.default_rng(seed)
    level = 10 ** random.uniform(0.5, 4)
    pcm = np.clip(random.normal(0, level, 3 * config.n_fft), -32768, 32767).astype(np.int16)
    front_end = IntegerFrontend(config)
    values = front_end(pcm, RATE) * front_end.scale
    expected = Frontend(config)(pcm, RATE)
    near = 0.05 if config.compression == "db" else 0.05 * np.log(10) / 10
    assert np.abs(values - expected).max(initial=0) <= near


def tone(frequency: float, amplitude: float) -> np.ndarray:
    return np.rint(amplitude * np.sin(2 * np.pi * frequency / RATE * np.arange(8000)))


EXTREMES = {
    "silence": np.zeros(8000),
    "all -32768": np.full(8000, -32768),
    "all 32767": np.full(8000, 32767),
    "DC of 1": np.ones(8000),
    "DC of -1": -np.ones(8000),
    "one sample": np.eye(1, 8000, 4000)[0] * -32768,
    "one sample of 1": np.eye(1, 8000, 4000)[0],
    "Nyquist": np.where(np.arange(8000) % 2, 32767, -32768),
    "square wave": np.where(np.arange(8000) // 40 % 2, 32767, -32768),
    "slow square wave": np.where(np.arange(8000) // 400 % 2, 32767, -32768),
    "loudest tone": tone(1000, 32767),
    "quietest tone": tone(1000, 0.6),
}


@pytest.mark.parametrize("spectrum", ["power", "magnitude"])
@pytest.mark.parametrize("signal", EXTREMES)
def test_extremes(signal: str, spectrum: str) -> None:
    """Within 0.1 dB in bands up to 90 dB below the frame's loudest; no overflow elsewhere."""
    pcm = EXTREMES[signal].astype(np.int16)
    for n_fft in (64, 128, 512, 2048):
        n_mels = 10 if n_fft < 512 else 64
        config = FrontendConfig.from_profile(
            "librosa", n_fft=n_fft, hop_length=160, n_mels=n_mels, spectrum=spectrum, framing="left"
        )
        front_end = IntegerFrontend(config)
        values = front_end(pcm, RATE) * front_end.scale
        expected = Frontend(config)(pcm, RATE)
        span = 90 if spectrum == "power" else 45
        heard = expected > np.maximum(expected.max(axis=1, keepdims=True) - span, -99)
        assert np.abs(values - expected)[heard].max(initial=0) < 0.1
        assert (values <= expected.max(axis=1, keepdims=True) + 0.1).all()


def test_silence_is_the_floor_exactly() -> None:
    for amin, ref in ((1e-10, 1.0), (1e-6, 10.0)):
        config = FrontendConfig.from_profile("librosa", amin=amin, ref=ref)
        front_end = IntegerFrontend(config)
        rows = front_end(np.zeros(4000, np.int16), RATE)
        assert (rows * front_end.scale == 10 * np.log10(amin) - 10 * np.log10(ref)).all()


def test_features_beyond_the_room_saturate() -> None:
    low = FrontendConfig.from_profile("librosa", amin=1e-30)
    assert (IntegerFrontend(low)(np.zeros(4000, np.int16), RATE) == -32768).all()
    high = FrontendConfig.from_profile("librosa", amin=1e-30, ref=1e-29, mel_norm="none")
    loud = (20000 * np.random.default_rng(1).standard_normal(4000)).clip(-32768, 32767)
    assert (IntegerFrontend(high)(loud.astype(np.int16), RATE) == 32767).all()


SCALES = [(0.5, -3), (0.3721, 17), (1 / 128, 0), (6 / 128, 5), (2.0, 127), (1e-6, -128), (1e6, 4)]


@pytest.mark.parametrize(("scale", "zero_point"), SCALES)
def test_int8_rows_are_the_int16_rows_quantised_half_to_even(scale: float, zero_point: int) -> None:
    pcm = np.concatenate([*list(clips().values())[:4], np.zeros(3000, np.int16)])
    for config in (LOG_MEL, CONFIGS["yamnet"]):
        front_end = IntegerFrontend(config)
        stream = front_end.stream_int8(scale, zero_point)
        rows = np.concatenate([stream.push(pcm), stream.flush()])
        exact = front_end(pcm, RATE) * front_end.scale / float(np.float32(scale))
        assert rows.dtype == np.int8
        assert np.array_equal(rows, np.clip(np.rint(exact) + zero_point, -128, 127))


@pytest.mark.parametrize(
    ("scale", "zero_point"),
    [(0.0, 0), (-1.0, 0), (1e-31, 0), (float("nan"), 0), (1.0, 128), (1.0, -129)],
)
def test_a_bad_quantisation_is_refused(scale: float, zero_point: int) -> None:
    with pytest.raises(BabycryError, match=r"scale .*zero_point"):
        IntegerFrontend(LOG_MEL).stream_int8(scale, zero_point)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("n_fft", {"n_fft": 400}),
    ("compression", {"compression": "none"}),
    ("ref", {"ref": "max"}),
    ("top_db", {"top_db": 80.0}),
    ("normalize", {"normalize": "window_mean"}),
    ("framing", {"framing": "kaldi-snip"}),
    ("preemphasis", {"preemphasis": 0.97}),
    ("remove_dc", {"remove_dc": 1}),
    ("delta", {"delta": 1}),
    ("descriptors", {"descriptors": ("rms",)}),
    ("pooling", {"pooling": "mean"}),
]


@pytest.mark.parametrize(("field", "changes"), REFUSED)
def test_what_the_integer_front_end_does_not_take_is_named(
    field: str, changes: dict[str, Any]
) -> None:
    config = FrontendConfig.from_profile("librosa", **changes)
    with pytest.raises(BabycryError, match=f"integer front-end: {field} must be"):
        IntegerFrontend(config)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_mfcc", -1),
        ("n_mfcc", 65),
        ("dct_norm", 4),
        ("lifter", -1),
        ("n_mels", 0),
    ],
)
def test_the_status_names_the_field(field: str, value: float) -> None:
    c_config = LOG_MEL.to_c()
    setattr(c_config, field, value)
    assert lib.bc_integer_check(c_config) == getattr(lib, f"BC_BAD_{field.upper()}")
    assert lib.bc_integer_tables_size(c_config) == 0
    tables = ffi.new("bc_integer_tables *")
    ram = ffi.new("char[]", 8)
    status = lib.bc_integer_make_tables(c_config, tables, ram, 8)
    assert status == getattr(lib, f"BC_BAD_{field.upper()}")


@pytest.mark.parametrize("samples", [np.zeros(100), np.zeros((2, 100), np.int16)])
def test_other_samples_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(BabycryError, match="takes int16 of one channel"):
        IntegerFrontend(LOG_MEL)(samples, RATE)
    with pytest.raises(BabycryError, match="wants 16000 Hz"):
        IntegerFrontend(LOG_MEL)(np.zeros(100, np.int16), 8000)


def test_ram_of_a_stream_is_known_small_and_enough() -> None:
    tables = IntegerTables(LOG_MEL.to_c())
    size = lib.bc_integer_ram_size(tables.handle)
    handle = ffi.new("bc_integer *")
    assert size + ffi.sizeof("bc_integer") <= 5 * 1024
    for offset in range(8):  # any alignment
        ram = ffi.new("char[]", size + 16)
        ram[offset + size] = b"\x5a"
        assert lib.bc_integer_init(handle, tables.handle, ram + offset, size) == lib.BC_OK
        rows, count = ffi.new("int16_t[]", 64 * 8), ffi.new("size_t *")
        pcm = np.arange(1200, dtype=np.int16)
        c_pcm = ffi.cast("int16_t *", ffi.from_buffer(pcm))
        assert lib.bc_integer_push(handle, c_pcm, len(pcm), rows, 8, count) == lib.BC_OK
        assert ram[offset + size] == b"\x5a"
        expected = IntegerFrontend(LOG_MEL)(pcm, RATE)[: count[0]]
        assert list(rows[0 : 64 * count[0]]) == expected.ravel().tolist()
    too_small = lib.bc_integer_init(handle, tables.handle, ram, size - 1)
    assert too_small == lib.BC_RAM_TOO_SMALL


def test_every_table_states_its_length() -> None:
    """So that they can be written as C source without knowing what they are."""
    fields = dict(ffi.typeof("bc_integer_tables").fields)
    pointers = [name for name, field in fields.items() if field.type.kind == "pointer"]
    assert len(pointers) == 10
    assert all(f"n_{name}" in fields for name in pointers)
    tables = IntegerTables(CONFIGS["yamnet"].to_c())
    assert all(getattr(tables.handle, f"n_{name}") > 0 for name in set(pointers) - {"dct"})


# The same bits from every compiler and on every target.

RUN_TIME = sorted(
    set((ROOT / "csrc/integer").glob("*.c")) - {ROOT / "csrc/integer/bc_integer_tables.c"}
)
# The library without its kernels: what nothing calls, the float front-end, is left out in linking.
KERNELS = {"bc_frame.c", "bc_frames.c", "bc_resampler_filter.c"}
SOURCES = sorted(
    path
    for path in (ROOT / "csrc").glob("*/bc_*.c")
    if path.name not in KERNELS and not path.name.endswith("_isa.c")
)
APART = ["-ffunction-sections", "-Wl,--gc-sections"]
INCLUDE = [f"-I{ROOT}/csrc/include", f"-I{ROOT}/csrc/frontend"]
BUILDS = {
    "gcc -O0": ["gcc", "-O0"],
    "gcc -O3": ["gcc", "-O3"],
    "gcc -O2 without long products": ["gcc", "-O2", "-DBC_NARROW_PRODUCTS"],
    "gcc sanitized": ["gcc", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "clang -O0": ["clang", "-O0"],
    "clang -O3": ["clang", "-O3"],
    "clang sanitized": ["clang", "-O2", "-fsanitize=undefined", "-fno-sanitize-recover=all"],
    "aarch64": ["aarch64-linux-gnu-gcc", "-O2", "-static"],
    "armv7": ["arm-linux-gnueabihf-gcc", "-O2", "-static"],
    "armv7 Thumb without long products": [
        *("arm-linux-gnueabihf-gcc", "-O3", "-static", "-mthumb"),
        "-DBC_NARROW_PRODUCTS",
    ],
}
EMULATORS = {
    "aarch64-linux-gnu-gcc": ["qemu-aarch64", "-cpu", "cortex-a53"],
    "arm-linux-gnueabihf-gcc": ["qemu-arm", "-cpu", "cortex-a7"],
}


def require_tools(*tools: str) -> None:
    """Skips where a tool is absent, but fails where the build server must have it."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing and os.environ.get("BABYCRY_REQUIRE_CROSS"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def sound() -> np.ndarray:
    """Cries, their quiet copies, and every extreme, one after the other."""
    pieces = [pcm[:12000] for pcm in list(clips().values())[:4]]
    pieces += [at_level(piece, -60) for piece in pieces]
    return np.concatenate([*pieces, *EXTREMES.values()]).astype("<i2")


def python_digest(pcm: np.ndarray) -> str:
    """What dump_integer writes, from the library that Python has loaded."""
    digest = hashlib.sha256()
    for i, n_fft in enumerate((64, 128, 256, 512, 1024, 2048)):
        config = FrontendConfig.from_profile(
            "librosa",
            n_fft=n_fft,
            win_length=n_fft - 30 * (i % 3),
            hop_length=n_fft // 3 + (n_fft if i == 5 else 0),
            n_mels=8 if n_fft < 256 else 41,
            window_position=("center", "left")[i % 2],
            framing=("left", "center-zero", "center-reflect")[i % 3],
            spectrum=("power", "magnitude")[i % 2],
            compression=("db", "log", "log_max")[i % 3],
            log_offset=0.001,
        )
        for n_mfcc in (0, 7):
            c_config = config.to_c()
            c_config.n_mfcc, c_config.dct_norm = n_mfcc, i % 2
            c_config.lifter = 22 * (i % 2) if n_mfcc else 0
            for int8 in (None, (0.47, 37)):
                stream = IntegerStream(IntegerTables(c_config), int8)
                digest.update(stream.push(pcm).tobytes() + stream.flush().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("name", BUILDS)
def test_one_hash_from_every_compiler_and_on_every_target(name: str, tmp_path: Path) -> None:
    compiler, *options = BUILDS[name]
    emulator = EMULATORS.get(compiler, [])
    require_tools(compiler, *emulator[:1])
    program, pcm, output = (tmp_path / part for part in ("dump_integer", "in.s16", "out"))
    flags = [
        "-std=c11",
        "-ffp-contract=off",
        "-Wall",
        "-Wextra",
        "-Wconversion",
        "-Wshadow",
        "-Werror",
    ]
    sources = [str(path) for path in (*SOURCES, ROOT / "csrc/tests/dump_integer.c")]
    subprocess.run(
        [compiler, *flags, *options, *APART, *INCLUDE, *sources, "-lm", "-o", str(program)],
        check=True,
    )
    samples = sound()
    pcm.write_bytes(samples.tobytes())
    subprocess.run([*emulator, str(program), str(pcm), str(output)], check=True, timeout=300)
    assert hashlib.sha256(output.read_bytes()).hexdigest() == python_digest(samples)


FLOAT_SYMBOL = re.compile(r"__aeabi_(c?[fd]\w*|\w*2[fdh]\w*)$|__\w+[sd]f\d?$|__gnu_[fh]2|__fp")


def symbols(objects: list[Path]) -> set[str]:
    """All symbols, defined or wanted, of ARM objects."""
    lines = subprocess.run(
        ["arm-none-eabi-nm", *map(str, objects)], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return {line.split()[-1] for line in lines if line and not line.endswith(":")}


def table_source(tables: IntegerTables) -> str:
    """The tables as C source, as firmware has them in flash."""
    arrays, members = [], []
    for name, field in ffi.typeof("bc_integer_tables").fields:
        value = getattr(tables.handle, name)
        if field.type.kind == "pointer":
            count = getattr(tables.handle, f"n_{name}")
            c_type = field.type.item.cname
            if count:
                numbers = ",".join(str(number) for number in value[0:count])
                arrays.append(f"static const {c_type} {name}[] = {{{numbers}}};")
            members.append(f".{name} = {name if count else 'NULL'}")
        else:
            members.append(f".{name} = {value}")
    return "\n".join(arrays) + f"\nconst bc_integer_tables tables = {{{', '.join(members)}}};\n"


FIRMWARE = """
#include <babycry/integer.h>
%s
static char ram[BC_INTEGER_RAM_SIZE(512, 64, 13)];
static const bc_integer_int8 kind = {8388608u, 2147483648u, 20, 3};
bc_integer fe;
int16_t pcm[160], rows[13 * 4];
int main(void) {
    size_t n, bad = bc_integer_init(&fe, &tables, ram, sizeof ram);
    bad += bc_integer_push(&fe, pcm, 160, rows, 4, &n) + bc_integer_flush(&fe, rows, 4, &n);
    bad += bc_integer_push_int8(&fe, &kind, pcm, 160, (int8_t *)rows, 4, &n);
    return (int)(bad + bc_integer_flush_int8(&fe, &kind, (int8_t *)rows, 4, &n));
}
"""


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os", "-O3"])
@pytest.mark.parametrize("cpu", ["cortex-m0", "cortex-m3"])
def test_firmware_with_tables_in_flash_links_no_float_routine(
    cpu: str, level: str, tmp_path: Path
) -> None:
    require_tools("arm-none-eabi-gcc", "arm-none-eabi-nm")
    c_config = CONFIGS["yamnet"].to_c()  # magnitudes and ln: every part that runs
    c_config.n_mfcc = 13
    source, program = tmp_path / "firmware.c", tmp_path / "firmware.elf"
    source.write_text(FIRMWARE % table_source(IntegerTables(c_config)))
    flags = ["-std=c11", "-ffreestanding", "-ffp-contract=off", level, f"-mcpu={cpu}", "-mthumb"]
    build = ["arm-none-eabi-gcc", *flags, *INCLUDE]
    files = [str(path) for path in (source, *RUN_TIME)]
    # no start-up code, no C library: what is not there would not link
    link = ["-nostdlib", "-Wl,-emain", "-Wl,--defsym=memset=main,--defsym=memcpy=main", "-lgcc"]
    subprocess.run([*build, *files, *link, "-o", str(program)], check=True)
    names = symbols([program])
    assert "bc_integer_push_int8" in names
    assert {name for name in names if FLOAT_SYMBOL.search(name)} == set()
    # and the search does find them where they are
    tables = tmp_path / "tables.o"
    makes_tables = str(ROOT / "csrc/integer/bc_integer_tables.c")
    subprocess.run([*build, "-c", makes_tables, "-o", str(tables)], check=True)
    assert any(FLOAT_SYMBOL.search(name) for name in symbols([tables]))
