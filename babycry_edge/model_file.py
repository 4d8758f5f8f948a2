"""What a model file says about itself, whichever of the two formats it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ModelFormat = Literal["onnx", "tflite"]

#: Key of the metadata JSON: an ONNX ``metadata_props`` key, the name of a TFLite metadata buffer.
METADATA_KEY = "babycry_edge"

#: A larger file is refused before it is parsed.
MAX_MODEL_BYTES = 256 * 1024 * 1024

#: Parsing stops with an error after this many protobuf fields or flatbuffer tables and elements.
MAX_PARSE_STEPS = 1_000_000

#: A longer metadata text, or a longer name of anything, is refused.
MAX_METADATA_BYTES = 16 * 1024 * 1024
MAX_NAME_BYTES = 4096

#: More inputs, outputs, dimensions or metadata entries than this are refused.
MAX_ENTRIES = 256


@dataclass(frozen=True)
class TensorInfo:
    """One input or output of a model.

    ``shape`` has -1 where the file leaves a size open. ``dtype`` is numpy's name ("float32",
    "int8", ...). A stored integer q stands for scale * (q - zero_point); both are None for a
    tensor that holds real numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None


@dataclass(frozen=True)
class ModelFile:
    """The audited content of a model file: tensors at its border, operators, metadata, hash.

    ``operators`` counts every operator by name, names in alphabetical order. ``sha256`` is the
    hexadecimal hash of the whole file, ``size`` its length in bytes. ``parts`` names the signatures
    of a TFLite file whose recurrent layers are cells that a runtime runs in a loop: then the inputs
    are the body's and the outputs the head's.
    """

    format: ModelFormat
    metadata_json: str | None
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    operators: tuple[tuple[str, int], ...]
    sha256: str
    size: int
    parts: tuple[str, ...] = ()
