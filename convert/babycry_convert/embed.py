"""Write the metadata JSON into a model file of either format."""

from __future__ import annotations

from typing import Any

from babycry_convert.flatbuffer_model import AlignedBuffer, pack, unpack
from babycry_edge.model_file import METADATA_KEY, ModelFormat


def embed(model: bytes, model_format: ModelFormat, metadata_json: str) -> bytes:
    """``model`` with ``metadata_json`` in place of any earlier babycry_edge metadata."""
    if model_format == "onnx":
        return embed_onnx(model, metadata_json)
    return embed_tflite(model, metadata_json)


def embed_onnx(model: bytes, metadata_json: str) -> bytes:
    """Set the ``babycry_edge`` entry of the model's ``metadata_props``."""
    import onnx

    proto = onnx.load_from_string(model)
    others = [(e.key, e.value) for e in proto.metadata_props if e.key != METADATA_KEY]
    del proto.metadata_props[:]
    for key, value in [*others, (METADATA_KEY, metadata_json)]:
        proto.metadata_props.add(key=key, value=value)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def embed_tflite(model: bytes, metadata_json: str) -> bytes:
    """Set the ``babycry_edge`` entry of the model's ``metadata`` vector and its buffer.

    Raises:
        BabycryError: no well-formed TFLite model, or one with weights outside the flatbuffer.
    """
    from ai_edge_litert import schema_py_generated as schema

    root = unpack(model)
    entry = next((e for e in root.metadata or [] if _text(e.name) == METADATA_KEY), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name = METADATA_KEY
        entry.buffer = len(root.buffers)
        root.buffers.append(None)
        root.metadata = [*(root.metadata or []), entry]
    root.buffers[entry.buffer] = AlignedBuffer(metadata_json.encode("utf-8"))
    return pack(root)


def _text(name: Any) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)
