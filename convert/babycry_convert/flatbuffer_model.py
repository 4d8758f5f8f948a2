"""A TFLite file as an object tree, and back to bytes, without TensorFlow."""

from __future__ import annotations

from typing import Any

from babycry_edge.errors import BabycryError
from babycry_edge.tflite_file import read_tflite

# TFLite's schema aligns every buffer to 16 bytes (force_align); 32-bit ARM faults on less.
_BUFFER_ALIGNMENT = 16


def unpack(model: bytes) -> Any:
    """The schema's ``ModelT`` of a flatbuffer, free to be changed.

    Raises:
        BabycryError: no well-formed TFLite model, or one that keeps weights outside the flatbuffer
            (files above 2 GB).
    """
    from ai_edge_litert import schema_py_generated as schema

    read_tflite(model)
    root = schema.ModelT.InitFromPackedBuf(bytearray(model), 0)
    if any(buffer.offset > 1 for buffer in root.buffers):
        raise BabycryError("TFLite model keeps weights outside its flatbuffer: cannot be patched")
    return root


def gather(model: bytes) -> bytes:
    """The model with its weights inside the flatbuffer, where every runtime looks for them.

    The quantiser puts a larger model's weights behind it; other files are returned as they are.

    Raises:
        BabycryError: no well-formed TFLite model.
    """
    from ai_edge_litert import schema_py_generated as schema

    read_tflite(model)
    root = schema.ModelT.InitFromPackedBuf(bytearray(model), 0)
    outside = [buffer for buffer in root.buffers if buffer.offset > 1]
    if not outside:
        return model
    for buffer in outside:
        buffer.data = model[buffer.offset : buffer.offset + buffer.size]
        buffer.offset = buffer.size = 0
    return pack(root)


def pack(root: Any) -> bytes:
    """The flatbuffer of a ``ModelT``; the same tree gives the same bytes."""
    import flatbuffers

    root.buffers = [AlignedBuffer(content(buffer)) for buffer in root.buffers]
    builder = flatbuffers.Builder(4096)
    builder.Finish(root.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def content(buffer: Any) -> bytes | None:
    """The bytes of a ``BufferT``; None for a tensor that is computed."""
    return None if buffer.data is None else bytes(bytearray(buffer.data))


class AlignedBuffer:
    """A ``BufferT`` whose data keeps the schema's alignment.

    The packer that flatbuffers generates for Python ignores ``force_align``.
    """

    def __init__(self, data: bytes | None) -> None:
        self.data = data

    def Pack(self, builder: Any) -> int:  # noqa: N802  (the name that the object API calls)
        from ai_edge_litert import schema_py_generated as schema

        vector = None
        if self.data is not None:
            size = len(self.data)
            builder.StartVector(1, size, _BUFFER_ALIGNMENT)
            builder.head -= size
            builder.Bytes[builder.head : builder.head + size] = self.data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if vector is not None:
            schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))
