"""ONNX files of any exporter: torch's two, tf2onnx, skl2onnx."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from babycry_convert.readers import ReadRequest
from babycry_edge.errors import BabycryError
from babycry_edge.model_file import MAX_MODEL_BYTES

if TYPE_CHECKING:
    from torch import fx

SUFFIXES = (".onnx",)


def sniff(path: Path, head: bytes) -> bool:
    """ONNX has no magic number: the ending tells, unless the file starts as ModelProto does."""
    if path.suffix.lower() == ".onnx":
        return bool(head)
    # ir_version as first field, then producer_name or opset_import or graph
    return head[:1] == b"\x08" and len(head) > 2 and head[2:3] in (b"\x12", b"\x3a", b"\x42")


def read(path: Path, request: ReadRequest) -> fx.GraphModule:
    """The network to its logits: a softmax or sigmoid at the end is taken off.

    ``meta["activation"]`` says which it was. An image with its channels last, as TensorFlow has
    it, is taken with the channels first.

    Raises:
        BabycryError: see ``onnx_graph.onnx_to_torch``; with the file's name.
    """
    from babycry_convert.readers.onnx_graph import onnx_to_torch, without_activation
    from babycry_convert.readers.onnx_graph.channels import channels_first

    try:
        size = path.stat().st_size
        if size > MAX_MODEL_BYTES:
            raise BabycryError(f"ONNX model has {size} bytes, more than {MAX_MODEL_BYTES}")
        graph = onnx_to_torch(path.read_bytes(), _shape(request))
        network, activation = without_activation(channels_first(graph))
    except OSError as error:
        raise BabycryError(f"{path}: cannot be read: {error.strerror or error}") from None
    except BabycryError as error:
        raise BabycryError(f"{path}: {error}") from None
    network.meta["activation"] = activation
    return network


def _shape(request: ReadRequest) -> tuple[int | None, ...]:
    """Sizes for axes that the file leaves open."""
    frames, values = request.window_shape
    return {
        "NCTF": (None, request.channels, frames, values),
        "NCFT": (None, request.channels, values, frames),
        "NTF": (None, frames, values),
        "NFT": (None, values, frames),
        "NF": (None, frames * values),
    }[request.layout]
