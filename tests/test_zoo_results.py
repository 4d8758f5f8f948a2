"""The zoo's published figures: every system is there, passed its gates, and the page shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from babycry_bench.zoo import START, summary, zoo_table
from babycry_convert import zoo
from babycry_convert.recipe import load_recipe, recipe_names

ROOT = Path(__file__).resolve().parent.parent
ESTIMATORS = ("gradient_boosting", "random_forest", "rbf_svm")


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    (path,) = (ROOT / "bench" / "results").glob("zoo-*.json")
    return dict(json.loads(path.read_text()))


def test_every_system_and_every_recipe_has_its_row(record: dict[str, Any]) -> None:
    assert set(record["systems"]) == set(recipe_names()) == {*zoo.names(), *ESTIMATORS}


@pytest.mark.parametrize("name", recipe_names())
def test_each_system_passed_the_gates_of_its_recipe(name: str, record: dict[str, Any]) -> None:
    report = record["systems"][name]["conversion"]
    gates = load_recipe(name).gates
    bound = 0.95 if name in ("efficientnet_b0", "mobilenet_v3_large") else 0.98
    assert (gates.agreement, gates.macro_f1_loss) == (bound, 0.01)
    formats = {"onnx"} if name in ESTIMATORS else {"onnx", "tflite"}
    assert set(report["engines"]) == formats
    for engine in report["engines"].values():
        assert engine["clips"] > 200
        assert engine["agreement"]["value"] >= bound
        assert engine["macro_f1_loss"]["value"] <= 0.01
    assert report["verdict"] == "passed"
    assert all(gate["passed"] for gate in report["gates"])


def test_int8_files_have_no_float_operator_left_but_those_that_are_known(
    record: dict[str, Any],
) -> None:
    for name in set(recipe_names()) - set(ESTIMATORS):
        for item in record["systems"][name]["conversion"]["files"]:
            if item["precision"] == "int8" and item["format"] == "tflite":
                assert item["float_operators"] == [], (name, item["float_operators"])
                assert item["arena_bytes"] > 0


def test_the_page_shows_the_figures(record: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "zoo.md").read_text()
    assert START + zoo_table(record) in page


def test_a_summary_keeps_the_figures_and_the_worst_layers() -> None:
    report: dict[str, Any] = {
        key: key
        for key in ("verdict", "gates", "checkpoint", "calibration", "network", "onnx_vs_tflite")
    }
    report |= {"engines": {}, "versions": {}, "notes": ["long"], "files": []}
    report["layers"] = {"onnx": [{"name": str(n)} for n in range(9)]}
    kept = summary(report)
    assert [layer["name"] for layer in kept["layers"]["onnx"]] == ["0", "1", "2"]
    assert "notes" not in kept
