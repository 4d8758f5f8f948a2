"""torch -> float ONNX."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from babycry_convert.quiet import quiet
from babycry_edge.model_file import ModelFormat

if TYPE_CHECKING:
    import onnx
    from torch import nn

FORMAT: ModelFormat = "onnx"
INT8 = False
SUFFIX = "_float.onnx"

INPUT_NAME = "features"
OUTPUT_NAME = "logits"

# The oldest operator set that per-channel QDQ and today's runtimes on 32-bit ARM all take well.
OPSET = 17


def export_onnx(module: nn.Module, window_frames: int, n_features: int) -> bytes:
    """Export a network to ONNX with an open batch axis.

    Args:
        module: maps float32 ``(N, 1, window_frames, n_features)`` to logits ``(N, n_labels)``.
        window_frames: frames in a window.
        n_features: values in a frame.

    Returns:
        The serialised model; the same module gives the same bytes.
    """
    import onnx
    import torch

    example = torch.zeros(1, 1, window_frames, n_features)
    was_training = module.training
    module.eval()
    try:
        with quiet(), torch.no_grad(), tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "float.onnx")
            # The default exporter (dynamo=True) freezes the batch axis of recurrent networks.
            torch.onnx.export(
                module,
                (example,),
                path,
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_axes={INPUT_NAME: {0: "batch"}, OUTPUT_NAME: {0: "batch"}},
            )
            model = onnx.load(path)
    finally:
        module.train(was_training)
    _pool_instead_of_mean(model)
    _drop_notes(model)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _pool_instead_of_mean(model: onnx.ModelProto) -> None:
    """Turn a mean over the two image axes into GlobalAveragePool, which can be int8.

    onnxruntime's quantiser leaves ReduceMean in float.
    """
    from onnx import helper

    nodes = []
    for node in model.graph.node:
        keep = _image_mean(node)
        if keep is None:
            nodes.append(node)
            continue
        pooled = node.output[0] if keep else f"{node.output[0]}_pooled"
        nodes.append(
            helper.make_node("GlobalAveragePool", [node.input[0]], [pooled], name=node.name)
        )
        if not keep:
            name = f"{node.name}_flatten"
            nodes.append(helper.make_node("Flatten", [pooled], [node.output[0]], name=name, axis=1))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _image_mean(node: onnx.NodeProto) -> bool | None:
    """Whether ``node``, a mean over axes 2 and 3 of four, keeps them; None for any other node."""
    from onnx import helper

    if node.op_type != "ReduceMean":
        return None
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    if sorted(axis % 4 for axis in attributes.get("axes", ())) != [2, 3]:
        return None
    return bool(attributes.get("keepdims", 1))


def _drop_notes(model: onnx.ModelProto) -> None:
    """Remove what names the machine or the source tree that exported the model."""
    for node in model.graph.node:
        node.ClearField("doc_string")
        del node.metadata_props[:]
    model.graph.ClearField("doc_string")
    model.ClearField("doc_string")
