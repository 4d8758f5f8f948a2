"""The versions of the libraries that results depend on."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

_DISTRIBUTIONS = (
    "babycry-edge",
    "ai-edge-litert",
    "librosa",
    "numpy",
    "onnxruntime",
    "scipy",
    "soundfile",
    "tflite-runtime",
    "torch",
    "torchaudio",
)


@cache
def package_versions() -> dict[str, str]:
    """Version by name of each library that is installed here."""
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
