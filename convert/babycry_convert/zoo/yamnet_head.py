"""YAMNet's body (MobileNetV1, 1024 values a patch) and a small network on its embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from babycry_edge.errors import BabycryError

NAME = "yamnet_head"
DESCRIPTION = "YAMNet's 1024 embeddings of a 0.96 s patch, batch norm, dropout, feed-forward"
LAYOUT = "NCTF"
CHANNELS = 1

EMBEDDING = 1024

#: Weights in torch's order, bias, whether ReLU6 follows.
Convolution = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], bool]

#: (stride, output channels) of the depthwise-separable layers, as in YAMNet's yamnet.py.
LAYERS = (
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (2, 1024),
    (1, 1024),
)


class YamnetHead(nn.Module):
    """Log-mel patches ``(N, 1, 96, 64)``, time-major, to logits ``(N, n_classes)``."""

    def __init__(self, n_classes: int, hidden: int, dropout: float, relu6: bool) -> None:
        super().__init__()
        self.body = body(relu6)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(
            nn.BatchNorm1d(EMBEDDING),
            nn.Dropout(dropout),
            nn.Linear(EMBEDDING, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, n_classes),
        )

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        embeddings = self.avgpool(self.body(patches)).flatten(1)
        logits: torch.Tensor = self.head(embeddings)
        return logits


def body(relu6: bool = True) -> nn.Sequential:
    """YAMNet's convolutions, their batch norm folded into biases as in its TFLite files.

    Patches ``(N, 1, 96, 64)`` to ``(N, 1024, 3, 2)``; the mean over the image is the embedding.
    ``relu6``: the activation of the integer file; the float one has plain ReLU.
    """
    layers = [*_convolution(1, 32, 3, 2, 1, relu6)]
    channels = 32
    for stride, outputs in LAYERS:
        layers += _convolution(channels, channels, 3, stride, channels, relu6)
        layers += _convolution(channels, outputs, 1, 1, 1, relu6)
        channels = outputs
    return nn.Sequential(*layers)


def build(n_classes: int, hidden: int = 128, dropout: float = 0.3, relu6: bool = True) -> nn.Module:
    """Patches ``(N, 1, 96, 64)`` to logits ``(N, n_classes)``."""
    return YamnetHead(n_classes, hidden, dropout, relu6)


def load_yamnet_body(module: nn.Module, tflite_path: str | Path) -> None:
    """Read the body's weights from a YAMNet TFLite file, integer or float, in operator order.

    Args:
        module: a network of :func:`build`, or a :func:`body`.
        tflite_path: yamnet.tflite, or one with the front-end cut off.

    Raises:
        BabycryError: no TFLite model, or its convolutions are not YAMNet's, or their activation is
            not the module's.
    """
    target = module.body if isinstance(module, YamnetHead) else module
    layers = [layer for layer in target.modules() if isinstance(layer, nn.Conv2d)]
    relu6 = any(isinstance(layer, nn.ReLU6) for layer in target.modules())
    stored = list(_stored_convolutions(Path(tflite_path)))
    if len(stored) != len(layers):
        raise BabycryError(
            f"{tflite_path}: {len(stored)} convolutions where YAMNet has {len(layers)}"
        )
    for number, (layer, (weight, bias, clipped)) in enumerate(zip(layers, stored, strict=True)):
        if weight.shape != tuple(layer.weight.shape) or layer.bias is None:
            raise BabycryError(
                f"{tflite_path}: convolution {number} has weights {weight.shape} where YAMNet "
                f"has {tuple(layer.weight.shape)}"
            )
        if clipped != relu6:
            raise BabycryError(
                f"{tflite_path}: its activation is {'ReLU6' if clipped else 'ReLU'}: build the "
                f"network with relu6={clipped}"
            )
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int, groups: int, relu6: bool
) -> list[nn.Module]:
    """TensorFlow's "same" padding: with stride 2 an even image has it at the end alone."""
    layers: list[nn.Module] = []
    if stride == 2:
        layers.append(nn.ZeroPad2d((0, 1, 0, 1)))
    padding = kernel // 2 if stride == 1 else 0
    layers.append(nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups))
    return [*layers, nn.ReLU6() if relu6 else nn.ReLU()]


def _stored_convolutions(path: Path) -> Iterator[Convolution]:
    """Each convolution's float32 weights in torch's order, its bias, and whether ReLU6 follows."""
    from ai_edge_litert import schema_py_generated as schema

    from babycry_convert.flatbuffer_model import unpack

    try:
        data = path.read_bytes()
    except OSError as error:
        raise BabycryError(f"cannot read {path}: {error.strerror or error}") from None
    root = unpack(data)
    operators = schema.BuiltinOperator
    for operator in root.subgraphs[0].operators:
        code = root.operatorCodes[operator.opcodeIndex]
        kind = max(code.builtinCode, code.deprecatedBuiltinCode)
        if kind not in (operators.CONV_2D, operators.DEPTHWISE_CONV_2D):
            continue
        weight = _constant(root, operator.inputs[1])
        bias = _constant(root, operator.inputs[2])
        # CONV_2D (out, h, w, in); DEPTHWISE_CONV_2D (1, h, w, out)
        order = (0, 3, 1, 2) if kind == operators.CONV_2D else (3, 0, 1, 2)
        clipped = operator.builtinOptions.fusedActivationFunction
        yield (
            np.ascontiguousarray(weight.transpose(order)),
            bias,
            clipped == schema.ActivationFunctionType.RELU6,
        )


def _constant(root: Any, index: int) -> npt.NDArray[np.float32]:
    """A constant of the main graph as float32, dequantised."""
    from ai_edge_litert import schema_py_generated as schema

    tensor = root.subgraphs[0].tensors[index]
    kinds = {
        schema.TensorType.FLOAT32: np.float32,
        schema.TensorType.INT8: np.int8,
        schema.TensorType.UINT8: np.uint8,
        schema.TensorType.INT32: np.int32,
    }
    raw = root.buffers[tensor.buffer].data
    if tensor.type not in kinds or raw is None:
        raise BabycryError(f"tensor {index} of the TFLite file is no constant of a known type")
    values = np.frombuffer(bytes(bytearray(raw)), kinds[tensor.type]).reshape(tensor.shape)
    if tensor.type == schema.TensorType.FLOAT32:
        return np.array(values, np.float32)
    quantization = tensor.quantization
    scale = np.asarray(quantization.scale, np.float64)
    zero = np.asarray(quantization.zeroPoint, np.float64)
    if scale.size > 1:
        axes = [1] * values.ndim
        axes[quantization.quantizedDimension] = -1
        scale, zero = scale.reshape(axes), zero.reshape(axes)
    return np.asarray((values - zero) * scale, np.float32)
