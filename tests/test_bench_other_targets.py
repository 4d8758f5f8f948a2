"""Boards and emulated machines in one report with this one: one that fails costs no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.other_targets import EMULATED, OtherTargets, collect
from babycry_bench.schema.validate import check
from babycry_bench.serial.session import Interrupted
from babycry_edge.cli import main
from babycry_edge.errors import BabycryError
from babycry_edge.progress import Advance
from sample_report import emulated_board, emulated_linux

TINY = Path(__file__).parent / "fixtures" / "tiny.tflite"


def track(title: str, steps: int) -> Advance:
    return lambda: None


def failing(*arguments: Any, **more: Any) -> dict[str, Any]:
    raise BabycryError("no answer: check the cable")


def test_one_board_that_fails_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("babycry_bench.serial.session.run_on_port", failing)
    monkeypatch.setattr("babycry_bench.serial.emulated.run_board", lambda *_: emulated_board())
    targets = OtherTargets(ports=["/dev/ttyACM0"], emulated=["cortex-m4f"])
    records, failures = collect(targets, track)
    assert [record["target"] for record in records] == ["cortex-m4f"]
    assert failures == ["/dev/ttyACM0: no answer: check the cable"]


def test_what_an_interrupted_board_had_measured_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(port: str) -> dict[str, Any]:
        raise Interrupted("it is silent", emulated_board())

    monkeypatch.setattr("babycry_bench.serial.session.run_on_port", interrupted)
    records, failures = collect(OtherTargets(ports=["COM3"]), track)
    assert [record["target"] for record in records] == ["cortex-m4f"]
    assert failures == ["COM3: it is silent"]


def test_a_failed_board_is_reported_with_all_that_was_measured_and_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("babycry_bench.serial.session.run_on_port", failing)
    record = tmp_path / "board.json"
    record.write_text(json.dumps(emulated_linux()))
    out = tmp_path / "report.json"
    arguments = ["--ingest", str(record), "--serial", "/dev/ttyACM0", "--json", str(out)]
    status = main(["bench", "--quick", "--model", str(TINY), *arguments])
    captured = capsys.readouterr()
    assert status == 2
    assert (
        captured.err.strip().splitlines()[-1].endswith("/dev/ttyACM0: no answer: check the cable")
    )
    report = check(json.loads(out.read_text()), str(out))
    assert [target["target"] for target in report["targets"]] == ["aarch64-a53"]
    assert "/dev/ttyACM0: no answer: check the cable" in report["warnings"]
    assert {stage["stage"] for stage in report["stages"]} >= {"network", "pipeline"}


def test_an_unreadable_record_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("babycry_bench.run.measure_here", failing)
    damaged = tmp_path / "board.json"
    damaged.write_text('{"schema_version": 2, "kind"')
    assert main(["bench", "--model", str(TINY), "--ingest", str(damaged)]) == 2
    assert "board.json" in capsys.readouterr().err


def test_emulated_targets_want_the_source_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "--model", str(TINY), "--emulate", EMULATED[0]]) == 2
    assert "source tree" in capsys.readouterr().err


def test_a_build_wants_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--build", "aarch64"]) == 2
    assert "-o DIR" in capsys.readouterr().err


@pytest.mark.parametrize("threads", ["0", "two", "", "1,,2"])
def test_threads_that_are_no_numbers_are_bad_use(threads: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--threads", threads])
    assert caught.value.code == 2
