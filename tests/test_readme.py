"""Every command and snippet of the README runs as it stands, and those of the front-end's page."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from babycry_edge.config import FrontendConfig, enum_names, profile_names

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
FRONT_END = (ROOT / "docs" / "front-end.md").read_text()


def blocks(language: str, page: str = README) -> list[str]:
    """A page's code blocks in one language."""
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def commands() -> list[str]:
    """The babycry-edge commands of both pages' shell blocks, without comments."""
    shell = [*blocks("sh"), *blocks("sh", FRONT_END)]
    lines = [line.split("  #")[0].strip() for block in shell for line in block.splitlines()]
    return [line for line in lines if line.startswith("babycry-edge ")]


def test_python_example_runs(tmp_path: Path) -> None:
    (example,) = blocks("python")
    assert len(example.splitlines()) <= 10
    script = tmp_path / "example.py"
    script.write_text(example)
    result = subprocess.run(
        [sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "cry" in result.stdout


def test_the_claims_of_the_front_end_page_hold() -> None:
    (example,) = blocks("python", FRONT_END)
    assert example.count("assert ") == 4
    exec(example, {})


def test_the_front_end_page_names_every_axis_and_profile() -> None:
    for name in profile_names():
        assert f"| `{name}` |" in FRONT_END, name
    table = FRONT_END.split("### All axes")[1].split("### A row")[0]
    for field in dataclasses.fields(FrontendConfig):
        if field.name not in ("profile", "version"):
            assert f"`{field.name}`" in table, field.name
    enums = ("window", "window_position", "framing", "spectrum", "mel_scale", "mel_slopes")
    for field in (*enums, "mel_norm", "compression", "dct_norm", "normalize", "pooling"):
        assert all(f"`{value}`" in table for value in enum_names(field)), field


def test_c_example_is_short_enough_to_read() -> None:
    (example,) = blocks("c")
    assert len(example.splitlines()) <= 20


MADE = {"features.npy": " -o features.npy", "bench.json": " --json bench.json"}
"""Files that one command of the page writes and another reads, and how the first one is known."""


@pytest.mark.parametrize("command", commands())
def test_command_runs(command: str, tmp_path: Path) -> None:
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"PATH": scripts + os.pathsep + os.environ["PATH"]}
    first = [c for name, mark in MADE.items() if name in command for c in commands() if mark in c]
    for line in dict.fromkeys([*first, command]):  # what is read is made before
        for name in (*MADE, "bench.html"):
            line = line.replace(name, str(tmp_path / name))
        words = shlex.split(line.replace("-o build", f"-o {tmp_path}"))
        result = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
        )
        assert result.returncode == 0, result.stderr + result.stdout


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z]+)\b", README)) - {"sure", "it"}
    assert {"bench", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_links_of_the_readme_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_links_of_the_docs_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert link.startswith("https://") or (path.parent / link).exists(), link
