"""torch -> float TFLite, through litert-torch."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from babycry_convert.flatbuffer_model import pack, unpack
from babycry_convert.quiet import quiet
from babycry_convert.writers.onnx_float import INPUT_NAME, OUTPUT_NAME
from babycry_edge.extras import require
from babycry_edge.model_file import ModelFormat

if TYPE_CHECKING:
    from torch import nn

FORMAT: ModelFormat = "tflite"
INT8 = False
SUFFIX = "_float.tflite"


def export_tflite(module: nn.Module, window_frames: int, n_features: int) -> bytes:
    """Export a network to TFLite with batch 1 and the channel axis last.

    Args:
        module: maps float32 ``(1, 1, window_frames, n_features)`` to logits ``(1, n_labels)``.
        window_frames: frames in a window.
        n_features: values in a frame.

    Returns:
        The flatbuffer; its input has shape ``(1, window_frames, n_features, 1)``.

    Raises:
        BabycryError: litert-torch is not installed.
    """
    import torch

    with quiet(), tempfile.TemporaryDirectory() as folder:
        litert_torch = require("litert_torch", "convert")
        # A copy: the conversion rewrites the modules that it is given.
        network = litert_torch.to_channel_last_io(copy.deepcopy(module).eval(), args=[0])
        example = torch.zeros(1, window_frames, n_features, 1)
        path = Path(folder, "float.tflite")
        litert_torch.convert(network, (example,)).export(str(path))
        return _with_short_names(path.read_bytes())


def _with_short_names(model: bytes) -> bytes:
    """Number the tensors and name the border as the ONNX file does.

    litert-torch names a tensor after the Python classes that made it: kilobytes of flash, and a
    file that depends on the name of the module that was run.
    """
    root = unpack(model)
    for graph in root.subgraphs:
        for number, tensor in enumerate(graph.tensors):
            tensor.name = f"t{number}"
    border = root.subgraphs[0]
    border.tensors[border.inputs[0]].name = INPUT_NAME
    border.tensors[border.outputs[0]].name = OUTPUT_NAME
    for signature in root.signatureDefs or []:
        signature.inputs[0].name = INPUT_NAME
        signature.outputs[0].name = OUTPUT_NAME
    return pack(root)
