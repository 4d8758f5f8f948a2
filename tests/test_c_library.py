"""The C library as firmware uses it: built, tested, installed and found without Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: What a freestanding compiler may call by itself (GCC manual, "Standards"), its arithmetic
#: helpers, and the processor model that x86 dispatch reads.
ALLOWED_SYMBOLS = re.compile(
    r"memcpy|memset|memmove|memcmp|_GLOBAL_OFFSET_TABLE_|__aeabi_\w+|__cpu_model|__stack_chk_\w+"
)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Runs a command; its output, or a failure that shows it."""
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd=cwd, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prefix with the C library installed, its tests run before."""
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    build = tmp_path_factory.mktemp("build")
    prefix = tmp_path_factory.mktemp("prefix")
    run("cmake", "-S", ROOT, "-B", build, "-DBABYCRY_TESTS=ON", "-DBABYCRY_WERROR=ON")
    run("cmake", "--build", build)
    run("ctest", "--test-dir", build, "--output-on-failure")
    run("cmake", "--install", build, "--prefix", prefix)
    return prefix


def readme_c_example() -> str:
    """The C example of the README."""
    blocks = re.findall(r"```c\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def test_readme_c_example_builds_with_find_package_and_runs(
    installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "example.c").write_text(readme_c_example())
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(example C)\n"
        "find_package(babycry 0.1 REQUIRED)\n"
        "add_executable(example example.c)\n"
        "target_link_libraries(example PRIVATE babycry::babycry)\n"
    )
    build = tmp_path / "build"
    run("cmake", "-S", tmp_path, "-B", build, f"-DCMAKE_PREFIX_PATH={installed}")
    run("cmake", "--build", build)
    assert "frame" in run(build / "example")


def test_readme_c_example_builds_with_pkg_config(installed: Path, tmp_path: Path) -> None:
    if shutil.which("pkg-config") is None:
        pytest.skip("pkg-config is not installed")
    (tmp_path / "example.c").write_text(readme_c_example())
    package = next(installed.rglob("babycry.pc"))
    environment = os.environ | {"PKG_CONFIG_PATH": str(package.parent)}
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "babycry"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    run("cc", "-Wall", "-Wextra", "-Werror", "example.c", "-o", "example", *flags, cwd=tmp_path)
    assert "frame" in run(tmp_path / "example")


def test_library_calls_no_allocator_and_no_mathematics(installed: Path) -> None:
    library = next(installed.rglob("libbabycry.a"))
    undefined = set(re.findall(r" U (\S+)", run("nm", "-u", library)))
    foreign = {name for name in undefined if not name.startswith("bc_")}
    assert {name for name in foreign if not ALLOWED_SYMBOLS.fullmatch(name)} == set()


def test_library_has_no_writable_data(installed: Path) -> None:
    library = next(installed.rglob("libbabycry.a"))
    symbols = re.findall(r"^\S+ ([BbDdGgSs]) (\S+)$", run("nm", library), flags=re.MULTILINE)
    relocated = {"candidates", "profiles"}  # const tables that hold addresses
    assert [name for kind, name in symbols if name not in relocated] == []


def test_public_headers_compile_as_c11_and_as_cpp(tmp_path: Path) -> None:
    for header in sorted((ROOT / "csrc/include/babycry").glob("*.h")):
        for compiler, language in (("cc", "c"), ("c++", "c++")):
            if shutil.which(compiler) is None:
                continue
            source = tmp_path / "header.c"
            source.write_text(f"#include <babycry/{header.name}>\n")
            run(
                compiler,
                "-x",
                language,
                "-fsyntax-only",
                "-Wall",
                "-Wextra",
                "-Werror",
                f"-I{ROOT}/csrc/include",
                source,
            )
