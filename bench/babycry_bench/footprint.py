"""RAM, flash and stack of each front-end profile on each target, from real cross builds.

``python -m babycry_bench.footprint -o FILE.json`` in the source tree builds the smallest program
that runs a profile (``csrc/ports/footprint.c``) with a static array of exactly the RAM that
bc_frontend_ram_size asks for, reads its sections with ``size -A``, and runs it under qemu on one
second of a cry with a painted stack. What start-up, semihosting and printing take is subtracted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

from babycry_bench.clips import load_clips
from babycry_bench.targets import (
    TARGETS,
    Target,
    TargetError,
    build,
    compiler_flags,
    compiler_version,
    missing_tools,
    run,
)
from babycry_edge.config import FrontendConfig, profile_names
from babycry_edge.errors import BabycryError
from babycry_edge.export import frontend_tables, integer_tables, write_tables

SCHEMA_VERSION = 1
CLIP = "cry_hungry_1"
CLIP_SAMPLES = 16000
LOG_MEL = "log-mel 512/160/64"  # not a profile: librosa's, with these three changed
FRONT_ENDS = {  # csrc/ports/footprint_NAME.c, and where it is measured
    "float": ("cortex-m3", "cortex-m4f", "cortex-m55", "rv32imafc"),
    "integer": ("cortex-m0", "cortex-m3", "cortex-m4f", "rv32imafc"),
    "tflm": ("cortex-m0", "cortex-m3", "cortex-m4f", "rv32imafc"),
}
HEADERS = {"float": "frontend.h", "integer": "integer.h", "tflm": "tflm.h"}
TABLES_NAME = "frontend_tables"  # what csrc/ports/footprint_*.c include
DOES_NOT_FIT = "do not fit"  # the linker scripts' words
CODE_SECTIONS = (".text", ".ARM.exidx")
CONSTANT_SECTIONS = (".rodata", ".data")
RAM_SECTIONS = (".data", ".bss")

# The most RAM that streaming LOG_MEL may take beside its output, in bytes: with tables in flash.
RAM_BARS = {"float": 8 * 1024, "integer": 5 * 1024}


@dataclass(frozen=True)
class Footprint:
    """One profile on one target; sizes in bytes.

    Attributes:
        front_end: "float", "integer" or "tflm".
        profile: its name, or :data:`LOG_MEL`.
        target: name in :data:`babycry_bench.targets.TARGETS`.
        tables: where they lie, "ram" or "flash".
        code: flash of the library's code that this profile's program links, with the compiler's
            helpers.
        constants: flash of the library's constants.
        ram_size: what the library asks for: working memory, and tables where they lie in RAM.
        frontend_size: of the structures beside it.
        static_ram: .data and .bss that the front-end adds to an empty program.
        stack_init: the deepest stack of the front-end's start.
        stack: the deepest stack of the features themselves; both with the program's own frames.
        takes_what_it_asks: it accepts exactly ram_size.
        refuses_one_byte_less: and nothing smaller.
        macro_agrees: the constant for a static array, in the tables' header, is the same.
        rows: features that came out of the clip.
    """

    front_end: str
    profile: str
    target: str
    tables: str
    code: int
    constants: int
    ram_size: int
    frontend_size: int
    static_ram: int
    stack_init: int
    stack: int
    takes_what_it_asks: bool
    refuses_one_byte_less: bool
    macro_agrees: bool
    rows: int

    @property
    def ram_in_use(self) -> int:
        """All RAM of a running stream beside its input and output."""
        return self.static_ram + self.stack

    @property
    def passed(self) -> bool:
        """RAM as the library says, and no more than the bar."""
        barred = self.profile == LOG_MEL and self.tables == "flash"
        over = barred and self.ram_in_use > RAM_BARS[self.front_end]
        return self.ram_is_as_the_library_says and not over

    @property
    def ram_is_as_the_library_says(self) -> bool:
        """The array and the struct are all the static RAM there is, up to their alignment."""
        surplus = self.static_ram - self.ram_size - self.frontend_size
        answers = (self.takes_what_it_asks, self.refuses_one_byte_less, self.macro_agrees)
        return all(answers) and 0 <= surplus < 32


def section_sizes(program: Path, size_command: str) -> dict[str, int]:
    """Bytes of each section of an ELF file, as ``size -A`` lists them."""
    command = [size_command, "-A", str(program)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    fields = (line.split() for line in lines)
    return {row[0]: int(row[1]) for row in fields if len(row) == 3 and row[1].isdigit()}


@dataclass(frozen=True)
class Bench:
    """The source tree, and a folder for builds and samples."""

    source: Path
    folder: Path

    def directory(self, target: Target) -> Path:
        return self.folder / target.toolchain


def config_of(profile: str) -> FrontendConfig:
    """A profile's configuration, or that of :data:`LOG_MEL`."""
    if profile != LOG_MEL:
        return FrontendConfig.from_profile(profile)
    return FrontendConfig.from_profile(
        "librosa", n_fft=512, win_length=512, hop_length=160, n_mels=64
    )


def write_footprint_tables(front_end: str, profile: str, folder: Path) -> bool:
    """Writes the profile's tables as C source; False where the front-end does not take it."""
    config = config_of(profile)
    if (front_end == "tflm") != (config.compression == "tflm"):
        return False
    try:
        tables = integer_tables(config) if front_end == "integer" else frontend_tables(config)
    except BabycryError:
        return False
    write_tables(tables, config, TABLES_NAME, folder)
    return True


def measure(
    bench: Bench, front_end: str, profile: str, target: Target, tables: str
) -> Footprint | None:
    """Builds and runs one profile's program, with its tables in "ram" or in "flash".

    Returns:
        None where the front-end does not take the profile.

    Raises:
        TargetError: a build or a run failed; also where the program does not fit the board.
    """
    if front_end == "tflm" and tables == "ram":
        return None  # as a profile of the float front-end it has them there
    folder = bench.folder / "tables" if tables == "flash" else None
    if folder is not None and not write_footprint_tables(front_end, profile, folder):
        return None
    name = "" if profile == LOG_MEL else profile

    def built(ram_size: int) -> Path:
        return build(
            target,
            bench.source,
            bench.directory(target),
            f"-DBABYCRY_FOOTPRINT={front_end}:{name}:{ram_size}",
            f"-DBABYCRY_FOOTPRINT_TABLES={folder or ''}",
        )

    def report(programs: Path) -> dict[str, int]:
        lines = run(target, programs / "footprint", [f"{CLIP}.s16"], bench.folder).splitlines()
        return {key: int(value) for key, value in map(str.split, lines)}

    ram_size = report(built(1))["ram_size"]
    if ram_size == 0:
        return None
    programs = built(ram_size)
    said = report(programs)
    size_command = target.tools[1].removesuffix("gcc") + "size"
    whole = section_sizes(programs / "footprint", size_command)
    empty = section_sizes(programs / "footprint_empty", size_command)

    def added(sections: tuple[str, ...]) -> int:
        return sum(whole.get(section, 0) - empty.get(section, 0) for section in sections)

    return Footprint(
        front_end=front_end,
        profile=profile,
        target=target.name,
        tables=tables,
        code=added(CODE_SECTIONS),
        constants=added(CONSTANT_SECTIONS),
        ram_size=ram_size,
        frontend_size=said["frontend_size"],
        static_ram=added(RAM_SECTIONS),
        stack_init=said["init_stack"],
        stack=said["run_stack"],
        takes_what_it_asks=bool(said["takes_what_it_asks"]),
        refuses_one_byte_less=bool(said["refuses_one_byte_less"]),
        macro_agrees=said["macro"] == ram_size,
        rows=said["rows"],
    )


def write_samples(folder: Path) -> None:
    """One second of the clip as raw int16 PCM, as the programs read it."""
    (clip,) = (clip for clip in load_clips() if clip.name == CLIP)
    (folder / f"{CLIP}.s16").write_bytes(clip.samples[:CLIP_SAMPLES].astype("<i2").tobytes())


def measure_all(bench: Bench, wanted: list[str]) -> Iterator[Footprint]:
    """Each profile on each target of ``wanted`` (empty: all) whose tools are there."""
    write_samples(bench.folder)
    for front_end, names in FRONT_ENDS.items():
        if not (bench.source / f"csrc/include/babycry/{HEADERS[front_end]}").exists():
            continue
        for target in (TARGETS[name] for name in names if not wanted or name in wanted):
            if missing := missing_tools(target):
                print(f"{target.name}: not installed: {', '.join(missing)}", file=sys.stderr)
                continue
            for profile, tables in product((LOG_MEL, *profile_names()), ("flash", "ram")):
                try:
                    row = measure(bench, front_end, profile, target, tables)
                except TargetError as error:
                    if DOES_NOT_FIT not in str(error):
                        raise
                    where = f"{target.name} with tables in {tables}"
                    print(f"{front_end} {profile} does not fit {where}", file=sys.stderr)
                    continue
                if row is not None:
                    yield row


def print_row(row: Footprint) -> None:
    print(
        f"{row.front_end:7} {row.profile:18} {row.target:10} {row.tables:6} {row.code:7} "
        f"{row.constants:9} {row.static_ram:7} {row.stack:6} {row.stack_init:7}"
        + ("" if row.ram_is_as_the_library_says else "   RAM is not what the library says")
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    parser.add_argument("--source", type=Path, default=Path.cwd(), help="the source tree")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(arguments.source.resolve(), Path(temporary))
        titles = ("bytes", "", "target", "tables", "code", "constants", "RAM", "stack", "of init")
        print("{:7} {:18} {:10} {:6} {:>7} {:>9} {:>7} {:>6} {:>7}".format(*titles))
        footprints = []
        for row in measure_all(bench, arguments.targets):
            print_row(row)
            footprints.append(row)
        builds = {
            name: {
                "compiler": compiler_version(TARGETS[name]),
                "flags": compiler_flags(bench.directory(TARGETS[name]), "babycry_objects"),
            }
            for name in sorted({row.target for row in footprints})
        }
    if arguments.output is not None:
        document = {
            "schema_version": SCHEMA_VERSION,
            "what": "bytes of flash, RAM and stack that each front-end adds to an empty program",
            "clip": CLIP,
            "clip_samples": CLIP_SAMPLES,
            "builds": builds,
            "footprints": [asdict(row) for row in footprints],
        }
        arguments.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return int(not all(row.passed for row in footprints))


if __name__ == "__main__":
    sys.exit(main())
