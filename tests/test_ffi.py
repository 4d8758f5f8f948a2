"""The checked-in cffi binding, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cffi
import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_checked_in_binding_is_fresh(tmp_path: Path) -> None:
    fresh = tmp_path / "_ffi.c"
    subprocess.run(
        [sys.executable, ROOT / "babycry_edge/_ffi_build.py", fresh],
        check=True,
        capture_output=True,
    )
    message = f"run python babycry_edge/_ffi_build.py (this is cffi {cffi.__version__})"
    assert fresh.read_text() == (ROOT / "babycry_edge/_ffi.c").read_text(), message


def test_extension_uses_the_stable_abi() -> None:
    from babycry_edge import _ffi

    assert str(_ffi.__file__).endswith(".abi3.so")


@pytest.mark.parametrize("name", ["librosa", "torch", "onnx", "onnxruntime", "scipy", "soundfile"])
def test_importing_the_package_loads_no_heavy_library(name: str, tmp_path: Path) -> None:
    code = (
        "import sys, babycry_edge; from babycry_edge import Frontend; "
        "Frontend.from_profile('librosa'); "
        f"sys.exit({name!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False)
    assert done.returncode == 0


def test_source_tree_says_that_it_is_not_the_installed_package() -> None:
    if list((ROOT / "babycry_edge").glob("_ffi*.so")):
        pytest.skip("an extension was built in place")
    code = "from babycry_edge import Frontend"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "this is the source tree, not the installed package" in done.stderr
