"""Counting instructions: exactly, repeatably, and no more of them than the committed table says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from babycry_bench.instructions import (
    BARS,
    PROGRAMS,
    Count,
    build_plugin,
    count,
    count_symbols,
    write_samples,
)
from babycry_bench.targets import TARGETS, compiler_version
from cross_tools import require_tools

ROOT = Path(__file__).resolve().parent.parent
COMMITTED = sorted((ROOT / "bench/results").glob("instructions-*.json"))[-1]
MARGIN = 1.01  # over the committed table

SPIN = """
__asm__(".globl spin\\n .type spin, %function\\n"
        "spin: subs x0, x0, #1\\n b.ne spin\\n ret\\n .size spin, . - spin\\n");
void spin(long turns);
int main(int argc, char **argv) { (void)argv; spin(1000 * argc); return 0; }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the samples, the plugin and the builds are."""
    folder = tmp_path_factory.mktemp("instructions")
    if shutil.which("gcc") is None:
        pytest.skip("not installed: gcc")
    write_samples(folder)
    build_plugin(ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def counted(folder: Path) -> Callable[[str, str], Count]:
    """The row of a program and a target, counted once."""
    known: dict[tuple[str, str], Count] = {}

    def row(program: str, target: str) -> Count:
        require_tools(TARGETS[target])
        if (program, target) not in known:
            (wanted,) = (p for p in PROGRAMS if p.name == program)
            plugin = folder / "count_instructions.so"
            found = count(wanted, TARGETS[target], ROOT, folder / "build", plugin, folder)
            if found is None:
                pytest.skip(f"no {program} in this source tree")
            known[program, target] = found
        return known[program, target]

    return row


def test_a_loop_of_known_length(folder: Path) -> None:
    target = TARGETS["a53-scalar"]
    require_tools(target)
    source, program = folder / "spin.c", folder / "spin"
    source.write_text(SPIN)
    subprocess.run([target.tools[1], "-static", "-o", str(program), str(source)], check=True)
    for extra in ([], ["one more argument"]):
        symbols = count_symbols(target, program, extra, folder, folder / "count_instructions.so")
        assert symbols["spin"] == 2 * 1000 * (1 + len(extra)) + 1
        assert symbols["total"] == sum(symbols.values()) - symbols["total"]


def test_two_counts_are_equal(counted: Callable[[str, str], Count], folder: Path) -> None:
    first = counted("count_frames", "cortex-m4f")
    plugin = folder / "count_instructions.so"
    assert (
        count(PROGRAMS[0], TARGETS["cortex-m4f"], ROOT, folder / "build", plugin, folder) == first
    )


@pytest.mark.parametrize(
    "entry",
    json.loads(COMMITTED.read_text())["counts"],
    ids=lambda entry: f"{entry['program']}-{entry['target']}",
)
def test_no_more_than_the_committed_table_says(
    entry: dict, counted: Callable[[str, str], Count]
) -> None:
    target = TARGETS[entry["target"]]
    require_tools(target)
    if compiler_version(target) != entry["compiler"]:
        pytest.skip(f"the table is of {entry['compiler']}")
    row = counted(entry["program"], entry["target"])
    assert row.instructions_per_frame <= MARGIN * entry["instructions_per_frame"]


@pytest.mark.xfail(strict=True, reason="the kernels that keep these bars are not there yet")
@pytest.mark.parametrize(("program", "target"), [key for key in BARS if key[0] == "count_frames"])
def test_the_float_bars(program: str, target: str, counted: Callable[[str, str], Count]) -> None:
    assert counted(program, target).passed


@pytest.mark.parametrize(("program", "target"), [key for key in BARS if key[0] != "count_frames"])
def test_the_other_bars(program: str, target: str, counted: Callable[[str, str], Count]) -> None:
    assert counted(program, target).passed
