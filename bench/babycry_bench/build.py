"""What was built and installed: versions, and the instruction set in use."""

from __future__ import annotations

import importlib.metadata
import platform
from typing import Any

import babycry_edge

_PACKAGES = (
    "numpy",
    "onnxruntime",
    "ai-edge-litert",
    "tflite-runtime",
    "soxr",
    "soundfile",
    "librosa",
)


def describe_build() -> dict[str, Any]:
    """Versions of this package, its C library, Python and the libraries that took part."""
    return {
        "babycry_edge": babycry_edge.__version__,
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := package_version(name))},
    }


def package_version(distribution: str) -> str | None:
    """The installed version of ``distribution``, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
