"""``babycry-edge bench`` as a user and a CI server see it."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.command import add_command
from babycry_bench.run import Plan
from babycry_bench.schema.validate import check
from babycry_bench.timing.measure import Effort
from babycry_bench.timing.stages import STAGES
from babycry_edge.errors import BabycryError
from babycry_edge.models import bundled

FIXTURES = Path(__file__).parent / "fixtures"
TINY_ONNX, TINY_TFLITE = FIXTURES / "tiny.onnx", FIXTURES / "tiny.tflite"


for _module, _extra in (("rich", "bench"), ("onnxruntime", "onnx"), ("ai_edge_litert", "tflite")):
    pytest.importorskip(_module, reason=f"pip install 'babycry-edge[{_extra}]'")


@pytest.fixture(autouse=True)
def _shortest_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole bench with the fewest repetitions, so that a test takes a second or two."""
    effort = Effort(1, 1, block_s=0.0, min_calls=3, warmup_s=0.0, warmup_calls=1, precision=None)

    def plan(paths: Any, engines: Any = (), **more: Any) -> Plan:
        return Plan(paths, engines, effort=effort, cold_starts=1, **more)

    monkeypatch.setattr(Plan, "quick", plan)


def bench(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_command(parser.add_subparsers())
    args = parser.parse_args(["bench", "--quick", *arguments])
    status: int = args.run(args)
    return status


@pytest.fixture(scope="module")
def tiny_json(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON of a run on both tiny models."""
    output = tmp_path_factory.mktemp("bench") / "report.json"
    assert bench("--model", str(TINY_ONNX), "--model", str(TINY_TFLITE), "--json", str(output)) == 0
    content: dict[str, Any] = json.loads(output.read_text())
    return content


def test_the_json_has_the_fields_of_the_contract(tiny_json: dict[str, Any]) -> None:
    assert check(tiny_json, "report.json") == tiny_json
    assert (tiny_json["schema_version"], tiny_json["kind"]) == (2, "report")
    assert tiny_json["target"] == "this machine"
    assert tiny_json["passed"] is True


def test_every_stage_of_every_model_is_measured(tiny_json: dict[str, Any]) -> None:
    measured = [(stage["model"], stage["stage"]) for stage in tiny_json["stages"]]
    layers = [model for model, stage in measured if stage == "layer"]
    assert set(layers) == {"tiny.onnx"}
    assert [pair for pair in measured if pair[1] != "layer"] == [
        (model, stage) for model in ("tiny.onnx", "tiny.tflite") for stage in STAGES
    ]
    for stage in tiny_json["stages"]:
        assert 0 <= stage["p50"] <= stage["p90"] <= stage["p95"] <= stage["p99"] <= stage["max"]
        assert stage["real_time_factor"]["p95"] > 0
        assert (stage["clock"], stage["unit"]) == ("wall", "ms")
        assert (stage["stage"] == "layer") == ("layer" in stage)


def test_every_model_has_its_hash_size_engine_and_cold_start(tiny_json: dict[str, Any]) -> None:
    for model, path in zip(tiny_json["models"], (TINY_ONNX, TINY_TFLITE), strict=True):
        assert model["size_bytes"] == path.stat().st_size
        assert len(model["sha256"]) == 64
        assert model["engine"] in ("onnxruntime", "litert")
        assert (model["threads"], model["precision"]) == (1, "int8")
        assert model["cold_start"]["total_ms"] > 0
        assert model["cold_start"]["peak_rss_bytes"] > 1_000_000


def test_memory_is_that_of_the_largest_process(tiny_json: dict[str, Any]) -> None:
    starts = [model["cold_start"]["peak_rss_bytes"] for model in tiny_json["models"]]
    assert tiny_json["memory"]["peak_rss_bytes"] == max(starts)
    assert 1000 < tiny_json["memory"]["frontend_ram_bytes"] < 100_000


def test_the_two_formats_of_one_network_agree(tiny_json: dict[str, Any]) -> None:
    (pair,) = tiny_json["parity"]["onnx_tflite"]
    assert pair["decision_changes"] == 0
    assert pair["max_clip_score_difference"] < 0.1


def test_json_on_standard_output_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    bench("--model", str(TINY_TFLITE), "--json", "-")
    captured = capsys.readouterr()
    assert json.loads(captured.out)["passed"] is True
    assert "PASSED" in captured.err


def test_the_bundled_models_pass_every_gate(capsys: pytest.CaptureFixture[str]) -> None:
    status = bench("--json", "-")
    content = json.loads(capsys.readouterr().out)
    assert [gate for gate in content["gates"] if gate["passed"] is False] == []
    assert status == 0
    assert [model["model"] for model in content["models"]] == ["cry.onnx", "cry.tflite"]
    assert all("skipped" not in record for record in content["parity"]["int8_float"])


def with_wrong_golden_score(model: Path, folder: Path) -> Path:
    """A copy of ``model`` whose recorded scores are not what it gives."""
    data = model.read_bytes()
    start = data.index(b'"scores":[') + len(b'"scores":[')
    wrong = data[: start + 2] + bytes([data[start + 2] ^ 1]) + data[start + 3 :]
    copy = folder / model.name
    copy.write_bytes(wrong)
    return copy


@pytest.mark.parametrize("model", [TINY_ONNX, TINY_TFLITE])
def test_a_model_that_fails_its_golden_check_fails_the_gate_and_the_run(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench("--model", str(with_wrong_golden_score(model, tmp_path)), "--json", "-") == 1
    captured = capsys.readouterr()
    content = json.loads(captured.out)
    failed = [gate["gate"] for gate in content["gates"] if gate["passed"] is False]
    assert content["passed"] is False
    assert failed == ["golden check of the model file"]
    assert "FAILED" in captured.err


def test_a_model_with_damaged_weights_fails_the_golden_gate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx = pytest.importorskip("onnx", reason="pip install 'babycry-edge[convert]'")
    model = onnx.load(TINY_ONNX)
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights.raw_data = bytes(byte ^ 0x55 for byte in weights.raw_data)
    damaged = tmp_path / "damaged.onnx"
    onnx.save(model, damaged)
    assert bench("--model", str(damaged), "--json", "-") == 1
    (golden,) = json.loads(capsys.readouterr().out)["parity"]["golden"]
    assert golden["features_equal"] is True
    assert golden["passed"] is False


def test_a_gate_of_ones_own_beyond_its_bound_gives_exit_status_1(tmp_path: Path) -> None:
    table = tmp_path / "gates.toml"
    table.write_text(
        "[[gate]]\nname = 'impossible'\npath = 'stages[stage=pipeline].p50'\n"
        "operator = '<='\nbound = 0.0\n"
    )
    assert bench("--model", str(TINY_TFLITE), "--gate", str(table)) == 1


def test_absent_librosa_is_reported_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "librosa", None)
    assert bench("--model", str(TINY_TFLITE)) == 0
    assert "skipped: librosa not installed" in capsys.readouterr().out


def test_absent_rich_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    with pytest.raises(BabycryError, match=r"rich is not installed: pip install 'babycry-edge\["):
        bench("--model", str(TINY_TFLITE))


def test_unreadable_models_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    truncated = tmp_path / "truncated.onnx"
    truncated.write_bytes(TINY_ONNX.read_bytes()[:1000])
    for path in (tmp_path / "absent.onnx", truncated, tmp_path):
        with pytest.raises(BabycryError, match=path.name) as caught:
            bench("--model", str(path))
        assert "\n" not in str(caught.value)


def test_an_unknown_engine_and_the_wrong_engine_for_a_file_are_refused() -> None:
    with pytest.raises(BabycryError, match="abacus"):
        bench("--engine", "abacus")
    with pytest.raises(BabycryError, match="onnxruntime"):
        bench("--model", str(TINY_TFLITE), "--engine", "onnxruntime")


def test_a_missing_folder_for_the_json_is_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="does not exist"):
        bench("--model", str(TINY_TFLITE), "--json", str(tmp_path / "absent" / "report.json"))


def test_two_files_of_one_name_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / TINY_TFLITE.name
    copy.write_bytes(TINY_TFLITE.read_bytes())
    bench("--model", str(TINY_TFLITE), "--model", str(copy), "--json", "-")
    names = {model["model"] for model in json.loads(capsys.readouterr().out)["models"]}
    assert names == {str(TINY_TFLITE), str(copy)}


def test_an_engine_selects_the_bundled_model_that_it_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bench("--engine", "litert", "--json", "-")
    models = json.loads(capsys.readouterr().out)["models"]
    assert [Path(model["path"]) for model in models] == [bundled("cry.tflite")]


def test_a_bundled_model_without_an_engine_is_left_out_and_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "babycry_bench.model_choice._is_runnable", lambda model: model.name == "cry.tflite"
    )
    assert bench() == 0
    assert "cry.onnx left out, no engine for it: pip install" in capsys.readouterr().out
