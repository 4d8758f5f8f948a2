"""Constant tables as C source: the device gets the very values that the library computes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from babycry_bench.targets import Target, build
from babycry_edge.config import FrontendConfig, profile_names
from babycry_edge.errors import BabycryError
from babycry_edge.table_source import frontend_tables_source
from cross_tools import require_tools

ROOT = Path(__file__).resolve().parent.parent

# Compares the included tables with those that the library makes, byte for byte.
COMPARE = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include TABLES
#define SAME(x) (t.n_##x == made.n_##x && memcmp(t.x, made.x, t.n_##x * sizeof *t.x) == 0)
int main(void) {
    bc_frontend_tables made, t = frontend_tables;
    size_t size = bc_frontend_tables_size(&t.config);
    void *memory = malloc(size);
    if (bc_frontend_make_tables(&made, &t.config, memory, size) != BC_OK) { return 2; }
    if (memcmp(&t.config, &made.config, sizeof t.config) != 0) { return 3; }
    if (t.ref_level != made.ref_level) { return 4; }
    return !(SAME(position) && SAME(twiddles) && SAME(split) && SAME(window) && SAME(bands) &&
             SAME(weights) && (t.n_leak == 0 || SAME(leak)) && (t.n_dct == 0 || SAME(dct)));
}
"""


@pytest.fixture(scope="module")
def library(target_builds: Path) -> Path:
    here = Target("here")
    require_tools(here)
    build(here, ROOT, target_builds / here.compiler)
    return target_builds / here.compiler / "libbabycry.a"


def tabled_profiles() -> list[str]:
    return [name for name in profile_names() if name != "tflm-micro"]  # whose tables are its own


@pytest.mark.parametrize("profile", tabled_profiles())
def test_tables_come_through_c_source_unchanged(
    profile: str, library: Path, tmp_path: Path
) -> None:
    header, source, program = (tmp_path / name for name in ("tables.h", "compare.c", "compare"))
    text = frontend_tables_source(FrontendConfig.from_profile(profile))
    header.write_text(text)
    source.write_text(COMPARE)
    options = ["-Wall", "-Wextra", "-Wconversion", "-Werror", f'-DTABLES="{header}"']
    include = f"-I{ROOT / 'csrc/include'}"
    command = ["gcc", *options, include, str(source), str(library), "-o", str(program)]
    subprocess.run(command, check=True)
    assert subprocess.run([str(program)], check=False).returncode == 0
    assert max(map(len, text.splitlines())) <= 100


def test_a_changed_value_is_seen(library: Path, tmp_path: Path) -> None:
    header, source, program = (tmp_path / name for name in ("tables.h", "compare.c", "compare"))
    text = frontend_tables_source(FrontendConfig.from_profile("yamnet"))
    header.write_text(
        text.replace(
            "frontend_tables_position[] = {\n    0,", "frontend_tables_position[] = {\n    1,"
        )
    )
    source.write_text(COMPARE)
    command = [
        "gcc",
        f'-DTABLES="{header}"',
        f"-I{ROOT / 'csrc/include'}",
        str(source),
        str(library),
    ]
    subprocess.run([*command, "-o", str(program)], check=True)
    assert subprocess.run([str(program)], check=False).returncode == 1


def test_a_front_end_without_tables_is_refused() -> None:
    with pytest.raises(BabycryError, match="no frontend tables"):
        frontend_tables_source(FrontendConfig.from_profile("tflm-micro"))
