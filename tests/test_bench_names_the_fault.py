"""A fault that was put in on purpose fails a gate, and every report names where it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import divergence_models as made
import report_models as models
from babycry_bench.models import FLOAT_ONNX, FLOAT_TFLITE
from babycry_bench.run import Plan
from babycry_bench.timing.measure import Effort
from babycry_edge.cli import main
from babycry_edge.models import bundled

for _module in ("onnx", "onnxruntime", "ai_edge_litert", "librosa", "jsonschema", "rich"):
    pytest.importorskip(_module, reason="pip install 'babycry-edge[bench,oracle,convert]'")


@pytest.fixture(autouse=True)
def _shortest_timings(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(paths: Any, engines: Any = (), **more: Any) -> Plan:
        effort = Effort(min_rounds=1, max_rounds=1, block_s=0.0, min_calls=3, warmup_calls=1)
        return Plan(paths, engines, effort=effort, cold_starts=1, **more)

    monkeypatch.setattr(Plan, "quick", plan)


def with_a_layer_3_percent_off(folder: Path, model_format: str) -> tuple[Path, str]:
    """A copy of the bundled file with its float file beside it, and the damaged layer's name."""
    path = folder / f"cry.{model_format}"
    int8 = bundled(path.name).read_bytes()
    if model_format == "onnx":
        data, layer = models.damage_onnx_weights(int8, models.onnx_weights(int8)[5], 1.03)
    else:
        layer = models.tflite_layers(int8)[5]
        data = models.damage_tflite_weights(int8, layer, 1.03)
    path.write_bytes(data)
    original = FLOAT_ONNX if model_format == "onnx" else FLOAT_TFLITE
    (folder / original.name).write_bytes(original.read_bytes())
    return path, layer


def with_a_wrong_axis(folder: Path, model_format: str) -> tuple[Path, str]:
    """The same with another norm of the mel bands in its metadata."""
    path = made.frontend_changed(bundled(f"cry.{model_format}"), folder, mel_norm="none")
    original = FLOAT_ONNX if model_format == "onnx" else FLOAT_TFLITE
    (path.parent / f"{path.stem}_float{path.suffix}").write_bytes(original.read_bytes())
    return path, "mel_norm"


@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
@pytest.mark.parametrize(
    ("fault", "stage"), [(with_a_layer_3_percent_off, "layer"), (with_a_wrong_axis, "features")]
)
def test_a_fault_fails_a_gate_and_is_named_in_every_report(
    fault: Callable[[Path, str], tuple[Path, str]],
    stage: str,
    model_format: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, where = fault(tmp_path, model_format)
    out = {suffix: tmp_path / f"report.{suffix}" for suffix in ("json", "html", "md", "xml")}
    options = [
        *("--json", str(out["json"]), "--html", str(out["html"])),
        *("--markdown", str(out["md"]), "--junit", str(out["xml"])),
    ]
    assert main(["bench", "--quick", "--model", str(model), *options]) == 1
    report = json.loads(out["json"].read_text())
    failed = {gate["gate"] for gate in report["gates"] if gate["passed"] is False}
    assert "no stage diverges" in failed
    (found,) = report["parity"]["divergence"]
    assert (found["stage"], found["where"]) == (stage, where)
    terminal = "".join(capsys.readouterr().out.split())  # a long name may be wrapped
    assert f"divergesat{stage}{where}" in terminal
    for suffix in ("html", "md"):
        assert where in out[suffix].read_text().replace("\\", ""), suffix
    failures = [
        failure.get("message", "") + (failure.text or "")
        for failure in ElementTree.parse(out["xml"]).iter("failure")
    ]
    assert any(where in failure for failure in failures)
