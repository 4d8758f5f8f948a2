"""The committed reports: every target that was promised, exact, and the documentation says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.corpus.ten_hours import START as TEN_HOURS_START
from babycry_bench.corpus.ten_hours import corpus_table
from babycry_bench.gates.table import read_gates
from babycry_bench.gates.verdict import judge
from babycry_bench.ingest import parse, read_report
from babycry_bench.publish import TARGETS_START, publish, shown
from babycry_bench.speed_table import with_table
from babycry_bench.targets_table import targets_table
from babycry_edge.errors import BabycryError
from sample_report import report as failed_report

pytest.importorskip("jsonschema", reason="pip install 'babycry-edge[bench]'")

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench/results"
MIB = 1024 * 1024


def committed(pattern: str) -> Path:
    (path,) = RESULTS.glob(pattern)
    return path


@pytest.fixture(scope="module")
def targets() -> dict[str, Any]:
    return read_report(committed("targets-*.json"))


@pytest.fixture(scope="module")
def ten_hours() -> dict[str, Any]:
    path = committed("ten-hours-*.json")
    found: dict[str, Any] = parse(path.read_bytes(), str(path))
    return found


def test_every_promised_target_is_in_one_report(targets: dict[str, Any]) -> None:
    names = {record["target"] for record in targets["targets"]}
    assert {"aarch64-a53", "aarch64-a76", "armv7-a7"} <= names
    assert {"cortex-m4f", "cortex-m7", "cortex-m55"} <= names
    assert targets["machine"]["kind"] == "machine"
    assert targets["passed"] is True


def test_every_target_gives_the_same_bits(targets: dict[str, Any]) -> None:
    for record in targets["targets"]:
        profiles = record["parity"]["feature_hashes"]["profiles"]
        assert len(profiles) >= 11, record["target"]
        assert all(profile["clips"] > 0 and profile["mismatches"] == 0 for profile in profiles)
    with_engines = [record for record in targets["targets"] if record["models"]]
    scores = [found for record in with_engines for found in record["parity"].get("scores", [])]
    assert {found["engine"].split()[0] for found in scores} == {
        "onnxruntime",
        "litert",
        "tflite-runtime",
    }
    assert all(found["windows"] > 100 and found["mismatches"] == 0 for found in scores)


def test_emulated_counts_are_never_time(targets: dict[str, Any]) -> None:
    stages = [stage for record in targets["targets"] for stage in record["stages"]]
    assert {stage["clock"] for stage in stages} == {"instructions (emulated)"}
    assert all(stage["real_time_factor"] is None for stage in stages)


def test_the_gates_of_today_hold_for_the_committed_report(targets: dict[str, Any]) -> None:
    assert [gate for gate in judge(targets, read_gates()) if gate["passed"] is False] == []


def test_the_boards_page_has_the_table_of_the_committed_report(targets: dict[str, Any]) -> None:
    docs = (ROOT / "docs/bench-boards.md").read_text()
    assert with_table(docs, targets_table(targets), TARGETS_START) == docs


def test_ten_hours_are_faster_than_200_times_real_time_in_constant_memory(
    ten_hours: dict[str, Any],
) -> None:
    short, long, short_file, long_file = ten_hours["runs"]
    assert ten_hours["workers"] == 2
    for few, many in ((short, long), (short_file, long_file)):
        assert round(many["hours"]) == 10 and round(few["hours"]) == 1
        assert many["times_real_time"] > 200
        assert many["worker_peak_bytes"] - few["worker_peak_bytes"] < 16 * MIB
        assert many["parent_peak_bytes"] - few["parent_peak_bytes"] < 64 * MIB


def test_the_accuracy_page_has_the_table_of_the_committed_run(ten_hours: dict[str, Any]) -> None:
    docs = (ROOT / "docs/bench-accuracy.md").read_text()
    assert with_table(docs, corpus_table(ten_hours), TEN_HOURS_START) == docs


def test_the_readme_shows_the_committed_report() -> None:
    text = shown(read_report(committed("bench-*.json")))
    assert text in (ROOT / "README.md").read_text()
    assert max(map(len, text.splitlines())) <= 100


def test_committed_reports_name_no_folder() -> None:
    for pattern in ("bench-*.json", "targets-*.json"):
        report = read_report(committed(pattern))
        models = [model for record in (report, *report["targets"]) for model in record["models"]]
        assert {model["path"] for model in models} <= {"cry.onnx", "cry.tflite"}


def test_a_report_that_failed_is_not_published(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(failed_report()))
    with pytest.raises(BabycryError, match="a gate failed"):
        publish(path)


def test_the_gates_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    page = (ROOT / "docs/bench.md").read_text()
    table = tmp_path / "gates.toml"
    table.write_text(page.split("```toml\n")[1].split("```")[0])
    assert [gate.relative for gate in read_gates(table)] == [None, 1.1]
