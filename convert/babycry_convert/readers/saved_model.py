"""TensorFlow SavedModel folders, and Keras 2 files that Keras 3 cannot read.

TensorFlow stays outside: a Python of its own runs ``saved_model_to_onnx.py`` and leaves an ONNX
file, which is read like any other. ``BABYCRY_TENSORFLOW_PYTHON`` names that Python.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from babycry_convert.readers import MAX_CHECKPOINT_BYTES, ReadRequest
from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    from torch import nn

SUFFIXES = ("saved_model.pb",)

VARIABLE = "BABYCRY_TENSORFLOW_PYTHON"
PACKAGES = ("tensorflow-cpu==2.21.0", "tf2onnx==1.17.0", "tf_keras==2.21.0", "onnx==1.23.2")

#: Largest difference from TensorFlow's own outputs, per unit of the largest.
TOLERANCE = 1e-4

_TIMEOUT_S = 600.0
_MAX_FILES = 10_000
_SCRIPT = Path(__file__).parent / "saved_model_to_onnx.py"


def sniff(path: Path, head: bytes) -> bool:
    return path.name == "saved_model.pb" or (path / "saved_model.pb").is_file()


def read(path: Path, request: ReadRequest) -> nn.Module:
    """The serving signature up to its logits, channels first.

    Its ``meta`` has "activation", what was left out at its end ("softmax", "sigmoid" or None), and
    "notes" on what was changed.

    Raises:
        BabycryError: no TensorFlow, a damaged folder, a model that reaches outside itself, or one
            that does not fit the request.
    """
    folder = path if path.is_dir() else path.parent
    _check_size(folder)
    return through_tensorflow(folder, request)


def tensorflow_python() -> str | None:
    """The Python that has TensorFlow, if the user named one."""
    return os.environ.get(VARIABLE) or None


def through_tensorflow(path: Path, request: ReadRequest) -> nn.Module:
    """A SavedModel folder or a Keras 2 file by way of TensorFlow and ONNX; see :func:`read`."""
    python = tensorflow_python()
    if python is None:
        raise BabycryError(
            f"{path}: needs TensorFlow, in an environment of its own: python3 -m venv"
            " .venv-tensorflow && .venv-tensorflow/bin/pip install"
            f" {' '.join(PACKAGES)}, then set {VARIABLE}=.venv-tensorflow/bin/python"
        )
    with tempfile.TemporaryDirectory() as work:
        target, answers = Path(work) / "model.onnx", Path(work) / "answers.npz"
        _run(python, path, request, target, answers)
        model = target.read_bytes()
        with np.load(answers, allow_pickle=False) as content:
            inputs, outputs = content["inputs"], content["outputs"]
    return _network(path, model, inputs, outputs, request)


def _check_size(folder: Path) -> None:
    total = 0
    for count, file in enumerate(folder.rglob("*")):
        total += file.stat().st_size if file.is_file() else 0
        if count > _MAX_FILES or total > MAX_CHECKPOINT_BYTES:
            raise BabycryError(f"{folder}: too large for a model: no SavedModel for a device")


def _run(python: str, path: Path, request: ReadRequest, target: Path, answers: Path) -> None:
    shape = ",".join(str(size) for size in request_shape(request))
    command = [python, "-I", str(_SCRIPT), str(path.resolve()), shape, str(target), str(answers)]
    if request.trust_pickle:
        command.append("--trust")
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT_S,
            cwd=target.parent,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BabycryError(f"{path}: TensorFlow took more than {_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise BabycryError(f"{VARIABLE}={python}: {error.strerror or error}") from None
    if done.returncode or not target.is_file() or not answers.is_file():
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1].strip()[:300] if lines else f"status {done.returncode}"
        raise BabycryError(f"{path}: TensorFlow cannot convert it: {reason}")


def request_shape(request: ReadRequest) -> tuple[int, ...]:
    """One window in the author's order for each layout, the channel last."""
    steps, features = request.window_shape
    return {
        "NCTF": (steps, features, request.channels),
        "NCFT": (features, steps, request.channels),
        "NTF": (steps, features),
        "NFT": (features, steps),
        "NF": (steps * features,),
    }[request.layout]


def _network(
    path: Path,
    model: bytes,
    inputs: np.ndarray,
    outputs: np.ndarray,
    request: ReadRequest,
) -> nn.Module:
    import torch

    from babycry_convert.keras_to_torch.two_logits import with_two_logits
    from babycry_convert.readers.onnx_graph import onnx_to_torch, without_activation

    shape, wanted = inputs.shape[2:], request_shape(request)
    if len(shape) == 3:
        shape = (*shape[1:], shape[0])
    if shape != wanted:
        raise BabycryError(f"{path}: takes {shape}, but the recipe's window gives {wanted}")
    try:
        graph = onnx_to_torch(model).eval()
    except BabycryError as error:
        raise BabycryError(f"{path}: as ONNX: {error}") from None
    limit = TOLERANCE * max(1.0, float(np.abs(outputs).max()))
    with torch.no_grad():
        for x, expected in zip(inputs, outputs, strict=True):
            given = graph(torch.from_numpy(x)).numpy()
            if given.shape != expected.shape or not np.abs(given - expected).max() <= limit:
                raise BabycryError(
                    f"{path}: the translated network differs from TensorFlow: not used"
                )
    if outputs.ndim != 3:
        raise BabycryError(f"{path}: an output of {outputs.shape[2:]} is no row of class scores")
    graph, activation = without_activation(graph)
    network: nn.Module = graph
    notes, width = ["came through TensorFlow and ONNX"], outputs.shape[-1]
    if activation:
        notes.append(f"the last {activation} is left out: the outputs are logits")
    if width == 1 and request.n_classes == 2 and activation == "sigmoid":
        network, width, activation = with_two_logits(network), 2, "softmax"
        notes.append("one sigmoid output z became the two logits (0, z): the second label is its")
    if width != request.n_classes:
        raise BabycryError(
            f"{path}: has {width} outputs, but the recipe has {request.n_classes} labels"
        )
    network.meta = {"activation": activation, "notes": tuple(notes)}  # type: ignore[assignment]
    return network.eval()
