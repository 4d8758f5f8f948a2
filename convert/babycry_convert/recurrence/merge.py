"""Several TFLite files of one signature each as one file with all of them."""

from __future__ import annotations

from typing import Any

from babycry_convert.flatbuffer_model import AlignedBuffer, content, pack, unpack
from babycry_edge.errors import BabycryError


def merge(parts: dict[str, bytes]) -> bytes:
    """One file whose signatures are ``parts``, in their order.

    The first part's input and the last one's output keep their names, all other tensors are named
    after their part. Equal buffers and operator codes are kept once.

    Raises:
        BabycryError: a part has several subgraphs.
    """
    from ai_edge_litert import schema_py_generated as schema

    merged = schema.ModelT()
    merged.version = 3
    merged.description = "babycry-edge"
    merged.subgraphs, merged.signatureDefs, merged.operatorCodes = [], [], []
    buffers: dict[bytes | None, int] = {None: 0}
    codes: dict[tuple[Any, ...], int] = {}
    for name, part in parts.items():
        root = unpack(part)
        if len(root.subgraphs) != 1 or len(root.signatureDefs or []) != 1:
            raise BabycryError(f"part {name} has {len(root.subgraphs)} graphs, not one")
        (graph,), (signature,) = root.subgraphs, root.signatureDefs
        kept = {int(graph.inputs[0])} if not merged.subgraphs else set()
        kept |= {int(graph.outputs[0])} if len(merged.subgraphs) == len(parts) - 1 else set()
        for number, tensor in enumerate(graph.tensors):
            data = content(root.buffers[tensor.buffer])
            tensor.buffer = buffers.setdefault(data, len(buffers))
            if number not in kept:
                tensor.name = f"{name}/{_text(tensor.name)}"
        for operator in graph.operators:
            code = root.operatorCodes[operator.opcodeIndex]
            key = (code.builtinCode, code.customCode, code.version)
            if key not in codes:
                codes[key] = len(codes)
                merged.operatorCodes.append(code)
            operator.opcodeIndex = codes[key]
        graph.name = signature.signatureKey = name
        signature.subgraphIndex = len(merged.subgraphs)
        merged.subgraphs.append(graph)
        merged.signatureDefs.append(signature)
    merged.buffers = [AlignedBuffer(data) for data in buffers]
    return pack(merged)


def _text(name: Any) -> str:
    return name.decode("utf-8") if isinstance(name, bytes) else str(name or "")
