"""The claim itself: one hash of the features of each bundled clip, on every target."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from babycry_bench.clips import Clip, load_clips
from babycry_edge import Frontend
from babycry_edge.audio import resample
from babycry_edge.config import profile_names
from babycry_edge.frontend import instruction_sets

ROOT = Path(__file__).resolve().parent.parent

EMULATED = [
    pytest.param(
        "aarch64-linux-gnu", ("qemu-aarch64", "-cpu", "cortex-a53"), "neon", id="a53-neon"
    ),
    pytest.param(
        "aarch64-linux-gnu", ("qemu-aarch64", "-cpu", "cortex-a76"), "neon", id="a76-neon"
    ),
    pytest.param(
        "aarch64-linux-gnu", ("qemu-aarch64", "-cpu", "cortex-a53"), "scalar", id="a53-scalar"
    ),
    pytest.param("arm-linux-gnueabihf", ("qemu-arm", "-cpu", "cortex-a7"), "scalar", id="armv7"),
]


def pcm_at_16_khz(clip: Clip) -> np.ndarray:
    """The clip as int16 at 16 kHz: what every target is given."""
    if clip.sample_rate == 16000:
        return clip.samples
    audio = resample(clip.samples, clip.sample_rate, 16000)
    return np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)


def python_hash(pcm: np.ndarray) -> str:
    """Hash of the features in every profile, through Python and the best instruction set."""
    digest = hashlib.sha256()
    for name in profile_names():
        digest.update(Frontend.from_profile(name, normalize="none")(pcm, 16000).tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """Raw PCM of every bundled clip, and the hash that its features must have."""
    directory = tmp_path_factory.mktemp("pcm")
    found = {}
    for clip in load_clips():
        pcm = pcm_at_16_khz(clip)
        path = directory / f"{clip.name}.s16"
        path.write_bytes(pcm.astype("<i2").tobytes())
        found[clip.name] = (path, python_hash(pcm))
    return found


def build(directory: Path, compiler: str) -> Path:
    """Builds the C tests with CMake; returns the path of dump_features."""
    options = ["-DBABYCRY_TESTS=ON", "-DBABYCRY_WERROR=ON", compiler]
    for command in (
        ["cmake", "-S", str(ROOT), "-B", str(directory), *options],
        ["cmake", "--build", str(directory)],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True)
    return directory / "csrc/tests/dump_features"


def require_tools(*tools: str) -> None:
    """Skips where a tool is absent, but fails where the build server must have it."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing and os.environ.get("BABYCRY_REQUIRE_CROSS"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def hashes(
    command: list[str], isa: str, clips: dict[str, tuple[Path, str]], tmp_path: Path
) -> dict[str, str]:
    """The hash of each clip's features as the C program computes them."""
    found = {}
    for name, (pcm, _) in clips.items():
        output = tmp_path / f"{name}.f32"
        subprocess.run([*command, str(pcm), str(output), isa], check=True, timeout=300)
        found[name] = hashlib.sha256(output.read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="module", params=["gcc", "clang"])
def host_program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_tools("cmake", request.param)
    return build(tmp_path_factory.mktemp("host"), f"-DCMAKE_C_COMPILER={request.param}")


@pytest.mark.parametrize("isa", instruction_sets())
def test_one_hash_for_each_clip_with_every_instruction_set_of_this_machine(
    isa: str, clips: dict[str, tuple[Path, str]], host_program: Path, tmp_path: Path
) -> None:
    expected = {name: digest for name, (_, digest) in clips.items()}
    assert hashes([str(host_program)], isa, clips, tmp_path) == expected


@pytest.mark.parametrize(("toolchain", "emulator", "isa"), EMULATED)
def test_one_hash_for_each_clip_on_arm(
    toolchain: str,
    emulator: tuple[str, ...],
    isa: str,
    clips: dict[str, tuple[Path, str]],
    tmp_path_factory: pytest.TempPathFactory,
    tmp_path: Path,
) -> None:
    require_tools("cmake", f"{toolchain}-gcc", emulator[0])
    program = tmp_path_factory.getbasetemp() / toolchain / "csrc/tests/dump_features"
    if not program.exists():
        file = ROOT / f"csrc/toolchains/{toolchain}.cmake"
        program = build(
            tmp_path_factory.getbasetemp() / toolchain, f"-DCMAKE_TOOLCHAIN_FILE={file}"
        )
    expected = {name: digest for name, (_, digest) in clips.items()}
    assert hashes([*emulator, str(program)], isa, clips, tmp_path) == expected


@pytest.mark.skipif(
    not {"sse2", "scalar"} <= set(instruction_sets()) and "neon" not in instruction_sets(),
    reason="a processor family with one instruction set",
)
def test_more_than_one_instruction_set_is_compared() -> None:
    assert len(instruction_sets()) >= 2
