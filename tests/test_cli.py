"""The command line as a user types it: results as stated, wrong input as one line and status 2."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import soundfile

from babycry_bench.clips import Clip
from babycry_edge import Frontend
from babycry_edge.models import NAMES, bundled

COMMAND = Path(sysconfig.get_path("scripts")) / "babycry-edge"


def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs babycry-edge."""
    return subprocess.run(
        [COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=cwd
    )


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit 2, nothing on stdout, and one line on stderr with the given words."""
    assert result.returncode == 2, result.stdout + result.stderr
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("babycry-edge: ")
    for word in words:
        assert word in lines[0]


@pytest.fixture(scope="module")
def cry(tmp_path_factory: pytest.TempPathFactory, clips: list[Clip]) -> Path:
    """A recorded cry as a 16 kHz WAV file."""
    clip = next(clip for clip in clips if clip.label == "cry" and clip.sample_rate == 16000)
    path = tmp_path_factory.mktemp("audio") / "cry.wav"
    soundfile.write(path, clip.samples, clip.sample_rate)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_detect_json_is_the_contract(cry: Path, name: str) -> None:
    result = run("detect", cry, "--json", "--model", bundled(name))
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert list(record) == [
        "file",
        "duration_s",
        "sample_rate",
        "label",
        "score",
        "detected",
        "events",
        "model",
        "engine",
    ]
    assert (record["label"], record["detected"]) == ("cry", True)
    assert set(record["events"][0]) == {"label", "start_s", "end_s", "score"}
    assert 0 <= record["events"][0]["start_s"] < record["events"][0]["end_s"]
    assert record["events"][0]["end_s"] <= record["duration_s"]


def test_detect_takes_several_files_one_line_each(cry: Path) -> None:
    result = run("detect", cry, cry)
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 2
    assert "cry  score" in result.stdout


def test_other_rates_and_channels_are_converted_with_a_note(cry: Path, tmp_path: Path) -> None:
    samples, _ = soundfile.read(cry)
    soundfile.write(tmp_path / "x.wav", np.stack([samples, samples], axis=1), 22050)
    result = run("detect", tmp_path / "x.wav")
    assert result.returncode == 0
    assert "resampled from 22050 Hz to 16000 Hz" in result.stderr
    assert "2 channels mixed to one" in result.stderr


def test_another_rate_is_refused_on_request(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(44100), 44100)
    assert_refused(run("detect", tmp_path / "x.wav", "--refuse-rate"), "44100 Hz", "--refuse-rate")


def test_features_are_those_of_the_library(cry: Path, tmp_path: Path) -> None:
    output = tmp_path / "features.npy"
    result = run("features", cry, "--profile", "librosa", "--set", "n_mels=40", "-o", output)
    assert result.returncode == 0, result.stderr
    samples, _ = soundfile.read(cry, dtype="float32")
    features = np.load(output)
    assert features.dtype == np.float32
    expected = Frontend.from_profile("librosa", n_mels=40)(samples, 16000)
    np.testing.assert_array_equal(features, expected)
    assert [path.name for path in tmp_path.iterdir()] == ["features.npy"]


@pytest.mark.parametrize("name", NAMES)
def test_inspect_json_shows_metadata_tensors_operators_and_hash(name: str) -> None:
    result = run("inspect", bundled(name), "--json")
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["metadata"]["frontend"]["n_mels"] == 64
    assert record["inputs"] and record["outputs"] and record["operators"]
    assert len(record["sha256"]) == 64
    text = run("inspect", bundled(name)).stdout
    assert "operators" in text and "threshold" in text


def test_unreadable_audio(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"RIFFnonsense")
    assert_refused(run("detect", tmp_path / "x.wav"), "x.wav", "cannot be read as audio")
    assert_refused(run("detect", tmp_path / "absent.wav"), "absent.wav", "no such file")


def test_audio_without_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "x.wav", np.zeros(0), 16000)
    assert_refused(run("detect", tmp_path / "x.wav"), "x.wav", "holds no audio")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_audio_that_is_not_finite(tmp_path: Path, value: float) -> None:
    samples = np.zeros(16000)
    samples[5000] = value
    soundfile.write(tmp_path / "x.wav", samples, 16000, subtype="FLOAT")
    assert_refused(run("detect", tmp_path / "x.wav"), "x.wav", "NaN")
    assert_refused(run("features", tmp_path / "x.wav", "-o", tmp_path / "x.npy"), "x.wav", "NaN")
    assert not (tmp_path / "x.npy").exists()


@pytest.mark.parametrize("name", NAMES)
def test_truncated_model(cry: Path, tmp_path: Path, name: str) -> None:
    data = bundled(name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    assert_refused(run("detect", cry, "--model", tmp_path / name), name)
    assert_refused(run("inspect", tmp_path / name), name)


def test_wrong_use_is_one_line_that_names_the_mend(cry: Path, tmp_path: Path) -> None:
    assert_refused(run("detect", cry, "--model", tmp_path / "none.tflite"), "none.tflite")
    assert_refused(run("detect", cry, "--engine", "abacus"), "abacus")
    assert_refused(run("detect", cry, "--threshold", "7"), "threshold")
    out = tmp_path / "x.npy"
    assert_refused(run("features", cry, "--profile", "mfcc", "-o", out), "mfcc", "librosa")
    assert_refused(run("features", cry, "--set", "n_fft=514", "-o", out), "n_fft", "514")
    assert_refused(run("features", cry, "--set", "colour=red", "-o", out), "colour")
    assert_refused(run("features", cry, "--set", "n_mels", "-o", out), "AXIS=VALUE")
    assert_refused(run("features", cry, "-o", tmp_path / "no" / "x.npy"), "does not exist")
    assert run().returncode == 2
    assert run("sing").returncode == 2


def test_help_names_every_command() -> None:
    text = run("--help").stdout
    for command in ("detect", "features", "inspect", "bench"):
        assert command in text


@pytest.mark.parametrize("name", NAMES)
def test_model_without_metadata(cry: Path, tmp_path: Path, name: str) -> None:
    data = bundled(name).read_bytes()
    assert data.count(b"babycry_edge") >= 1
    (tmp_path / name).write_bytes(data.replace(b"babycry_edge", b"someone_else"))
    result = run("detect", cry, "--model", tmp_path / name)
    assert_refused(result, name, "no babycry_edge metadata")
    assert run("inspect", tmp_path / name).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_model_whose_golden_check_fails(cry: Path, tmp_path: Path, name: str) -> None:
    data = bundled(name).read_bytes()
    golden = json.loads(run("inspect", bundled(name), "--json").stdout)["metadata"]["golden"]
    digest = golden["features_sha256"].encode()
    (tmp_path / name).write_bytes(data.replace(digest, digest[::-1]))
    assert_refused(run("detect", cry, "--model", tmp_path / name), name, "golden check", "features")
    score = f'"scores":[{golden["scores"][0]}'.encode()
    assert data.count(score) == 1
    wrong = b'"scores":[0.' + b"1" * (len(score) - 12)
    (tmp_path / name).write_bytes(data.replace(score, wrong))
    assert_refused(run("detect", cry, "--model", tmp_path / name), name, "golden check", "score")
