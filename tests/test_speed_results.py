"""The committed speeds: the documentation says the same, and they meet the bars."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.speed_table import END, START, speed_table, with_table

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    (path,) = (ROOT / "bench/results").glob("speed-*.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_table_in_the_docs_is_that_of_the_committed_benchmark(results: dict[str, Any]) -> None:
    docs = (ROOT / "docs/bench.md").read_text()
    assert with_table(docs, speed_table(results)) == docs


def test_committed_speeds_meet_the_bars(results: dict[str, Any]) -> None:
    judged = [b["extra_info"] for b in results["benchmarks"] if b["extra_info"].get("least")]
    peers = {extra["peer"] for extra in judged}
    assert {"librosa", "kaldi-native-fbank", "bare FFTs by FFTW", "the whole clip"} <= peers
    for extra in judged:
        assert min(extra["ratio"], extra["ratio_of_minima"]) >= extra["least"], extra["ours"]


def test_table_shows_a_ratio_and_its_bar() -> None:
    times = {"ours_ms": 0.5, "peer_ms": 10.0, "ratio": 20.0, "ratio_of_minima": 19.0}
    extra = {"ours": "a", "peer": "b", "way": "c", "least": 12.0, "aim": None} | times
    results = {
        "machine_info": {
            "cpu": {"brand_raw": "Some CPU"},
            "instruction_set": "avx2",
            "system": "Linux",
            "python_version": "3.11.7",
        },
        "datetime": "2026-11-21T00:00:00",
        "benchmarks": [{"extra_info": extra}],
    }
    assert "| a | 0.5 ms | b: c | 10 ms | 20 | 19 | 12 |\n" in speed_table(results)


def test_docs_without_marks_are_refused() -> None:
    assert with_table(f"x\n{START}old\n{END}y\n", "new\n") == f"x\n{START}new\n{END}y\n"
    with pytest.raises(ValueError, match="make speed"):
        with_table("x\ny\n", "new\n")
