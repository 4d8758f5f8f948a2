"""``babycry-edge bench --build``: the bench as one static program, for a board without Python.

The sources are compiled by CMake with zig (musl) or with Debian's cross compiler. Clips and what
they must give are inside the program; models lie beside it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from babycry_bench.linux.bundle import MANIFEST, PROGRAM, Bundle
from babycry_bench.linux.c_sources import c_sources, git_commit
from babycry_bench.linux.data import BesideModel, read_model, write_data
from babycry_bench.run_tool import run_tool
from babycry_edge.errors import BabycryError
from babycry_edge.whole_file import write_whole

Compiler = Literal["zig", "gcc"]

_TIME_LIMIT_S = 900  # zig compiles musl the first time
_README = "README.txt"


@dataclass(frozen=True)
class BuildTarget:
    """A family of Linux machines.

    Attributes:
        name: as the command line has it.
        machines: what ``uname -m`` says on those that can run the program, its own name first.
        zig: zig's target.
        gcc: Debian's compiler.
        toolchain: its file in ``csrc/toolchains``; empty for a compiler of this machine itself.
        packages: Debian's, of that compiler.
    """

    name: str
    machines: tuple[str, ...]
    zig: str
    gcc: str
    toolchain: str
    packages: str


TARGETS = {
    target.name: target
    for target in (
        BuildTarget(
            "aarch64",
            ("aarch64", "arm64"),
            "aarch64-linux-musl",
            "aarch64-linux-gnu-gcc",
            "aarch64-linux-gnu",
            "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        ),
        BuildTarget(
            "armv7",
            ("armv7l", "armv8l", "aarch64"),
            "arm-linux-musleabihf",
            "arm-linux-gnueabihf-gcc",
            "arm-linux-gnueabihf",
            "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
        ),
        BuildTarget(
            "riscv64",
            ("riscv64",),
            "riscv64-linux-musl",
            "riscv64-linux-gnu-gcc",
            "riscv64-linux-gnu",
            "gcc-riscv64-linux-gnu libc6-dev-riscv64-cross",
        ),
        BuildTarget(
            "x86-64",
            ("x86_64", "amd64"),
            "x86_64-linux-musl",
            "x86_64-linux-gnu-gcc",
            "",
            "gcc-x86-64-linux-gnu libc6-dev-amd64-cross",
        ),
    )
}


def target_named(name: str) -> BuildTarget:
    """The target of that name.

    Raises:
        BabycryError: there is none.
    """
    if name not in TARGETS:
        raise BabycryError(f"--build {name}: unknown: choose from {', '.join(TARGETS)}")
    return TARGETS[name]


def target_for_machine(machine: str) -> BuildTarget | None:
    """The target whose programs are a machine's own, by what ``uname -m`` says there."""
    own = (target for target in TARGETS.values() if machine in target.machines)
    return next(own, None)


def build_bundle(
    target: str,
    directory: Path,
    models: Sequence[Path] = (),
    *,
    compiler: Compiler | None = None,
    source: Path | None = None,
    options: Sequence[str] = (),
) -> Path:
    """Builds the program for ``target`` and puts it into ``directory`` with all it needs.

    Args:
        target: a name in :data:`TARGETS`.
        directory: new or empty, or an earlier bundle, which is replaced.
        models: files that lie beside the program.
        compiler: None for zig where it is installed, else gcc.
        source: folder of the C sources; None for those of this installation.
        options: more of CMake's.

    Returns:
        The program, ``babycry-bench`` in ``directory``; beside it the models, ``README.txt`` and
        ``bundle.json``.

    Raises:
        BabycryError: an unknown target, a folder with something else in it, no compiler, a model
            that cannot be read, a build that failed, a full disk.
    """
    wanted = target_named(target)
    _check_directory(directory)
    beside = _read_models(models)
    source = c_sources() if source is None else source
    chosen = _chosen_compiler(wanted, compiler)
    commit = git_commit(source)
    with tempfile.TemporaryDirectory(prefix="babycry-bench-") as name:
        folder = Path(name)
        data = folder / "data"
        data.mkdir()
        write_data(data, beside)
        settings = [
            f"-DBABYCRY_BENCH_DATA={data}",
            f"-DBABYCRY_BENCH_TARGET={target}",
            f"-DBABYCRY_BENCH_COMMIT={commit or ''}",
            *_toolchain_options(wanted, chosen, source),
            *options,
        ]
        program = _compile(wanted, source, folder / "build", settings)
    files = {PROGRAM: program, **{model.name: model.content for model in beside}}
    files[_README] = _readme(wanted, beside).encode()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    bundle = Bundle(target, _compiler_version(wanted, chosen), commit, hashes)
    return _write(directory, files, bundle)


def _check_directory(directory: Path) -> None:
    """What is there and is not a bundle must not be overwritten."""
    if not directory.exists():
        if not directory.parent.is_dir():
            raise BabycryError(
                f"{directory}: the folder {directory.parent} does not exist: make it"
            )
        return
    if not directory.is_dir():
        raise BabycryError(f"{directory}: a file is in the way: choose another name")
    if any(directory.iterdir()) and not (directory / MANIFEST).is_file():
        raise BabycryError(f"{directory}: not empty, and no bundle: choose a new folder")


def _read_models(paths: Sequence[Path]) -> list[BesideModel]:
    models = [read_model(path) for path in paths]
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1 or name in (PROGRAM, _README, MANIFEST):
            raise BabycryError(f"{name}: two files of a bundle would have this name: rename one")
    return models


def _chosen_compiler(target: BuildTarget, compiler: Compiler | None) -> Compiler:
    have_zig = importlib.util.find_spec("ziglang") is not None
    have_gcc = shutil.which(_gcc(target)) is not None
    if have_zig and compiler in (None, "zig"):
        return "zig"
    if have_gcc and compiler in (None, "gcc"):
        return "gcc"
    mends = {"zig": "pip install ziglang", "gcc": f"apt-get install {target.packages}"}
    mend = mends[compiler] if compiler else ", or ".join(mends.values())
    raise BabycryError(f"no compiler for {target.name} here: {mend}")


def _gcc(target: BuildTarget) -> str:
    """The compiler's command: of this machine's own family also plain ``gcc``."""
    is_own = platform.machine() in target.machines[:1]
    return "gcc" if is_own and shutil.which(target.gcc) is None else target.gcc


def _toolchain_options(target: BuildTarget, compiler: Compiler, source: Path) -> list[str]:
    toolchains = source / "csrc/toolchains"
    if compiler == "zig":
        return [
            f"-DCMAKE_TOOLCHAIN_FILE={toolchains / 'zig.cmake'}",
            f"-DBABYCRY_PYTHON={sys.executable}",
            f"-DBABYCRY_ZIG_TARGET={target.zig}",
        ]
    if target.toolchain and _gcc(target) == target.gcc:
        return [f"-DCMAKE_TOOLCHAIN_FILE={toolchains / target.toolchain}.cmake"]
    return [f"-DCMAKE_C_COMPILER={_gcc(target)}", "-DBABYCRY_PORT_LINK_FLAGS=-static"]


def _compile(target: BuildTarget, source: Path, folder: Path, settings: Sequence[str]) -> bytes:
    cmake = _cmake()
    configure = [cmake, "-S", str(source), "-B", str(folder), "-DBABYCRY_PORTS=ON", *settings]
    _checked(target, configure)
    _checked(target, [cmake, "--build", str(folder), "--target", PROGRAM, "--parallel", "2"])
    return (folder / "csrc/ports/bench" / PROGRAM).read_bytes()


def _cmake() -> str:
    """CMake's command: on the path, or beside this Python."""
    beside = Path(sys.executable).with_name("cmake")
    found = shutil.which("cmake") or (str(beside) if beside.is_file() else None)
    if found is None:
        raise BabycryError("cmake is not installed: pip install cmake, or apt-get install cmake")
    return found


def _checked(target: BuildTarget, command: Sequence[str]) -> str:
    return run_tool(f"the build for {target.name}", command, limit_s=_TIME_LIMIT_S)


def _compiler_version(target: BuildTarget, compiler: Compiler) -> str:
    if compiler == "zig":
        version = _checked(target, [sys.executable, "-m", "ziglang", "version"]).strip()
        return f"zig {version} ({target.zig})"
    return _checked(target, [_gcc(target), "--version"]).splitlines()[0]


def _readme(target: BuildTarget, models: Sequence[BesideModel]) -> str:
    listed = "".join(f"  {model.name}\n" for model in models)
    beside = f"\nModels, for programs that can run them:\n{listed}" if models else ""
    return f"""\
babycry-bench for {target.name} ({", ".join(target.machines)}), Linux.

Copy this folder to the board, and there:

  ./babycry-bench --json=record.json

It takes half a minute (--quick: a few seconds), needs nothing else, and ends with 0 when every bit
is what it must be. Then, where babycry-edge is installed:

  babycry-edge bench --ingest record.json

Both in one step, over ssh: babycry-edge bench --ssh HOST. More: ./babycry-bench --help
{beside}
The clips inside are of the donate-a-cry corpus (ODbL 1.0, contents DbCL 1.0), and made-up noises.
"""


def _write(directory: Path, files: dict[str, bytes], bundle: Bundle) -> Path:
    """The manifest last: a folder without it is no bundle."""
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise BabycryError(f"{directory}: cannot be made: {error.strerror}") from None
    (directory / MANIFEST).unlink(missing_ok=True)
    for name, content in files.items():
        write_whole(directory / name, content)
    (directory / PROGRAM).chmod(0o755)
    write_whole(directory / MANIFEST, bundle.to_json())
    return directory / PROGRAM
