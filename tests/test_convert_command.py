"""`babycry-edge convert` as a user types it: files, report, verdict, one line for every fault."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("litert_torch")
pytest.importorskip("ai_edge_quantizer")

ROOT = Path(__file__).resolve().parent.parent
CHECKPOINT = ROOT / "tests" / "models" / "fold0_float.onnx"
FILES = ("ds_cnn_float.onnx", "ds_cnn.onnx", "ds_cnn_float.tflite", "ds_cnn.tflite")


def convert(*words: object, file_limit: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command; ``file_limit`` is the longest file that the process may write, in bytes."""
    command = Path(sysconfig.get_path("scripts"), "babycry-edge")
    start = [str(command)] if command.exists() else [sys.executable, "-m", "babycry_edge.cli"]

    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return subprocess.run(
        [*start, "convert", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        preexec_fn=limit,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"},
    )


def refused(result: subprocess.CompletedProcess[str]) -> str:
    """The one line on stderr of a command that ended with status 2."""
    assert result.returncode == 2, (result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("babycry-edge:")]
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory, clips: Any) -> Path:
    """The bench's recordings, one folder a label."""
    folder = tmp_path_factory.mktemp("recordings")
    source = ROOT / "bench" / "babycry_bench" / "clips"
    for path in sorted(source.glob("*.flac")):
        label = "cry" if path.name.startswith("cry") else "other"
        (folder / label).mkdir(exist_ok=True)
        shutil.copy(path, folder / label / path.name)
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def converted(
    recordings: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("converted")
    result = convert(
        *(CHECKPOINT, "--recipe", "ds_cnn", "--calibration", recordings, "--held-out", recordings),
        *("-o", out, "--cache", cache, "--json"),
    )
    assert result.returncode == 0, result.stderr
    return out, json.loads(result.stdout)


def test_a_checkpoint_becomes_four_files_and_a_report(
    converted: tuple[Path, dict[str, Any]],
) -> None:
    out, report = converted
    assert sorted(path.name for path in out.iterdir()) == sorted(
        (*FILES, "ds_cnn.report.json", "ds_cnn.report.html")
    )
    assert json.loads((out / "ds_cnn.report.json").read_text()) == report
    assert all(gate["passed"] for gate in report["gates"])
    assert report["checkpoint"]["reader"] == "onnx_file"
    page = (out / "ds_cnn.report.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert str(ROOT) not in page


@pytest.mark.parametrize("name", FILES)
def test_detect_needs_nothing_but_the_file(
    name: str, converted: tuple[Path, dict[str, Any]], recordings: Path
) -> None:
    from babycry_edge.cli import main

    cries = sorted((recordings / "cry").glob("*.flac"))
    assert main(["detect", "--model", str(converted[0] / name), *map(str, cries)]) == 0


def test_the_int8_files_decide_as_the_bundled_detector_on_real_recordings(
    converted: tuple[Path, dict[str, Any]], clips: Any
) -> None:
    from babycry_edge import Detector, Model

    for name in ("ds_cnn.onnx", "ds_cnn.tflite"):
        detector = Detector(Model.load(converted[0] / name))
        for clip in clips:
            if clip.sample_rate == 16000 and "cry_hungry" in clip.name:
                assert detector.detect(clip.samples, 16000).detected, (name, clip.name)


def test_converting_again_gives_the_same_bytes(
    converted: tuple[Path, dict[str, Any]], recordings: Path, cache: Path, tmp_path: Path
) -> None:
    result = convert(
        *(CHECKPOINT, "--recipe", "ds_cnn", "--calibration", recordings, "--held-out", recordings),
        *("-o", tmp_path, "--cache", cache),
    )
    assert result.returncode == 0, result.stderr
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (converted[0] / name).read_bytes(), name


def test_a_failed_gate_writes_the_report_and_no_model(
    recordings: Path, cache: Path, tmp_path: Path
) -> None:
    text = (ROOT / "convert" / "recipes" / "ds_cnn.toml").read_text()
    strict = text.split("[gates]")[0] + "[gates]\nmean_score_drift = 0.0\n"
    recipe = tmp_path / "strict.toml"
    recipe.write_text(strict)
    words = (CHECKPOINT, "--recipe", recipe, "--calibration", recordings, "--cache", cache)
    result = convert(*words, "-o", tmp_path / "out")
    assert result.returncode == 1
    assert "FAIL" in result.stdout
    assert "--accept-loss" in result.stderr
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == ["ds_cnn.report.html", "ds_cnn.report.json"]
    result = convert(*words, "-o", tmp_path / "out", "--accept-loss")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "out" / "ds_cnn.tflite").is_file()


def test_a_checkpoint_alone_lists_the_recipes_that_fit(capsys: pytest.CaptureFixture[str]) -> None:
    from babycry_edge.cli import main

    assert main(["convert", str(CHECKPOINT), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["kind"] == "onnx_file"
    assert answer["recipes"]["ds_cnn"] is None
    assert answer["recipes"]["resnet18"]
    assert main(["convert", str(CHECKPOINT)]) == 0
    text = capsys.readouterr().out
    assert "fits          ds_cnn" in text
    assert "does not fit  resnet18: " in text


def test_one_corrupt_recording_among_good_ones_is_skipped_and_counted(
    recordings: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "some"
    shutil.copytree(recordings, folder)
    (folder / "cry" / "broken.wav").write_bytes(b"RIFF\x10\x00\x00\x00WAVEjunk")
    result = convert(
        CHECKPOINT, "--recipe", "ds_cnn", "--calibration", folder, "-o", tmp_path / "out"
    )
    assert result.returncode == 0, result.stderr
    assert "1 recording" in result.stdout
    assert "broken.wav" in result.stdout


def test_faults_are_one_line_each(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    full = ("--recipe", "ds_cnn", "--calibration", recordings, "-o", out)

    assert "such" in refused(convert(tmp_path / "none.pt", *full)).lower()
    empty = tmp_path / "empty"
    empty.mkdir()
    line = refused(convert(CHECKPOINT, "--recipe", "ds_cnn", "--calibration", empty, "-o", out))
    assert "empty" in line
    line = refused(convert(CHECKPOINT, "--recipe", "no_such_recipe", *full[2:]))
    assert "no_such_recipe" in line
    line = refused(convert(CHECKPOINT, "--recipe", "ds_cnn"))
    assert "--calibration" in line
    assert not out.exists()


def test_a_silent_calibration_folder_is_refused(tmp_path: Path) -> None:
    import soundfile

    folder = tmp_path / "silent"
    folder.mkdir()
    for number in range(3):
        soundfile.write(folder / f"{number}.wav", np.zeros(48000, np.int16), 16000)
    line = refused(
        convert(CHECKPOINT, "--recipe", "ds_cnn", "--calibration", folder, "-o", tmp_path / "out")
    )
    assert "silen" in line
    assert not (tmp_path / "out").exists()


def test_labels_that_do_not_match_the_output_are_refused(recordings: Path, tmp_path: Path) -> None:
    text = (ROOT / "convert" / "recipes" / "ds_cnn.toml").read_text()
    recipe = tmp_path / "three.toml"
    recipe.write_text(text.replace('["other", "cry"]', '["other", "cry", "dog"]'))
    line = refused(
        convert(CHECKPOINT, "--recipe", recipe, "--calibration", recordings, "-o", tmp_path / "o")
    )
    assert "2" in line
    assert "3" in line
    assert "label" in line


def test_a_truncated_checkpoint_is_refused(recordings: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(CHECKPOINT.read_bytes()[:5000])
    line = refused(
        convert(cut, "--recipe", "ds_cnn", "--calibration", recordings, "-o", tmp_path / "o")
    )
    assert "cut.onnx" in line


def test_a_finished_tflite_is_wrapped_as_it_is(recordings: Path, tmp_path: Path) -> None:
    from babycry_edge import Model

    source = ROOT / "tests" / "models" / "fold0.tflite"
    words = (source, "--recipe", "ds_cnn", "--calibration", recordings, "-o", tmp_path)
    result = convert(*words, "--name", "wrapped")
    assert result.returncode == 0, result.stderr
    assert "taken as it is" in result.stdout
    old, new = Model.load(source), Model.load(tmp_path / "wrapped.tflite")
    assert new.metadata.name == "wrapped"
    windows = np.random.default_rng(1).standard_normal((5, 100, 64)).astype(np.float32)
    np.testing.assert_array_equal(old.logits(windows), new.logits(windows))


def run_here(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """The command in this process: its status, and what it said on stderr."""
    from babycry_edge.cli import main

    status = main(["convert", *map(str, words)])
    return status, capsys.readouterr().err


def test_a_pickle_with_code_is_refused_and_never_run(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    marker = tmp_path / "ran"

    class Attack:
        def __reduce__(self) -> Any:
            return Path.touch, (marker,)

    path = tmp_path / "attack.pt"
    torch.save({"state_dict": Attack()}, path)
    words = (path, "--recipe", "ds_cnn", "--calibration", recordings, "-o", tmp_path / "o")
    status, said = run_here(capsys, *words)
    assert status == 2
    assert "--trust-pickle" in said
    assert not marker.exists()


@pytest.mark.parametrize(
    ("arch", "named"),
    [
        ("no_such_module:Net", "no_such_module"),
        ("torch.nn:NoSuchClass", "NoSuchClass"),
        ("json:JSONDecoder", "JSONDecoder"),
        ("justaname", "justaname"),
    ],
)
def test_a_wrong_architecture_is_named(
    arch: str,
    named: str,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import torch

    path = tmp_path / "net.pt"
    torch.save({"weight": torch.zeros(2, 2)}, path)
    words = (path, "--recipe", "ds_cnn", "--calibration", recordings, "-o", tmp_path / "o")
    status, said = run_here(capsys, *words, "--arch", arch)
    assert status == 2
    assert len(said.strip().splitlines()) == 1
    assert named in said


def test_a_full_disk_is_one_line_and_leaves_nothing(
    recordings: Path, cache: Path, tmp_path: Path, converted: object
) -> None:
    """A limit on the length of files stands for the full disk: the write fails half-way."""
    out = tmp_path / "out"
    words = (
        CHECKPOINT,
        "--recipe",
        "ds_cnn",
        "--calibration",
        recordings,
        "--held-out",
        recordings,
    )
    result = convert(*words, "--cache", cache, "-o", out, file_limit=60_000)
    refused(result)
    assert not out.exists() or list(out.iterdir()) == []
