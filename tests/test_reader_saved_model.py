"""SavedModel folders through TensorFlow's own environment, where there is one."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from babycry_edge.errors import BabycryError

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from babycry_convert.readers import (  # noqa: E402  (after the skips)
    ReadRequest,
    find_reader,
    read_checkpoint,
    saved_model,
)

REPOSITORY = Path(__file__).parent.parent
FIXTURES = REPOSITORY / "tests" / "fixtures"
CRNN = ReadRequest(3, (24, 16), "NCTF")

SAVE = """
import sys, numpy as np, tensorflow as tf, tf_keras as keras
source, folder, answers = sys.argv[1:]
model = keras.models.load_model(source, compile=False)
if folder.endswith("pyfunc"):
    module = tf.Module()
    def touch(x):
        open(folder + "-ran", "w").close()
        return x
    module.call = tf.function(
        lambda x: tf.reshape(tf.py_function(touch, [x], tf.float32), [-1, 24, 16, 1])[:, 0, :3, 0],
        input_signature=[tf.TensorSpec([None, 24, 16, 1], tf.float32)],
    )
    tf.saved_model.save(module, folder, signatures={"serving_default": module.call})
else:
    model.save(folder)
x = np.random.default_rng(3).standard_normal((4, 24, 16, 1)).astype("float32")
np.savez(answers, x=x, y=model(x).numpy())
"""


@pytest.fixture
def tensorflow(monkeypatch: pytest.MonkeyPatch) -> str:
    own = REPOSITORY / ".venv-tensorflow" / "bin" / "python"
    python = os.environ.get(saved_model.VARIABLE) or (str(own) if own.is_file() else "")
    if not python:
        pytest.skip(f"no TensorFlow: make tensorflow-env, or set {saved_model.VARIABLE}")
    pytest.importorskip("babycry_convert.readers.onnx_graph")
    monkeypatch.setenv(saved_model.VARIABLE, python)
    return python


def save(python: str, folder: Path) -> Path:
    """The Keras 2 fixture as a SavedModel; random inputs and TensorFlow's answers."""
    answers = folder.with_suffix(".npz")
    source = FIXTURES / "keras2_crnn.h5"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run(
        [python, "-I", "-c", SAVE, str(source), str(folder), str(answers)],
        check=True,
        env=environment,
        capture_output=True,
    )
    return answers


def test_a_saved_model_gives_tensorflow_scores(tensorflow: str, tmp_path: Path) -> None:
    folder = tmp_path / "crnn"
    answers = np.load(save(tensorflow, folder))
    assert find_reader(folder) == "saved_model"
    network = read_checkpoint(folder, CRNN)
    with torch.no_grad():
        logits = network(torch.from_numpy(answers["x"]).permute(0, 3, 1, 2))
    np.testing.assert_allclose(torch.softmax(logits, -1).numpy(), answers["y"], atol=1e-5)
    assert "the last softmax is left out: the outputs are logits" in network.meta["notes"]


def test_a_model_that_runs_python_is_refused(tensorflow: str, tmp_path: Path) -> None:
    folder = tmp_path / "pyfunc"
    save(tensorflow, folder)
    with pytest.raises(BabycryError, match="operator EagerPyFunc reaches outside") as caught:
        saved_model.read(folder, CRNN)
    assert "\n" not in str(caught.value)
    assert not Path(f"{folder}-ran").exists()


def test_a_damaged_folder(tensorflow: str, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(bytes(range(256)))
    with pytest.raises(BabycryError, match="TensorFlow cannot convert it: ") as caught:
        read_checkpoint(folder, CRNN)
    assert "\n" not in str(caught.value)


def fake_python(tmp_path: Path, script: str) -> str:
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"")
    return folder


def test_without_tensorflow_the_line_says_how(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(saved_model.VARIABLE, raising=False)
    with pytest.raises(BabycryError, match=r"venv .venv-tensorflow && .* set BABYCRY_TENSORFLOW"):
        saved_model.read(folder / "saved_model.pb", CRNN)


@pytest.mark.parametrize(
    ("script", "match"),
    [
        ("import sys; sys.exit('first\\nlast words')", "cannot convert it: last words"),
        ("import sys; sys.exit(3)", "cannot convert it: status 3"),
        ("", "cannot convert it: status 0"),
        ("import time; time.sleep(60)", "took more than 1 s"),
    ],
)
def test_a_tensorflow_that_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, match: str
) -> None:
    monkeypatch.setenv(saved_model.VARIABLE, fake_python(tmp_path, script))
    monkeypatch.setattr(saved_model, "_TIMEOUT_S", 1.0)
    with pytest.raises(BabycryError, match=match) as caught:
        saved_model.read(folder, CRNN)
    assert "\n" not in str(caught.value)


def test_no_such_python(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(saved_model.VARIABLE, "/no/such/python")
    with pytest.raises(BabycryError, match="BABYCRY_TENSORFLOW_PYTHON=/no/such/python: No such"):
        saved_model.read(folder, CRNN)


def test_the_pinned_versions_are_those_of_the_makefile() -> None:
    lines = (REPOSITORY / "convert" / "tensorflow-requirements.txt").read_text().splitlines()
    assert tuple(line for line in lines if not line.startswith("#")) == saved_model.PACKAGES
