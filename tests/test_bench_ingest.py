"""``bench --ingest``: records, reports and pytest-benchmark's JSON; damaged and hostile files."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from babycry_bench import ingest
from babycry_bench.ingest import distinct, read_record, read_records
from babycry_bench.schema.validate import check
from babycry_edge.errors import BabycryError
from sample_report import emulated_linux, report

RESULTS = Path(__file__).resolve().parent.parent / "bench/results"


def written(folder: Path, document: Any, name: str = "pi.json") -> Path:
    path = folder / name
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_record(tmp_path: Path) -> None:
    assert read_records(written(tmp_path, emulated_linux())) == [emulated_linux()]


def test_a_report_is_its_own_part_and_its_targets(tmp_path: Path) -> None:
    path = written(tmp_path, report())
    own, *targets = read_records(path)
    assert own["target"] == "pi"  # "this machine" was another one
    assert own["kind"] == "record"
    assert own["stages"] == report()["stages"]
    assert targets == report()["targets"]
    assert read_record(path) == own
    assert not {"gates", "accuracy", "passed", "targets"} & own.keys()


def benchmarks(stage: str | None = "network") -> dict[str, Any]:
    extra = {"models": ["cry.onnx"], "stage": stage, "audio_s": [0.5, 1.0], "warmup": 3}
    return {
        "machine_info": {"machine": "aarch64", "cpu": {"count": 4, "brand_raw": "Cortex-A72"}},
        "commit_info": {"id": "abc"},
        "datetime": "2026-11-21T10:00:00+01:00",
        "benchmarks": [
            {
                "name": "test_it[x]",
                "stats": {"data": [0.002, 0.001, 0.003]},
                "extra_info": extra if stage else {"ratio": 2.0},
            }
        ],
    }


def test_benchmarks_become_stages(tmp_path: Path) -> None:
    record = read_record(written(tmp_path, benchmarks()))
    check(record, "record")
    assert record["target"] == "pi"
    assert record["created"] == "2026-11-21T09:00:00Z"
    assert record["machine"]["cores"] == 4
    (stage,) = record["stages"]
    assert (stage["stage"], stage["model"], stage["clock"]) == ("network", "cry.onnx", "wall")
    assert (stage["p50"], stage["max"], stage["warmup"]) == (2.0, 3.0, 3)
    assert stage["real_time_factor"]["max"] == pytest.approx(0.006)  # 3 ms for half a second


def test_a_benchmark_of_no_stage_keeps_its_name(tmp_path: Path) -> None:
    (stage,) = read_record(written(tmp_path, benchmarks(None)))["stages"]
    assert (stage["stage"], stage["profile"], stage["audio_s"]) == ("benchmark", "test_it[x]", None)


def test_a_benchmark_without_single_times_is_left_out_and_said_to_be(tmp_path: Path) -> None:
    document = benchmarks()
    document["benchmarks"].append({"name": "test_bare", "stats": {"median": 1.0}})
    record = read_record(written(tmp_path, document))
    assert len(record["stages"]) == 1
    assert any("test_bare left out" in warning for warning in record["warnings"])
    document["benchmarks"] = document["benchmarks"][1:]
    with pytest.raises(BabycryError, match="no benchmark with its single times: write it with"):
        read_record(written(tmp_path, document))


def test_the_published_speed_figures_are_read() -> None:
    (path,) = RESULTS.glob("speed-*.json")
    published = json.loads(path.read_text())["benchmarks"]
    stages = read_record(path)["stages"]
    assert [stage["profile"] for stage in stages] == [item["name"] for item in published]
    for stage, item in zip(stages, published, strict=True):
        assert stage["p50"] == pytest.approx(1000 * item["stats"]["median"])


def test_names_are_made_distinct() -> None:
    records = [{"target": name} for name in ("a", "a", "this machine", "a (2)", "b")]
    names = [record["target"] for record in distinct(records)]
    assert names == ["a", "a (2)", "this machine (2)", "a (2) (2)", "b"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "[" * 100_000,
        '{"a":' * 100_000,
        "NaN",
        "\x00\x01",
        '{"schema_version": 1}',
        '{"schema_version": 2}',
        '{"schema_version": 2, "kind": "record"}',
        '{"schema_version": ' + "9" * 5000 + "}",
        '{"machine_info": {}, "benchmarks": []}',
        '{"machine_info": [], "benchmarks": [1]}',
        '{"machine_info": {}, "benchmarks": [1]}',
        '{"machine_info": {}, "benchmarks": [{"stats": {"data": [1e999]}}]}',
        '{"machine_info": {}, "benchmarks": [{"stats": {"data": [-1]}}]}',
        '{"machine_info": {}, "benchmarks": [{"stats": {"data": ["x"]}}]}',
    ],
)
def test_a_damaged_file_is_one_line(tmp_path: Path, content: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(BabycryError) as told:
        read_records(path)
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)
    assert len(str(told.value)) < 400


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = json.dumps(emulated_linux())
    generator = random.Random(5)
    for length in generator.sample(range(len(whole)), 40):
        with pytest.raises(BabycryError):
            read_records(written(tmp_path, whole[:length]))


def test_a_file_with_any_part_exchanged_is_read_or_refused(tmp_path: Path) -> None:
    """Never another exception, whatever stands where."""
    generator = random.Random(11)
    oddities = [None, -1, 1e300, "", "x", [], {}, [[]], True, {"data": None}]
    for original in (emulated_linux(), report(), benchmarks(), benchmarks(None)):
        every = list(places(original))
        for path in generator.sample(every, min(80, len(every))):
            document = copy.deepcopy(original)
            put(document, path, generator.choice(oddities))
            try:
                read_records(written(tmp_path, document))
            except BabycryError as error:
                assert "\n" not in str(error)


def places(node: Any, at: tuple[Any, ...] = ()) -> Any:
    children = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node[:2])
        if isinstance(node, list)
        else ()
    )
    for key, child in children:
        yield (*at, key)
        yield from places(child, (*at, key))


def put(node: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


def test_text_that_moves_the_cursor_is_refused(tmp_path: Path) -> None:
    hostile = {**emulated_linux(), "warnings": ["fine", "\x1b[2J\x1b[31mPASSED"]}
    with pytest.raises(BabycryError, match="control characters") as told:
        read_records(written(tmp_path, hostile))
    assert "\x1b" not in str(told.value)


def test_a_file_that_is_too_large_is_not_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MAX_BYTES", 1 << 20)
    with pytest.raises(BabycryError, match="more than 1 MiB"):
        read_records(written(tmp_path, " " * (1 << 20) + "{}"))


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.json", Path("/dev/zero")):
        with pytest.raises(BabycryError, match="no such file"):
            read_records(path)
