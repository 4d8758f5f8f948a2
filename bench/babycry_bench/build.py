"""What was built and installed: versions, and the instruction set in use."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

from babycry_edge.frontend import instruction_sets

_PACKAGES = (
    "numpy",
    "onnxruntime",
    "ai-edge-litert",
    "tflite-runtime",
    "soundfile",
    "librosa",
)


def describe_build() -> dict[str, Any]:
    """Versions of this package, Python and the libraries that took part; instruction sets."""
    return {
        "babycry_edge": package_version("babycry-edge") or "(source tree)",
        "instruction_set": instruction_sets()[0],
        "instruction_sets": instruction_sets(),
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := package_version(name))},
    }


def package_version(distribution: str) -> str | None:
    """The installed version of ``distribution``, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
