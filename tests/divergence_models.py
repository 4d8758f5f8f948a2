"""Models for the tests of the first divergence: float TFLite files of the folds, other metadata."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from babycry_bench.models import FLOAT_TFLITE
from babycry_edge.model_reader import read_model_file

FOLDS = Path(__file__).parent / "models"


@cache
def float_tflite(fold: int) -> bytes:
    """The fold's float network as TFLite: the bundled one's graph, which is the same, with the
    weights of the fold's float ONNX file in its layout."""
    import onnx
    from onnx import numpy_helper

    from babycry_convert.flatbuffer_model import AlignedBuffer, pack, unpack

    path = FOLDS / f"fold{fold}_float.onnx"
    graph = onnx.load(path).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    layers = [node.input for node in graph.node if node.op_type in ("Conv", "Gemm")]
    root = unpack(FLOAT_TFLITE.read_bytes())
    tensors = root.subgraphs[0].tensors
    heavy = [o for o in root.subgraphs[0].operators if len(o.inputs) == 3 and o.inputs[2] >= 0]
    for operator, names in zip(heavy, layers, strict=True):
        for index, name in zip(operator.inputs[1:], names[1:], strict=True):
            shape = tuple(int(size) for size in tensors[index].shape)
            content = _in_layout(values[name], shape)
            root.buffers[tensors[index].buffer] = AlignedBuffer(content.tobytes())
    return with_metadata(pack(root), "tflite", {}, like=path)


def _in_layout(values: Any, shape: tuple[int, ...]) -> Any:
    """Weights (out, in, height, width) with the channels last, or depthwise with all of them."""
    if values.ndim == 4:
        depthwise = shape[0] == 1
        values = values.transpose((1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
    return np.ascontiguousarray(values, np.float32).reshape(shape)


def with_metadata(model: bytes, model_format: Any, changes: dict[str, Any], like: Path) -> bytes:
    """``model`` with the metadata of the file ``like``, and the given fields in it changed."""
    from babycry_convert.embed import embed

    content = json.loads(read_model_file(like)[1].metadata_json or "")
    for field, value in changes.items():
        content[field] = {**content[field], **value} if isinstance(value, dict) else value
    return embed(model, model_format, json.dumps(content))


def frontend_changed(path: Path, folder: Path, **axes: Any) -> Path:
    """A copy of a model file that says its front-end has other axes."""
    model_format = "onnx" if path.suffix == ".onnx" else "tflite"
    changed = folder / path.name
    changes = {"frontend": axes}
    changed.write_bytes(with_metadata(path.read_bytes(), model_format, changes, like=path))
    return changed
