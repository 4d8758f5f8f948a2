"""The machines that the C library is checked and measured on: how each is built for and run.

Emulated ones run under qemu, WebAssembly under wasmtime. A target's programs are those of
``csrc/ports``; its compiler, flags and memories stand in ``csrc/toolchains/NAME.cmake``.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TIME_LIMIT_S = 600
_BOARD_CLIP_SAMPLES = 16000  # one second: it fits beside any features in 512 KiB
_BOARD_CONSOLE = ("-display", "none", "-monitor", "none", "-serial", "none")


class TargetError(RuntimeError):
    """A build or a run failed; the message carries what the tool said last."""


@dataclass(frozen=True)
class Target:
    """A processor and the machine that stands in for it.

    Attributes:
        name: what tables and tests call it.
        toolchain: file in ``csrc/toolchains`` without ``.cmake``; empty for this machine itself.
        emulator: command that runs it; empty for this machine and for WebAssembly.
        isa: instruction set of the library's kernels, "" for its own choice.
        clip_samples: how much of a clip is checked there, 0 for all.
        compiler: of this machine itself.
    """

    name: str
    toolchain: str = ""
    emulator: tuple[str, ...] = ()
    isa: str = ""
    clip_samples: int = 0
    compiler: str = "gcc"

    @property
    def is_board(self) -> bool:
        """A bare machine with semihosting, rather than a process."""
        return bool(self.emulator) and self.emulator[0].startswith("qemu-system")

    @property
    def tools(self) -> tuple[str, ...]:
        """Commands that must be installed."""
        return ("cmake", *_COMPILERS.get(self.toolchain, (self.compiler,)), *self.emulator[:1])


_COMPILERS = {
    "aarch64-linux-gnu": ("aarch64-linux-gnu-gcc",),
    "arm-linux-gnueabihf": ("arm-linux-gnueabihf-gcc",),
    "rv32imafc": ("riscv64-unknown-elf-gcc",),
    "rv64gc": ("riscv64-unknown-elf-gcc",),
    "wasm32": ("clang", "wasm-ld", "llvm-ar"),
    **{
        f"cortex-{core}": ("arm-none-eabi-gcc",) for core in ("m0", "m3", "m4f", "m7", "m33", "m55")
    },
}


def _linux(name: str, toolchain: str, emulator: str, cpu: str, isa: str) -> Target:
    return Target(name, toolchain, (emulator, "-cpu", cpu), isa)


def _board(name: str, toolchain: str, emulator: str, machine: str) -> Target:
    bios = ("-bios", "none") if machine == "virt" else ()
    return Target(
        name,
        toolchain,
        (emulator, "-M", machine, *bios, *_BOARD_CONSOLE),
        clip_samples=_BOARD_CLIP_SAMPLES,
    )


TARGETS = {
    target.name: target
    for target in (
        _linux("a53-neon", "aarch64-linux-gnu", "qemu-aarch64", "cortex-a53", "neon"),
        _linux("a76-neon", "aarch64-linux-gnu", "qemu-aarch64", "cortex-a76", "neon"),
        _linux("a53-scalar", "aarch64-linux-gnu", "qemu-aarch64", "cortex-a53", "scalar"),
        _linux("armv7", "arm-linux-gnueabihf", "qemu-arm", "cortex-a7", ""),
        _board("cortex-m0", "cortex-m0", "qemu-system-arm", "microbit"),
        _board("cortex-m3", "cortex-m3", "qemu-system-arm", "mps2-an385"),
        _board("cortex-m4f", "cortex-m4f", "qemu-system-arm", "mps2-an386"),
        _board("cortex-m7", "cortex-m7", "qemu-system-arm", "mps2-an500"),
        _board("cortex-m33", "cortex-m33", "qemu-system-arm", "mps2-an505"),
        _board("cortex-m55", "cortex-m55", "qemu-system-arm", "mps3-an547"),
        _board("rv32imafc", "rv32imafc", "qemu-system-riscv32", "virt"),
        _board("rv64gc", "rv64gc", "qemu-system-riscv64", "virt"),
        Target("wasm32", "wasm32", clip_samples=_BOARD_CLIP_SAMPLES),
    )
}


def missing_tools(target: Target) -> list[str]:
    """What this target needs and this machine lacks."""
    missing = [tool for tool in target.tools if shutil.which(tool) is None]
    if target.toolchain == "wasm32" and importlib.util.find_spec("wasmtime") is None:
        missing.append("wasmtime (from PyPI)")
    return missing


def build(target: Target, source: Path, directory: Path, *options: str, only: str = "") -> Path:
    """Builds library and programs out of the tree ``source``; returns the programs' folder.

    ``only``: this program alone.

    Raises:
        TargetError: CMake or the compiler failed.
    """
    where = (
        f"-DCMAKE_TOOLCHAIN_FILE={source / 'csrc/toolchains' / target.toolchain}.cmake"
        if target.toolchain
        else f"-DCMAKE_C_COMPILER={target.compiler}"
    )
    options = ("-DBABYCRY_PORTS=ON", "-DBABYCRY_WERROR=ON", where, *options)
    _checked(["cmake", "-S", str(source), "-B", str(directory), *options])
    which = ["--target", only] if only else []
    _checked(["cmake", "--build", str(directory), "-j2", *which])
    return directory / "csrc/ports"


def run(
    target: Target,
    program: Path,
    arguments: list[str],
    folder: Path,
    emulator_options: tuple[str, ...] = (),
) -> str:
    """Runs ``program`` in ``folder``, which relative names of files are looked up in.

    Returns:
        What it printed.

    Raises:
        TargetError: it ended with another status than 0.
    """
    if target.toolchain == "wasm32":
        from babycry_bench.wasm import run_module

        return run_module(program, arguments, folder).text
    command = [*target.emulator, *emulator_options, str(program), *arguments]
    if target.is_board:
        given = "".join(f",arg={argument}" for argument in (program.name, *arguments))
        command = [
            *target.emulator,
            *("-semihosting-config", f"enable=on,target=native{given}"),
            *emulator_options,
            *("-kernel", str(program)),
        ]
    return _checked(command, folder)


def compiler_version(target: Target) -> str:
    """First line of what the target's compiler says about itself."""
    return _checked([target.tools[1], "--version"]).splitlines()[0]


def emulator_version(target: Target) -> str:
    """What stands in for the processor, and its version; empty for this machine itself."""
    if target.toolchain == "wasm32":
        return f"wasmtime {importlib.metadata.version('wasmtime')}"
    if not target.emulator:
        return ""
    return _checked([target.emulator[0], "--version"]).splitlines()[0]


def compiler_flags(directory: Path, *libraries: str) -> str:
    """Compiler flags, as CMake wrote them, of the first of ``libraries`` that the build has."""
    for library in libraries:
        file = directory / f"CMakeFiles/{library}.dir/flags.make"
        if file.exists():
            found = re.search(r"^C_FLAGS = (.*)$", file.read_text(), re.MULTILINE)
            return found.group(1).strip() if found else ""
    return ""


def _checked(command: list[str], folder: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIME_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise TargetError(f"{command[0]}: {error}") from None
    if result.returncode != 0:
        last = "\n".join(result.stdout.strip().splitlines()[-15:])
        raise TargetError(f"{command[0]} ended with {result.returncode}: {last}")
    return result.stdout
