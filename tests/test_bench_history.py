"""Reports in a folder, and how the figures moved."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.comparison.history import print_history, read_history, sparkline
from babycry_edge.errors import BabycryError
from sample_report import emulated_board, report

for _module in ("rich", "jsonschema"):
    pytest.importorskip(_module, reason="pip install 'babycry-edge[bench]'")


def write(folder: Path, name: str, created: str, factor: float = 1.0, **machine: Any) -> None:
    document = report()
    document["created"] = created
    document["machine"].update(machine)
    for stage in document["stages"]:
        stage["p50"] *= factor
    (folder / name).write_text(json.dumps(document))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three reports whose names are not in the order of time, and three files that are none."""
    write(tmp_path, "c.json", "2026-11-19T10:00:00Z")
    write(tmp_path, "a.json", "2026-11-20T10:00:00Z", 1.1)
    write(tmp_path, "b.json", "2026-11-21T10:00:00Z", 1.2)
    (tmp_path / "half.json").write_text(json.dumps(report())[:500])
    (tmp_path / "old.json").write_text(json.dumps({**report(), "schema_version": 1}))
    (tmp_path / "board.json").write_text(json.dumps(emulated_board()))
    (tmp_path / "notes.txt").write_text("not looked at")
    return tmp_path


def series(folder: Path, **key: str) -> list[dict[str, Any]]:
    return [
        entry
        for entry in read_history(folder).series
        if all(entry[name] == value for name, value in key.items())
    ]


def test_reports_are_sorted_by_when_they_were_made(folder: Path) -> None:
    history = read_history(folder)
    assert history.files == ["c.json", "a.json", "b.json"]
    created = [entry["created"] for entry in history.reports]
    assert created == sorted(created)


def test_files_that_are_no_reports_are_named_with_the_reason(folder: Path) -> None:
    skipped = {entry["file"]: entry["reason"] for entry in read_history(folder).skipped}
    assert skipped.keys() == {"half.json", "old.json", "board.json"}
    assert "no JSON" in skipped["half.json"]
    assert "schema_version is 1, this release reads 2" in skipped["old.json"]
    assert "one target's record" in skipped["board.json"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"[]", b"null", b"[" * 100_000, b'{"kind": "report"}', b"NaN"],
)
def test_no_damaged_file_keeps_the_others_from_being_read(folder: Path, content: bytes) -> None:
    (folder / "damaged.json").write_bytes(content)
    history = read_history(folder)
    assert len(history.reports) == 3
    assert "damaged.json" in {entry["file"] for entry in history.skipped}
    assert all("\n" not in entry["reason"] for entry in history.skipped)


def test_a_report_with_a_field_missing_is_skipped_with_its_place(folder: Path) -> None:
    document = report()
    del document["stages"][3]["p50"]
    (folder / "damaged.json").write_text(json.dumps(document))
    (entry,) = (e for e in read_history(folder).skipped if e["file"] == "damaged.json")
    assert entry["reason"].startswith("stages[3]: ")


def test_a_series_holds_the_medians_in_order_of_time(folder: Path) -> None:
    key = {"target": "this machine", "model": "cry.onnx", "stage": "pipeline"}
    (entry,) = series(folder, **key)
    p50 = next(s["p50"] for s in report()["stages"] if s["stage"] == "pipeline")
    assert [point["p50"] for point in entry["points"]] == pytest.approx([p50, 1.1 * p50, 1.2 * p50])
    assert [point["file"] for point in entry["points"]] == ["c.json", "a.json", "b.json"]
    assert (entry["clock"], entry["unit"], entry["cpu"]) == ("wall", "ms", "AMD EPYC")


def test_times_of_another_processor_are_another_series(folder: Path) -> None:
    write(folder, "d.json", "2026-11-22T10:00:00Z", 3.0, cpu="Cortex-A53")
    entries = series(folder, model="cry.onnx", stage="pipeline", target="this machine")
    assert [(entry["cpu"], len(entry["points"])) for entry in entries] == [
        ("AMD EPYC", 3),
        ("Cortex-A53", 1),
    ]
    (counted,) = series(folder, target="cortex-m4f", profile="babycry")
    assert len(counted["points"]) == 4


def test_layers_are_left_out(folder: Path) -> None:
    assert series(folder, stage="layer") == []


def test_the_data_for_the_page_are_json(folder: Path) -> None:
    content = json.loads(json.dumps(read_history(folder).to_dict(), allow_nan=False))
    assert [entry["file"] for entry in content["reports"]] == ["c.json", "a.json", "b.json"]
    assert len(content["skipped"]) == 3
    assert content["series"]


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_its_terminal(folder: Path, width: int) -> None:
    write(folder, "d.json", "2026-11-22T10:00:00Z", 3.0, cpu="A Processor With A Long Name " * 3)
    file = io.StringIO()
    print_history(read_history(folder), file, width)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "+20.0 %" in text
    assert "33500 instr" in text
    assert "left out: half.json: damaged, or no JSON" in text


def test_a_folder_that_is_absent_or_holds_no_report_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="no such folder"):
        read_history(tmp_path / "absent")
    with pytest.raises(BabycryError, match="holds no JSON file"):
        read_history(tmp_path)
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(
        BabycryError, match=r"none of its 1 JSON files is a report: x\.json: damaged"
    ):
        read_history(tmp_path)


def test_a_sparkline_rises_with_the_values_and_is_flat_for_noise() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8]) == "▁▂▃▄▅▆▇█"
    assert sparkline([8, 1]) == "█▁"
    assert set(sparkline([100.0, 100.4, 99.8, 100.1])) <= {"▄", "▅"}
    assert len(set(sparkline([0.0, 0.0]))) == 1
    assert sparkline([]) == ""


def test_a_long_sparkline_keeps_the_newest_on_the_right() -> None:
    assert sparkline([1.0] * 900 + [9.0] * 100, width=10) == "▁▁▁▁▁▁▁▁▁█"
    for count in range(1, 60):
        assert len(sparkline([1.0] * count, width=10)) <= 10
    assert sparkline([1.0] * 95 + [9.0] * 10, width=10)[-1] == "█"
