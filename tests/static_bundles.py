"""Bundles of the static bench program, built once for all tests that ask for them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from babycry_bench.linux.build import TARGETS, build_bundle
from babycry_edge.models import bundled

_BUILT: dict[str, Path] = {}


def require_commands(*commands: str) -> None:
    """Skips where one is absent, but fails where the build server must have it."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing and os.environ.get("BABYCRY_REQUIRE_CROSS"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def bundle_for(target: str, factory: pytest.TempPathFactory) -> Path:
    """The folder of the bundle for ``target``, with the bundled int8 model beside the program."""
    require_commands("cmake", "gcc" if target == "x86-64" else TARGETS[target].gcc)
    if target not in _BUILT:
        directory = factory.mktemp("bundles") / target
        build_bundle(target, directory, [Path(bundled("cry.tflite"))], compiler="gcc")
        _BUILT[target] = directory
    return _BUILT[target]
