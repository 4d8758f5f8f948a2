"""The claim itself: one hash of the features of each profile and bundled clip, on every target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babycry_bench.clips import Clip, load_clips
from babycry_bench.targets import TARGETS, Target, build, run
from babycry_edge import Frontend
from babycry_edge.audio import resample
from babycry_edge.config import profile_names
from babycry_edge.frontend import instruction_sets
from cross_tools import require_tools

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_RATE = 16000
TOO_SMALL = {"cortex-m0"}  # 16 KiB of RAM: the integer path alone runs there

Hashes = dict[tuple[str, str], str]  # of (file, profile)


def pcm_at_16_khz(clip: Clip) -> np.ndarray:
    """The clip as int16 at 16 kHz: what every target is given."""
    if clip.sample_rate == SAMPLE_RATE:
        return clip.samples
    audio = resample(clip.samples, clip.sample_rate, SAMPLE_RATE)
    return np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)


def fnv1a(data: bytes) -> str:
    """The 64-bit FNV-1a hash, as csrc/ports/feature_hash.c prints it."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


@pytest.fixture(scope="module")
def pcm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the bundled clips as raw PCM."""
    folder = tmp_path_factory.mktemp("pcm")
    for clip in load_clips():
        (folder / f"{clip.name}.s16").write_bytes(pcm_at_16_khz(clip).astype("<i2").tobytes())
    return folder


@pytest.fixture(scope="module")
def expected(pcm: Path) -> Callable[[int], Hashes]:
    """The hashes by Python and this machine's best instruction set; of so many samples a clip."""
    known: dict[int, Hashes] = {}

    def of(n_samples: int) -> Hashes:
        if n_samples not in known:
            known[n_samples] = {
                (path.name, name): fnv1a(features_of(path, name, n_samples).tobytes())
                for path in sorted(pcm.iterdir())
                for name in profile_names()
            }
        return known[n_samples]

    return of


def features_of(path: Path, profile: str, n_samples: int) -> np.ndarray:
    samples = np.fromfile(path, "<i2")[: n_samples or None]
    return Frontend.from_profile(profile)(samples, SAMPLE_RATE)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Target], Path]:
    """Folder of a target's programs; built once for each compiler."""
    built: dict[str, Path] = {}

    def of(target: Target) -> Path:
        require_tools(target)
        key = target.toolchain or target.compiler
        if key not in built:
            built[key] = build(target, ROOT, tmp_path_factory.mktemp(key))
        return built[key]

    return of


def hashes(target: Target, programs: Path, pcm: Path, name: str = "feature_hash") -> Hashes:
    """What csrc/ports/feature_hash.c, or ``name``, prints there."""
    options = [f"--samples={target.clip_samples}"] if target.clip_samples else []
    options += [f"--isa={target.isa}"] if target.isa else []
    files = [path.name for path in sorted(pcm.iterdir())]
    lines = run(target, programs / name, [*options, *files], pcm).splitlines()
    return {(file, profile): digest for file, profile, digest in map(str.split, lines)}


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("isa", instruction_sets())
def test_one_hash_with_every_instruction_set_of_this_machine(
    compiler: str,
    isa: str,
    programs: Callable[[Target], Path],
    pcm: Path,
    expected: Callable[[int], Hashes],
) -> None:
    here = Target("here", isa=isa, compiler=compiler)
    assert hashes(here, programs(here), pcm) == expected(0)


@pytest.mark.parametrize("name", sorted(set(TARGETS) - TOO_SMALL))
def test_one_hash_on_every_emulated_target(
    name: str,
    programs: Callable[[Target], Path],
    pcm: Path,
    expected: Callable[[int], Hashes],
) -> None:
    target = TARGETS[name]
    assert hashes(target, programs(target), pcm) == expected(target.clip_samples)


@pytest.mark.parametrize("name", sorted(TOO_SMALL))
def test_the_library_builds_for_the_smallest(name: str, programs: Callable[[Target], Path]) -> None:
    assert (programs(TARGETS[name]) / "feature_hash").exists()


@pytest.mark.skipif(
    not (ROOT / "csrc/include/babycry/integer.h").exists(), reason="no integer front-end here"
)
@pytest.mark.parametrize("name", sorted(TARGETS))
def test_one_hash_of_the_integer_front_end(
    name: str, programs: Callable[[Target], Path], pcm: Path
) -> None:
    target = replace(TARGETS[name], isa="", clip_samples=32000)
    here = Target("here", clip_samples=target.clip_samples)
    expected = hashes(here, programs(here), pcm, "integer_hash")
    found = hashes(target, programs(target), pcm, "integer_hash")
    profiles = {profile for _, profile in found}
    if name in TOO_SMALL:  # the tables of long FFTs do not fit
        assert "log-mel" in profiles
        expected = {key: value for key, value in expected.items() if key[1] in profiles}
    assert found == expected
    assert len(set(found.values())) > len(found) / 2  # profiles may be alike, clips are not


def test_another_signal_has_another_hash(programs: Callable[[Target], Path], pcm: Path) -> None:
    here = Target("here", clip_samples=8000)
    shorter = hashes(here, programs(here), pcm)
    longer = hashes(replace(here, clip_samples=8400), programs(here), pcm)
    assert shorter.keys() == longer.keys()
    assert len(set(shorter.values())) == len(shorter)
    assert not set(shorter.values()) & set(longer.values())


@pytest.mark.skipif(
    not {"sse2", "scalar"} <= set(instruction_sets()) and "neon" not in instruction_sets(),
    reason="a processor family with one instruction set",
)
def test_more_than_one_instruction_set_is_compared() -> None:
    assert len(instruction_sets()) >= 2
