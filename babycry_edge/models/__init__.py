"""The bundled reference detector: see MODEL_CARD.md beside this file."""

from __future__ import annotations

from pathlib import Path

from babycry_edge.errors import BabycryError

NAMES = ("cry.tflite", "cry.onnx")


def bundled(name: str = "cry.tflite") -> Path:
    """The path of a bundled model file.

    Raises:
        BabycryError: there is none of that name.
    """
    path = Path(__file__).parent / name
    if name not in NAMES or not path.is_file():
        raise BabycryError(f"no bundled model {name!r}: choose from {', '.join(NAMES)}")
    return path
