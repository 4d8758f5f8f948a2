"""RAM as the library says it, on the boards themselves; and the stack's depth told rightly."""

from __future__ import annotations

from pathlib import Path

import pytest

from babycry_bench.footprint import (
    FRONT_ENDS,
    HEADERS,
    LOG_MEL,
    Bench,
    Footprint,
    measure,
    write_samples,
)
from babycry_bench.targets import TARGETS, build, run
from babycry_edge.config import profile_names
from cross_tools import require_tools

ROOT = Path(__file__).resolve().parent.parent
MEASURED = [(kind, name) for kind, names in FRONT_ENDS.items() for name in names]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(ROOT, tmp_path_factory.mktemp("footprint"))
    write_samples(bench.folder)
    return bench


def measured(bench: Bench, front_end: str, profile: str, name: str) -> Footprint:
    require_tools(TARGETS[name])
    if not (ROOT / "csrc/include/babycry" / HEADERS[front_end]).exists():
        pytest.skip(f"no {front_end} front-end in this source tree")
    row = measure(bench, front_end, profile, TARGETS[name])
    assert row is not None
    return row


def check(row: Footprint) -> None:
    assert row.takes_what_it_asks
    assert row.refuses_one_byte_less
    assert row.ram_is_as_the_library_says, row
    assert row.rows > 0
    assert 0 < row.stack < 4096
    assert 0 < row.stack_init < 4096
    assert row.code > 2048


@pytest.mark.parametrize(("front_end", "name"), MEASURED)
def test_ram_of_log_mel_is_what_the_library_says(front_end: str, name: str, bench: Bench) -> None:
    row = measured(bench, front_end, LOG_MEL, name)
    check(row)
    assert row.rows == 1 + (16000 + 256 - 512) // 160  # the rest waits for more samples


@pytest.mark.full
@pytest.mark.parametrize("profile", profile_names())
def test_ram_of_every_profile_is_what_the_library_says(profile: str, bench: Bench) -> None:
    check(measured(bench, "float", profile, "cortex-m4f"))


@pytest.mark.parametrize("name", ["cortex-m0", "cortex-m4f", "rv32imafc"])
def test_painting_tells_the_depth_of_the_stack(name: str, bench: Bench) -> None:
    target = TARGETS[name]
    require_tools(target)
    program = build(target, ROOT, bench.directory(target)) / "stack_probe"
    shallow, deep = (
        int(run(target, program, [f"--depth={depth}"], bench.folder)) for depth in (256, 1280)
    )
    assert deep - shallow == 1024
    assert 256 < shallow < 512
