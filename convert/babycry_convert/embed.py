"""Write the metadata JSON into a model file of either format."""

from __future__ import annotations

from typing import Any

from babycry_edge.errors import BabycryError
from babycry_edge.model_file import METADATA_KEY, ModelFormat
from babycry_edge.tflite_file import read_tflite

# TFLite's schema aligns every buffer to 16 bytes (force_align); 32-bit ARM faults on less.
_BUFFER_ALIGNMENT = 16


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
        BabycryError: the model keeps weights outside the flatbuffer (files above 2 GB).
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    read_tflite(model)
    root = schema.ModelT.InitFromPackedBuf(bytearray(model), 0)
    if any(buffer.offset > 1 for buffer in root.buffers):
        raise BabycryError("TFLite model keeps weights outside its flatbuffer: cannot be patched")
    contents = [_content(buffer) for buffer in root.buffers]
    payload = metadata_json.encode("utf-8")
    entries = list(root.metadata or [])
    entry = next((e for e in entries if _text(e.name) == METADATA_KEY), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name = METADATA_KEY
        entry.buffer = len(contents)
        contents.append(payload)
        root.metadata = [*entries, entry]
    else:
        contents[entry.buffer] = payload
    root.buffers = [_AlignedBuffer(content) for content in contents]
    builder = flatbuffers.Builder(len(model) + len(payload) + 4096)
    builder.Finish(root.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _content(buffer: Any) -> bytes | None:
    return None if buffer.data is None else bytes(bytearray(buffer.data))


def _text(name: Any) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name)


class _AlignedBuffer:
    """A ``BufferT`` whose data keeps the schema's alignment.

    The generated Python packer ignores ``force_align``.
    """

    def __init__(self, content: bytes | None) -> None:
        self._content = content

    def Pack(self, builder: Any) -> int:  # noqa: N802  (the name that the object API calls)
        from ai_edge_litert import schema_py_generated as schema

        data = None
        if self._content is not None:
            size = len(self._content)
            builder.StartVector(1, size, _BUFFER_ALIGNMENT)
            builder.head -= size
            builder.Bytes[builder.head : builder.head + size] = self._content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))
