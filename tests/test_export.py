"""The exported tables as firmware compiles them: the same features in the RAM promised."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from babycry_bench.clips import load_clips
from babycry_edge import Frontend, FrontendConfig
from babycry_edge.cli import main
from babycry_edge.config import profile_names
from babycry_edge.integer import IntegerFrontend
from babycry_edge.models import bundled

ROOT = Path(__file__).resolve().parent.parent

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include "tables.h"

static float features[1 << 20];
static unsigned char ram[1 << 20];

int main(int argc, char **argv) {
    static int16_t pcm[48000];
    size_t n = fread(pcm, 2, 48000, stdin), n_frames = 0, width;
#ifdef TFLM
    static uint16_t rows[1 << 16];
    bc_tflm stream;
    if (bc_tflm_init(&stream, &tables, ram, TABLES_RAM_SIZE - 1) != BC_RAM_TOO_SMALL) return 1;
    if (bc_tflm_init(&stream, &tables, ram, TABLES_RAM_SIZE) != BC_OK) return 1;
    width = TABLES_N_FEATURES;
    if (bc_tflm_push(&stream, pcm, n, rows, 1000, &n_frames) != BC_OK) return 1;
    for (size_t i = 0; i < n_frames * width; i++) features[i] = rows[i];
#elif defined(INTEGER)
    static int16_t rows[1 << 17];
    bc_integer fe;
    if (bc_integer_init(&fe, &tables, ram, TABLES_RAM_SIZE - 1) != BC_RAM_TOO_SMALL) return 1;
    if (bc_integer_init(&fe, &tables, ram, TABLES_RAM_SIZE) != BC_OK) return 1;
    width = bc_integer_n_features(&fe);
    if (width != TABLES_N_FEATURES) return 1;
    if (bc_integer_compute(&fe, pcm, n, rows, 1000, &n_frames) != BC_OK) return 1;
    for (size_t i = 0; i < n_frames * width; i++) features[i] = rows[i];
#else
    bc_frontend fe;
    size_t work = bc_frontend_work_size(&tables);
    if (bc_frontend_init_tables(&fe, &tables, ram, work) != BC_OK) return 1;
    width = bc_frontend_n_features(&fe);
    if (width != TABLES_N_FEATURES || TABLES_RAM_SIZE > work) return 1;
    if (bc_frontend_compute_int16(&fe, pcm, n, features, 1000, &n_frames) != BC_OK) return 1;
#endif
    return fwrite(features, 4 * width, n_frames, stdout) != n_frames;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    build = tmp_path_factory.mktemp("library")
    for command in (["cmake", "-S", str(ROOT), "-B", str(build)], ["cmake", "--build", str(build)]):
        subprocess.run(command, check=True, capture_output=True)
    return build / "libbabycry.a"


def features_in_c(folder: Path, library: Path, pcm: np.ndarray, *options: str) -> bytes:
    (folder / "program.c").write_text(PROGRAM)
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", *options]
    sources = [folder / "program.c", folder / "tables.c", library]
    command = ["cc", *flags, f"-I{ROOT}/csrc/include", *sources, "-o", folder / "program"]
    subprocess.run([str(part) for part in command], check=True)
    return subprocess.run(
        [str(folder / "program")], input=pcm.tobytes(), check=True, capture_output=True
    ).stdout


@pytest.mark.parametrize("profile", profile_names())
def test_exported_tables_give_the_bits_of_the_profile(
    profile: str, library: Path, tmp_path: Path
) -> None:
    command = ["export", "--frontend-only", "--profile", profile, "--name", "tables"]
    assert main([*command, "-o", str(tmp_path / "new")]) == 0
    pcm = next(clip.samples for clip in load_clips() if clip.sample_rate == 16000)[:48000]
    options = ["-DTFLM"] if profile == "tflm-micro" else []
    found = features_in_c(tmp_path / "new", library, pcm, *options)
    assert found == Frontend.from_profile(profile)(pcm, 16000).tobytes()


@pytest.mark.parametrize("profile", ["librosa", "yamnet", "babycry"])
def test_exported_integer_tables_give_the_bits_of_the_integer_front_end(
    profile: str, library: Path, tmp_path: Path
) -> None:
    command = ["export", "--frontend-only", "--integer", "--profile", profile, "--name", "tables"]
    assert main([*command, "-o", str(tmp_path)]) == 0
    pcm = next(clip.samples for clip in load_clips() if clip.sample_rate == 16000)[:48000]
    config = FrontendConfig.from_profile(profile, normalize="none")
    expected = IntegerFrontend(config)(pcm, 16000).astype(np.float32)
    assert features_in_c(tmp_path, library, pcm, "-DINTEGER") == expected.tobytes()


def test_a_model_file_gives_its_own_front_end(library: Path, tmp_path: Path) -> None:
    command = ["export", str(bundled("cry.onnx")), "--frontend-only", "--name", "tables"]
    assert main([*command, "-o", str(tmp_path)]) == 0
    pcm = next(clip.samples for clip in load_clips() if clip.sample_rate == 16000)[:48000]
    expected = Frontend.from_profile("babycry")(pcm, 16000)
    assert features_in_c(tmp_path, library, pcm) == expected.tobytes()


def test_wrong_names_and_files_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for arguments, mend in (
        (["--name", "two words", "-o", str(tmp_path)], "C identifier"),
        (["--integer", "--profile", "kaldi", "-o", str(tmp_path)], "framing"),
        (["--profile", "none", "-o", str(tmp_path)], "no profile"),
        (["-o", str(tmp_path / "file" / "x")], "Not a directory"),
    ):
        assert main(["export", "--frontend-only", *arguments]) == 2
        error = capsys.readouterr().err
        assert mend in error and error.count("\n") == 1
