"""Resampling, down-mix, trim and normalisation: one hash for each clip on every target."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from babycry_bench.clips import load_clips
from babycry_edge.conditioning import resample, resampler_instruction_sets

ROOT = Path(__file__).resolve().parent.parent
CLIPS = ("cry_hungry_1", "cry_discomfort_8khz_clipped", "noise_clicks")
SECONDS = 2

#: Build name, CMake options, tools wanted, how to run, instruction sets of the resampler.
BUILDS = [
    *(
        (f"{compiler}-{kind}", (f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_BUILD_TYPE={kind}"),
         (compiler,), (), tuple(resampler_instruction_sets()))
        for compiler in ("gcc", "clang")
        for kind in ("Release", "Debug")
    ),
    ("aarch64", (f"-DCMAKE_TOOLCHAIN_FILE={ROOT}/csrc/toolchains/aarch64-linux-gnu.cmake",),
     ("aarch64-linux-gnu-gcc", "qemu-aarch64"), ("qemu-aarch64", "-cpu", "cortex-a53"),
     ("neon", "scalar")),
    ("armv7", (f"-DCMAKE_TOOLCHAIN_FILE={ROOT}/csrc/toolchains/arm-linux-gnueabihf.cmake",),
     ("arm-linux-gnueabihf-gcc", "qemu-arm"), ("qemu-arm", "-cpu", "cortex-a7"), ("scalar",)),
]  # fmt: skip


@pytest.fixture(scope="module")
def pcm(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The first seconds of some bundled clips as raw int16."""
    folder = tmp_path_factory.mktemp("pcm")
    paths = []
    for clip in load_clips():
        if clip.name in CLIPS:
            paths.append(folder / f"{clip.name}.s16")
            paths[-1].write_bytes(clip.samples[: SECONDS * 16000].astype("<i2").tobytes())
    assert len(paths) == len(CLIPS)
    return paths


def build(folder: Path, options: tuple[str, ...]) -> Path:
    """The path of dump_conditioning, built with CMake."""
    common = ["-DBABYCRY_TESTS=ON", "-DBABYCRY_WERROR=ON"]
    for command in (
        ["cmake", "-S", str(ROOT), "-B", str(folder), *common, *options],
        ["cmake", "--build", str(folder), "--target", "dump_conditioning"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "csrc/tests/dump_conditioning"


def require_tools(*tools: str) -> None:
    """Skips where a tool is absent, but fails where the build server must have it."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing and os.environ.get("BABYCRY_REQUIRE_CROSS"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def dump(command: list[str], pcm: Path, isa: str) -> bytes:
    """What the C program writes."""
    output = pcm.with_suffix(".f32")
    subprocess.run([*command, str(pcm), str(output), isa], check=True, timeout=300)
    return output.read_bytes()


@pytest.fixture(scope="module")
def expected(pcm: list[Path], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The hashes of the scalar build for this machine, which begins with what Python gives."""
    require_tools("cmake", "gcc")
    program = build(tmp_path_factory.mktemp("expected"), ("-DBABYCRY_SIMD=OFF",))
    hashes = []
    for path in pcm:
        content = dump([str(program)], path, "scalar")
        first = resample(np.frombuffer(path.read_bytes(), "<i2").astype(np.int16), 8000, 16000)
        assert content.startswith(first.tobytes())
        hashes.append(hashlib.sha256(content).hexdigest())
    return hashes


@pytest.mark.parametrize(("name", "options", "tools", "runner", "isas"), BUILDS)
def test_one_hash_for_each_clip(
    name: str,
    options: tuple[str, ...],
    tools: tuple[str, ...],
    runner: tuple[str, ...],
    isas: tuple[str, ...],
    pcm: list[Path],
    expected: list[str],
    tmp_path: Path,
) -> None:
    require_tools("cmake", *tools)
    program = [*runner, str(build(tmp_path / name, options))]
    for isa in isas:
        found = [hashlib.sha256(dump(program, path, isa)).hexdigest() for path in pcm]
        assert found == expected, isa
