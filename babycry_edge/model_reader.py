"""Read a model file of either format from disk."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from babycry_edge.errors import BabycryError
from babycry_edge.model_file import MAX_MODEL_BYTES, ModelFile
from babycry_edge.onnx_file import read_onnx
from babycry_edge.tflite_file import read_tflite


def read_model_file(path: str | PathLike[str]) -> tuple[bytes, ModelFile]:
    """The bytes of a model file and what they say; the content, not the name, tells the format.

    Raises:
        BabycryError: the file cannot be read, is neither ONNX nor TFLite, or is damaged.
    """
    data = _read_bytes(Path(path))
    is_tflite = data[4:8] == b"TFL3" or Path(path).suffix == ".tflite"
    try:
        return data, (read_tflite if is_tflite else read_onnx)(data)
    except BabycryError as error:
        raise BabycryError(f"{path}: {error}; copy or convert the file again") from None


def _read_bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise BabycryError(f"{path} exceeds {MAX_MODEL_BYTES} bytes: no model for a device")
        data = path.read_bytes()
    except OSError as error:
        raise BabycryError(f"cannot read model {path}: {error.strerror or error}") from None
    if not data:
        raise BabycryError(f"{path} is empty: copy or convert the file again")
    return data
