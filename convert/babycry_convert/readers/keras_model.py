"""Keras 3 ``.keras`` and ``.h5`` files, and Keras 2's that Keras 3 can read.

Keras runs on torch here. The layers and weights become ordinary torch modules, whose answer is
compared with Keras's own before anything else happens. A model with layers that have no
translation goes through ONNX instead.
"""

from __future__ import annotations

import copy
import math
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from babycry_convert.quiet import quiet
from babycry_convert.readers import ReadRequest, saved_model
from babycry_convert.readers.keras_file import (
    HDF5_SIGNATURE,
    KerasFile,
    one_line,
    open_keras_file,
    write_mended,
)
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

if TYPE_CHECKING:
    from torch import nn

SUFFIXES = (".keras", ".h5", ".hdf5")

#: Largest difference from Keras's own logits, per unit of the largest.
TOLERANCE = 1e-4

_MAX_INPUT_VALUES = 1 << 24
_LAYOUTS_BY_RANK = {1: ("NF",), 2: ("NTF", "NFT"), 3: ("NCTF", "NCFT")}


def sniff(path: Path, head: bytes) -> bool:
    if path.suffix.lower() in SUFFIXES or head.startswith(HDF5_SIGNATURE):
        return True
    return head.startswith(b"PK\x03\x04") and b"config.json" in head and b"metadata.json" in head


def read(path: Path, request: ReadRequest) -> nn.Module:
    """The file's network up to its logits, channels first.

    Its ``meta`` has "activation", what was left out at its end ("softmax", "sigmoid" or None), and
    "notes" on what was changed.

    An image (H, W, C) is taken as (N, C, H, W), anything else as Keras takes it. A last softmax
    or sigmoid is left out; one sigmoid output becomes the two logits (0, z) where two classes are
    wanted.

    Raises:
        BabycryError: the file is damaged or runs code, a layer cannot be translated, or the network
            does not fit the request.
    """
    from babycry_convert.keras_to_torch.activations import NAMES

    found = open_keras_file(path, NAMES, request.trust_pickle)
    old = found.version.split(".")[0] in ("1", "2")
    if old and "'hard_sigmoid'" in str(found.config):
        if saved_model.tensorflow_python() is not None:
            return saved_model.through_tensorflow(path, request)
        raise BabycryError(
            f"{path}: Keras {found.version}'s hard_sigmoid is another function than Keras 3's:"
            f" needs TensorFlow's own: set {saved_model.VARIABLE}"
        )
    keras = import_keras()
    try:
        with quiet():
            model = _load(path, found, keras, request.trust_pickle)
    except BabycryError:
        if old and saved_model.tensorflow_python() is not None:
            return saved_model.through_tensorflow(path, request)
        raise
    _correct_average_pooling(model)
    shape = _input_shape(path, model, request)
    return _translated(path, model, shape, request)


def import_keras() -> ModuleType:
    """Keras on torch, on the CPU.

    Raises:
        BabycryError: Keras is not installed, or already runs on another library in this process.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
        os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")
    keras = require("keras", "keras")
    if keras.backend.backend() != "torch":
        raise BabycryError(
            f"keras already runs on {keras.backend.backend()}: set KERAS_BACKEND=torch"
        )
    return keras


def _load(path: Path, found: KerasFile, keras: ModuleType, trusted: bool) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / f"model.{found.kind}"
        try:
            write_mended(path, found, copied)
            model = keras.saving.load_model(copied, compile=False, safe_mode=not trusted)
        except Exception as error:  # whatever a damaged configuration makes Keras raise
            advice = ""
            if found.version.split(".")[0] in ("1", "2"):
                advice = f" (Keras {found.version} wrote it: set {saved_model.VARIABLE})"
            raise BabycryError(
                f"{path}: Keras {keras.__version__} cannot load it{advice}: {one_line(error)}"
            ) from None
    if not isinstance(model, keras.Model):
        raise BabycryError(f"{path}: holds a {type(model).__name__}, not a model")
    for variable in model.weights:
        if not bool(variable.value.isfinite().all()):
            raise BabycryError(f"{path}: {variable.path} holds NaN or infinity")
    return model


def _correct_average_pooling(model: Any) -> None:
    """Keras on torch counts the padding of "same" average pooling; TensorFlow, on which such a
    network was trained, does not. The loaded layers are put right."""
    import keras

    for layer in model._flatten_layers():
        kind = type(layer).__name__
        if kind in ("AveragePooling1D", "AveragePooling2D") and layer.padding == "same":
            layer.call = partial(_mean_without_padding, keras.ops, layer)


def _mean_without_padding(ops: Any, layer: Any, x: Any) -> Any:
    from babycry_convert.keras_to_torch.builder import same_padding

    if layer.data_format != "channels_last":
        raise BabycryError(f"layer {layer.name}: channels-first average pooling with padding")
    sizes = zip(x.shape[1:-1], layer.pool_size, layer.strides, strict=True)
    pads = [(0, 0), *(same_padding(*size) for size in sizes), (0, 0)]
    total, present = (
        ops.average_pool(ops.pad(values, pads), layer.pool_size, layer.strides, "valid")
        for values in (x, ops.ones_like(x))
    )
    return total / present


def _input_shape(path: Path, model: Any, request: ReadRequest) -> tuple[int, ...]:
    """The input's sizes in Keras's order; open ones are taken from the request."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        wanted = saved_model.request_shape(request)
        try:
            model.build((None, *wanted))
        except Exception as error:
            raise BabycryError(f"{path}: does not take {wanted}: {one_line(error)}") from None
        inputs = model.inputs
    if len(inputs) != 1 or len(model.outputs) != 1:
        raise BabycryError(
            f"{path}: {len(inputs)} inputs and {len(model.outputs)} outputs: one each can be"
            " converted"
        )
    stated = tuple(inputs[0].shape)[1:]
    layouts = _LAYOUTS_BY_RANK.get(len(stated))
    if layouts is None:
        raise BabycryError(f"{path}: an input of {len(stated)} axes cannot be converted")
    if request.layout not in layouts:
        raise BabycryError(
            f"{path}: takes {stated}, but the recipe's layout is {request.layout}: use"
            f" {' or '.join(layouts)}"
        )
    wanted = saved_model.request_shape(request)
    shape = tuple(w if s is None else int(s) for s, w in zip(stated, wanted, strict=True))
    if shape != wanted:
        raise BabycryError(f"{path}: takes {shape}, but the recipe's window gives {wanted}")
    if min(shape) < 1 or math.prod(shape) > _MAX_INPUT_VALUES:
        raise BabycryError(f"{path}: an input of {shape} cannot be converted")
    return shape


def _translated(path: Path, model: Any, shape: tuple[int, ...], request: ReadRequest) -> nn.Module:
    from babycry_convert.keras_to_torch.builder import NotTranslated
    from babycry_convert.keras_to_torch.model import keras_to_torch

    notes: list[str] = []
    try:
        model, last = _without_last_activation(model)
        if last:
            notes.append(f"the last {last} is left out: the outputs are logits")
        try:
            with quiet():
                network: nn.Module = keras_to_torch(model, shape)
        except NotTranslated as error:
            network = _through_onnx(path, model, shape, str(error))
            notes.append(f"went through ONNX, because of {error}")
        _compare(path, model, network, shape)
    except BabycryError as error:
        raise BabycryError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    except Exception as error:  # Keras and torch raise what they like on odd configurations
        raise BabycryError(f"{path}: cannot be translated: {one_line(error)}") from None
    return _fitted(path, network, shape, last, request, notes)


def _without_last_activation(model: Any) -> tuple[Any, str]:
    """The model up to its logits, and the name of what was left out ("" for nothing)."""
    import keras

    from babycry_convert.keras_to_torch.activations import activation_name
    from babycry_convert.keras_to_torch.model import functional

    whole = owner = functional(model)
    last = owner.outputs[0]._keras_history.operation
    while isinstance(last, keras.Model):  # a model inside the model
        owner = functional(last)
        last = owner.outputs[0]._keras_history.operation
    if type(last).__name__ == "Softmax":
        if owner is not whole:
            raise BabycryError(
                f"ends in a softmax layer inside the layer {owner.name}: take it out"
            )
        return keras.Model(whole.inputs, last._inbound_nodes[-1].input_tensors[0]), "softmax"
    name = activation_name(getattr(last, "activation", None))
    if name in ("softmax", "log_softmax", "sigmoid") and len(last._inbound_nodes) <= 2:
        last.activation = keras.activations.linear
        return model, name
    return model, ""


def _through_onnx(path: Path, model: Any, shape: tuple[int, ...], reason: str) -> nn.Module:
    """Keras's own torch code, traced; for layers that have no translation."""
    import torch
    from torch import nn

    from babycry_convert.readers.through_onnx import through_onnx

    class ChannelsFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model(x.permute(0, 2, 3, 1) if x.dim() == 4 else x)

    given = (1, shape[2], *shape[:2]) if len(shape) == 3 else (1, *shape)
    try:
        return through_onnx(ChannelsFirst().eval(), [given], path)
    except BabycryError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise BabycryError(
            f"{path}: {reason} cannot be translated, and through ONNX: {why}"
        ) from None


def _random(shape: tuple[int, ...], count: int, seed: int = 0) -> Any:
    """Windows of noise, channels first."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, *shape, generator=generator)
    return x.permute(0, 3, 1, 2).contiguous() if len(shape) == 3 else x


def _compare(path: Path, model: Any, network: nn.Module, shape: tuple[int, ...]) -> None:
    import torch

    with quiet(), torch.no_grad():
        for seed in range(3):
            x = _random(shape, 1, seed) * 10.0 ** (seed - 1)
            keras_order = x.permute(0, 2, 3, 1).contiguous() if x.dim() == 4 else x
            expected = model(keras_order, training=False)
            given = network(x)
            if given.shape != expected.shape:
                raise BabycryError(
                    f"{path}: translated to an output of {tuple(given.shape)}, where Keras has"
                    f" {tuple(expected.shape)}"
                )
            error = float((given - expected).abs().max())
            limit = TOLERANCE * max(1.0, float(expected.abs().max()))
            if not error <= limit:
                raise BabycryError(
                    f"{path}: the translated network differs from Keras by {error:.2g}: not used"
                )


def _fitted(
    path: Path,
    network: nn.Module,
    shape: tuple[int, ...],
    last: str,
    request: ReadRequest,
    notes: list[str],
) -> nn.Module:
    import torch

    from babycry_convert.keras_to_torch.two_logits import with_two_logits

    with torch.no_grad():
        outputs = network(_random(shape, 1)).shape[1:]
    if len(outputs) != 1:
        raise BabycryError(f"{path}: an output of {tuple(outputs)} is no row of class scores")
    width = int(outputs[0])
    if width == 1 and request.n_classes == 2 and last == "sigmoid":
        network = with_two_logits(copy.deepcopy(network))
        notes.append("one sigmoid output z became the two logits (0, z): the second label is its")
        width, last = 2, "softmax"
    if width != request.n_classes:
        raise BabycryError(
            f"{path}: has {width} outputs, but the recipe has {request.n_classes} labels"
        )
    finish = {"log_softmax": "softmax"}.get(last, last) or None
    network.meta = {"activation": finish, "notes": tuple(notes)}  # type: ignore[assignment]
    return network.eval()
