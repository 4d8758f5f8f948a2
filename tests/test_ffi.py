"""The checked-in cffi binding, and what importing the package costs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cffi
import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_checked_in_binding_is_fresh(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, ROOT / "babycry_edge/_ffi_build.py", tmp_path],
        check=True,
        capture_output=True,
    )
    message = f"run python babycry_edge/_ffi_build.py (this is cffi {cffi.__version__})"
    for name in ("_ffi.c", "_ffi_abi.py"):
        fresh, checked_in = tmp_path / name, ROOT / "babycry_edge" / name
        assert fresh.read_text() == checked_in.read_text(), message


def test_extension_uses_the_stable_abi() -> None:
    _ffi = pytest.importorskip("babycry_edge._ffi", reason="built without Python's headers")
    assert str(_ffi.__file__).endswith(".abi3.so")


def test_package_built_without_python_headers_gives_the_same_bits(tmp_path: Path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    options = ["-DSKBUILD=ON", "-DBABYCRY_API_MODE=OFF", f"-DPython_EXECUTABLE={sys.executable}"]
    for command in (
        ["cmake", "-S", str(ROOT), "-B", str(tmp_path / "build"), *options],
        ["cmake", "--build", str(tmp_path / "build")],
        ["cmake", "--install", str(tmp_path / "build"), "--prefix", str(tmp_path)],
    ):
        subprocess.run(command, check=True, capture_output=True)
    for source in (ROOT / "babycry_edge").glob("*.py"):
        shutil.copy(source, tmp_path / "babycry_edge")
    code = (
        "import hashlib, numpy; from babycry_edge import Frontend, binding; "
        "print(binding.__file__); "
        "audio = numpy.random.default_rng(1).normal(0, 9e3, 16000).astype(numpy.int16); "
        "print(hashlib.sha256(Frontend.from_profile('yamnet')(audio, 16000)).hexdigest())"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.splitlines()
        for folder in (tmp_path, tmp_path / "build")
    ]
    assert (tmp_path / "babycry_edge/_libbabycry.so").is_file()
    assert outputs[0][0] != outputs[1][0]  # this build, and the installed package
    assert outputs[0][1] == outputs[1][1]


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
