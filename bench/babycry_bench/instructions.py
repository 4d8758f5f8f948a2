"""Instructions that a frame of features costs on each target, counted exactly under emulation.

``python -m babycry_bench.instructions -o FILE.json`` in the source tree builds the programs
``csrc/ports/count_*.c`` for every target and runs each twice with different numbers of frames; the
difference over the difference is the steady cost of one frame. qemu counts with the plugin
``csrc/ports/count_instructions.c``; for WebAssembly the count is wasmtime's fuel. Instructions are
not cycles: they compare code on one core, not cores with each other.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from babycry_bench.clips import load_clips
from babycry_bench.targets import (
    TARGETS,
    Target,
    TargetError,
    build,
    compiler_flags,
    compiler_version,
    emulator_version,
    missing_tools,
    run,
)

SCHEMA_VERSION = 1
CLIP = "cry_hungry_1"  # the samples: emulated floats take as long as their values ask
FEW, MANY = 20, 100  # frames of the two runs
LEAST_SHARE = 0.005  # of a frame, for a symbol to be listed


@dataclass(frozen=True)
class Program:
    """A program ``csrc/ports/NAME.c`` that streams ``--frames=N`` of log-mel 512/160/64.

    Attributes:
        kernel: CMake's object library with the code that is counted.
        targets: where it is counted.
    """

    name: str
    kernel: str
    targets: tuple[str, ...]


_FLOAT = ("cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m33", "cortex-m55", "a53-neon")
_ANYWHERE = ("rv32imafc", "wasm32")
PROGRAMS = (
    Program("count_frames", "babycry_frames_scalar", (*_FLOAT, *_ANYWHERE)),
    Program("count_integer", "babycry_objects", ("cortex-m0", *_FLOAT, *_ANYWHERE)),
)

# The most instructions that a frame may take. Beside them what CMSIS-DSP takes, measured in the
# same way: -O3 -ffast-math, with FMA and without a promise about the bits.
BARS = {
    ("count_frames", "cortex-m4f"): 34_000,  # CMSIS-DSP 39,000
    ("count_frames", "cortex-m55"): 13_500,  # CMSIS-DSP 11,400
    ("count_integer", "cortex-m3"): 65_000,  # CMSIS-DSP 62,000, q31 and without the mel bands
    ("count_integer", "cortex-m4f"): 45_000,
}


@dataclass(frozen=True)
class Count:
    """One row of the table.

    Attributes:
        program: of csrc/ports, without ``.c``.
        target: name in :data:`babycry_bench.targets.TARGETS`.
        compiler: what it calls itself.
        flags: with which the kernel was compiled.
        emulator: what counted.
        instructions_per_frame: in the steady state.
        symbols: the same by symbol of the ELF file, callees not included; the largest ones.
        instructions_before: of start-up, reading the samples and bc_frontend_init.
        bar: the most that instructions_per_frame may be, or None.
    """

    program: str
    target: str
    compiler: str
    flags: str
    emulator: str
    instructions_per_frame: float
    symbols: dict[str, float]
    instructions_before: int
    bar: int | None

    @property
    def passed(self) -> bool:
        return self.bar is None or self.instructions_per_frame <= self.bar


def build_plugin(source: Path, folder: Path) -> Path:
    """Compiles the counting plugin for this machine.

    Raises:
        TargetError: the compiler failed.
    """
    plugin = folder / "count_instructions.so"
    file = source / "csrc/ports/count_instructions.c"
    command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(plugin), str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise TargetError(f"{file}: {result.stderr.strip()}")
    return plugin


def count_symbols(
    target: Target, program: Path, arguments: list[str], folder: Path, plugin: Path
) -> dict[str, int]:
    """Instructions executed by symbol; ``total`` is their sum. Of WebAssembly only the total.

    Raises:
        TargetError: the program failed.
    """
    if target.toolchain == "wasm32":
        from babycry_bench.wasm import run_module

        return {"total": run_module(program, arguments, folder).instructions}
    log = folder / "instructions.log"
    run(
        target,
        program,
        arguments,
        folder,
        ("-plugin", str(plugin), "-d", "plugin", "-D", str(log)),
    )
    lines = (line.rsplit(maxsplit=1) for line in log.read_text(encoding="utf-8").splitlines())
    return {symbol: int(count) for symbol, count in lines}


def count(
    program: Program, target: Target, source: Path, build_folder: Path, plugin: Path, folder: Path
) -> Count | None:
    """Builds and counts one program on one target; ``folder`` holds the samples.

    Returns:
        None where the source tree does not have what the program measures.

    Raises:
        TargetError: the build or a run failed.
    """
    directory = build_folder / target.toolchain
    binary = build(target, source, directory) / program.name
    if not binary.exists():
        return None

    def symbols_of(n_frames: int) -> dict[str, int]:
        arguments = [f"--frames={n_frames}", f"{CLIP}.s16"]
        return count_symbols(target, binary, arguments, folder, plugin)

    few, many = symbols_of(FEW), symbols_of(MANY)
    frame = {name: (many[name] - few.get(name, 0)) / (MANY - FEW) for name in many}
    total = frame.pop("total")
    largest = sorted(frame.items(), key=lambda item: -item[1])
    return Count(
        program=program.name,
        target=target.name,
        compiler=compiler_version(target),
        flags=compiler_flags(directory, program.kernel),
        emulator=emulator_version(target),
        instructions_per_frame=total,
        symbols={name: value for name, value in largest if value > LEAST_SHARE * total},
        instructions_before=round(few["total"] - FEW * total),
        bar=BARS.get((program.name, target.name)),
    )


def write_samples(folder: Path) -> None:
    """The clip as raw int16 PCM, as the programs read it."""
    (clip,) = (clip for clip in load_clips() if clip.name == CLIP)
    seconds = clip.samples[: 2 * clip.sample_rate].astype("<i2")
    (folder / f"{CLIP}.s16").write_bytes(seconds.tobytes())


def count_all(source: Path, wanted: list[str]) -> Iterator[Count]:
    """Every program on every target of ``wanted`` (empty: all) whose tools are there."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        plugin = build_plugin(source, folder)
        write_samples(folder)
        for program in PROGRAMS:
            for target in (TARGETS[name] for name in program.targets):
                if wanted and target.name not in wanted:
                    continue
                if missing := missing_tools(target):
                    print(f"{target.name}: not installed: {', '.join(missing)}", file=sys.stderr)
                    continue
                row = count(program, target, source, folder / "build", plugin, folder)
                if row is not None:
                    yield row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    parser.add_argument("--source", type=Path, default=Path.cwd(), help="the source tree")
    parser.add_argument("--gate", action="store_true", help="end with 1 where a bar is exceeded")
    arguments = parser.parse_args()
    counts = []
    for row in count_all(arguments.source.resolve(), arguments.targets):
        bar = f"   bar {row.bar:,}" if row.bar is not None else ""
        print(f"{row.program:14} {row.target:12} {row.instructions_per_frame:12,.1f}{bar}")
        counts.append(row)
    if arguments.output is not None:
        document = {
            "schema_version": SCHEMA_VERSION,
            "what": "instructions per frame of streaming log-mel 512/160/64, a hop at a time",
            "clip": CLIP,
            "frames": [FEW, MANY],
            "counts": [asdict(row) for row in counts],
        }
        arguments.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return int(arguments.gate and not all(row.passed for row in counts))


if __name__ == "__main__":
    sys.exit(main())
