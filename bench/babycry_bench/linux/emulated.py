"""The static bench program under qemu: bits checked, instructions counted, no time at all.

The program makes calls between marks (``bench_mark`` in ``csrc/ports/bench/bench_clock.c``); qemu
counts instructions with the plugin ``csrc/ports/count_instructions.c``, which notes the count at
every mark. The instructions of a call are exact and the same in every run; some fifteen of them
belong to the mark and the call itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_bench.ingest import parse
from babycry_bench.instructions import build_plugin
from babycry_bench.linux.build import Compiler, build_bundle
from babycry_bench.linux.bundle import PROGRAM, read_bundle
from babycry_bench.linux.c_sources import c_sources
from babycry_bench.run_tool import last_words, require_tool, run_tool
from babycry_bench.schema.validate import check
from babycry_bench.targets import TargetError
from babycry_bench.timing.stage_record import stage_record
from babycry_edge.errors import BabycryError

CLOCK = "instructions (emulated)"
WARMUP = 2  # calls; tables and caches of the program's own, and qemu's translation of its code

_MARK = "bench_mark"
_TIME_LIMIT_S = 600


@dataclass(frozen=True)
class EmulatedLinux:
    """A processor core, and what stands in for it.

    Attributes:
        name: of the core, as ``--emulate`` has it.
        build: name in :data:`babycry_bench.linux.build.TARGETS`.
        emulator: qemu's command.
        core: qemu's name of the core.
    """

    name: str
    build: str
    emulator: str
    core: str


MACHINES = {
    machine.name: machine
    for machine in (
        EmulatedLinux("aarch64-a53", "aarch64", "qemu-aarch64", "cortex-a53"),
        EmulatedLinux("aarch64-a76", "aarch64", "qemu-aarch64", "cortex-a76"),
        EmulatedLinux("armv7-a7", "armv7", "qemu-arm", "cortex-a7"),
        EmulatedLinux("riscv64", "riscv64", "qemu-riscv64", "rv64"),
    )
}


def run_static(
    name: str,
    bundle: Path | None = None,
    *,
    target: str | None = None,
    arguments: Sequence[str] = (),
    compiler: Compiler | None = None,
) -> dict[str, Any]:
    """Runs the bench program on an emulated core.

    Args:
        name: in :data:`MACHINES`.
        bundle: folder that ``build_bundle`` made for this family; None builds it for this run.
        target: what the record calls the machine; None for ``name`` with "-static" behind it.
        arguments: more options of the program, say ``--stage=frontend_hop``.
        compiler: as in ``build_bundle``.

    Returns:
        A record whose stages are counts of instructions: nothing in it is time.

    Raises:
        BabycryError: an unknown name, no qemu or compiler, a bundle of another family, or a program
            that failed.
    """
    machine = _machine_named(name)
    require_tool(machine.emulator, "qemu-user")
    require_tool("gcc", "gcc")
    with tempfile.TemporaryDirectory(prefix="babycry-bench-") as made:
        folder = Path(made)
        if bundle is None:
            bundle = folder / "bundle"
            build_bundle(machine.build, bundle, compiler=compiler)
        elif (built := read_bundle(bundle).target) != machine.build:
            raise BabycryError(
                f"{bundle} is for {built}, {name} is {machine.build}: "
                f"babycry-edge bench --build {machine.build} -o DIR"
            )
        try:
            plugin = build_plugin(c_sources(), folder)
        except TargetError as error:
            raise BabycryError(" ".join(str(error).split())) from None
        options = [f"--target={target or f'{name}-static'}", *arguments]
        record, stages = _run(machine, bundle.resolve(), plugin, options, folder)
    record["stages"] = stages
    record["machine"]["emulator"] = _emulator(machine)
    record["machine"]["cpu"] = machine.core
    return check(record, name)


def _machine_named(name: str) -> EmulatedLinux:
    if name not in MACHINES:
        raise BabycryError(f"{name}: no such emulated machine: choose from {', '.join(MACHINES)}")
    return MACHINES[name]


def _emulator(machine: EmulatedLinux) -> str:
    said = run_tool("its version", [machine.emulator, "--version"], limit_s=60)
    return f"{said.splitlines()[0]}, -cpu {machine.core}"


def _run(
    machine: EmulatedLinux, bundle: Path, plugin: Path, options: list[str], folder: Path
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record as the program wrote it, without stages, and the stages as qemu counted them."""
    written, calls, log = folder / "record.json", folder / "calls", folder / "instructions.log"
    counting = ["-plugin", f"{plugin},mark={_MARK}", "-d", "plugin", "-D", str(log)]
    command = [
        *(machine.emulator, "-cpu", machine.core, *counting),
        *(str(bundle / PROGRAM), "--clock=instructions", f"--warmup={WARMUP}"),
        *(f"--json={written}", f"--calls={calls}", *options),
    ]
    said = run_tool(machine.name, command, limit_s=_TIME_LIMIT_S, any_status=True)
    if not written.is_file() or not calls.is_file() or not log.is_file():
        raise BabycryError(f"{machine.name}: {PROGRAM} wrote no record: {last_words(said)}")
    return parse(written.read_bytes(), machine.name), counted_stages(
        log.read_text(encoding="utf-8"), calls.read_text(encoding="utf-8"), machine.name
    )


def counted_stages(log: str, calls: str, source: str) -> list[dict[str, Any]]:
    """Stage records out of the plugin's log and the program's list of calls.

    Args:
        log: a line "mark COUNT" before and after each call, among others.
        calls: a line for each call: stage, profile, model, seconds of audio, nothing; by tabs.
        source: for the message.

    Raises:
        BabycryError: the two do not belong together.
    """
    marks = [int(line[5:]) for line in log.splitlines() if line.startswith("mark ")]
    rows = [line.split("\t") for line in calls.splitlines()]
    if len(marks) != 2 * len(rows):
        raise BabycryError(
            f"{source}: {len(marks)} marks for {len(rows)} calls: is the program stripped?"
        )
    stages: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}
    for index, (*key, audio_s, _) in enumerate(rows):
        counts, audio = stages.setdefault(tuple(key), ([], []))
        counts.append(marks[2 * index + 1] - marks[2 * index])
        audio.append(float(audio_s))
    return [
        stage_record(
            counts,
            clock=CLOCK,
            stage=stage,
            profile=profile or None,
            model=model or None,
            audio_s=audio,
            warmup=WARMUP,
        )
        for (stage, profile, model), (counts, audio) in stages.items()
    ]
