"""What was built and installed: commit, compiler, versions, and the instruction set in use."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from importlib import resources
from typing import Any

from babycry_edge.frontend import instruction_sets

_PACKAGES = (
    "numpy",
    "onnxruntime",
    "ai-edge-litert",
    "tflite-runtime",
    "soundfile",
    "librosa",
    "pytest-benchmark",
)
_COMPILED = ("git_commit", "compiler", "compiler_flags")


def describe_build() -> dict[str, Any]:
    """Versions of this package, Python and the libraries that took part; instruction sets."""
    return {
        "babycry_edge": package_version("babycry-edge") or "(source tree)",
        **_how_it_was_compiled(),
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


def _how_it_was_compiled() -> dict[str, str | None]:
    """What CMake wrote beside the C library when it built it; nulls where it did not."""
    record: dict[str, Any] = {}
    try:
        written = resources.files("babycry_edge").joinpath("_build.json")
        found = json.loads(written.read_text(encoding="utf-8"))
        record = found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        pass
    return {key: str(record[key]) if record.get(key) else None for key in _COMPILED}
