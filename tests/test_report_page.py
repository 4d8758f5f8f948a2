"""The whole report: the dictionary from real files and clips, and a page that stands alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("litert_torch")
pytest.importorskip("matplotlib")
pytest.importorskip("soundfile")

import report_models as models
from babycry_bench.clips import Clip
from babycry_convert.hub import Network
from babycry_convert.recipe import Recipe, parse_recipe
from babycry_convert.report import HeldOutClip, ReportInputs, TensorPair, build_report, render
from babycry_edge.windows import clip_windows
from tiny_network import tiny_metadata

INJECTION = '<script>alert("x")</script>'
VOID = {"meta", "img", "source", "br"}


def recipe(agreement: float = 0.9) -> Recipe:
    return parse_recipe(
        'name = "tiny"\ndescription = "test"\nlicence = "Apache-2.0"\n'
        '[frontend]\nprofile = "librosa"\n[window]\nframes = 100\nhop_frames = 25\n'
        f'[labels]\nnames = ["other", "cry"]\n[gates]\nagreement = {agreement}\n'
    )


def logits(windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    import torch

    with torch.no_grad():
        given = torch.from_numpy(np.ascontiguousarray(windows))[:, None]
        result: npt.NDArray[np.float32] = models.network()(given).numpy()
    return result


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, clips: list[Clip]) -> ReportInputs:
    folder = tmp_path_factory.mktemp("report")
    files = models.tiny_files()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    held_out = [
        HeldOutClip(
            f"{INJECTION}/{clip.name}",
            "cry" if clip.label == "cry" else "other",
            clip_windows(clip.samples, clip.sample_rate, tiny_metadata()),
        )
        for clip in clips
        if clip.sample_rate == 16000
    ]
    return ReportInputs(
        name=f"tiny {INJECTION}",
        recipe=recipe(),
        checkpoint="tiny.pth",
        checkpoint_sha256="0" * 64,
        reader="state_dict",
        architecture="custom",
        paths=[folder / name for name in files],
        held_out=held_out,
        reference=logits,
        network=Network(models.network(), (100, 64), 2, "custom", "state_dict"),
        pairs={
            "onnx": TensorPair(files["tiny_float.onnx"], files["tiny.onnx"]),
            "tflite": TensorPair(
                files["tiny_float.tflite"],
                models.damage_tflite_weights(files["tiny.tflite"], "t20", 1.5),
            ),
        },
        calibration_count=24,
        settings={"onnx": "min-max", "tflite": "min-max"},
        candidates=[
            {
                "format": "onnx",
                "settings": "min-max",
                "agreement": 1.0,
                "mean_score_drift": 0.001,
                "loss": 0.001,
            }
        ],
        notes=["one recording skipped"],
    )


@pytest.fixture(scope="module")
def built(inputs: ReportInputs) -> tuple[dict[str, Any], Any]:
    return build_report(inputs)


def test_the_report_is_json_and_complete(built: tuple[dict[str, Any], Any]) -> None:
    report, _ = built
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["verdict"] == "passed"
    assert [gate["name"] for gate in report["gates"]][:2] == [
        "int8 ONNX: top-1 agreement with float",
        "int8 ONNX: macro-F1 loss",
    ]
    assert {(f["format"], f["precision"]) for f in report["files"]} == {
        ("onnx", "float"),
        ("onnx", "int8"),
        ("tflite", "float"),
        ("tflite", "int8"),
    }
    for item in report["files"]:
        assert item["float_operators"] == ([] if item["precision"] == "int8" else None)
        checks = {check["engine"]: check["passed"] for check in item["self_check"]}
        assert checks["onnxruntime" if item["format"] == "onnx" else "litert"] is True
    tflite = report["engines"]["tflite"]
    assert tflite["clips"] == tflite["labelled"] == len(report["worst_clips"]) + 8
    assert 0.0 < tflite["drift"]["mean"] < 0.05
    assert report["onnx_vs_tflite"]["drift"]["max"] < 0.01
    convolutions = 8 * 9 + 8 * 9 + 8 * 12 + 12 * 9 + 12 * 16
    normalisations = 2 * (8 + 8 + 12 + 12 + 16)
    assert report["network"]["parameters"] == convolutions + normalisations + 2 * 17
    assert report["layers_left_out"] == []


def test_the_damaged_layer_is_named_first(built: tuple[dict[str, Any], Any]) -> None:
    worst = built[0]["layers"]["tflite"][0]
    assert (worst["name"], worst["cause"]) == ("t20", "weights")


def test_worst_clips_are_those_whose_scores_moved_most(
    built: tuple[dict[str, Any], Any], inputs: ReportInputs
) -> None:
    clips = built[0]["worst_clips"]
    drifts = [clip["drift"] for clip in clips]
    assert drifts == sorted(drifts, reverse=True)
    engines = built[0]["engines"].values()
    assert drifts[0] == max(engine["drift"]["max"] for engine in engines)
    first = clips[0]
    clip = next(c for c in inputs.held_out if c.name == first["name"])
    values = logits(clip.windows).astype(np.float64)
    scores = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    column = ["other", "cry"].index(first["score_of"])
    assert first["float_score"] == pytest.approx(scores.mean(axis=0)[column], abs=1e-5)


def test_the_same_inputs_give_the_same_page(
    built: tuple[dict[str, Any], Any], inputs: ReportInputs
) -> None:
    assert render(*build_report(inputs)) == render(*built)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "srcset")]
        assert not any(key.startswith("on") for key, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_page_stands_alone_and_runs_nothing(built: tuple[dict[str, Any], Any]) -> None:
    page = render(*built)
    reader = read(page)
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert len(reader.addresses) == 2 * 5
    assert all(a.startswith("data:image/png;base64,") for a in reader.addresses)
    assert "@import" not in page and "url(" not in page
    text = "".join(reader.text)
    assert INJECTION in text  # shown as text
    assert "weights: the stored ones are not the network's" in text
    assert re.search(r"Passed: all 6 gates", text)
    assert str(Path(__file__).parent) not in page


def test_a_gate_that_fails_stands_at_the_top(inputs: ReportInputs) -> None:
    reference: Callable[[Any], Any] = lambda windows: -logits(windows)  # noqa: E731
    changed = {**vars(inputs), "reference": reference, "pairs": {}, "network": None}
    report, pictures = build_report(ReportInputs(**changed))
    assert report["verdict"] == "failed"
    text = "".join(read(render(report, pictures)).text)
    assert text.index("Failed: ") < text.index("fails") < text.index("holds")
    assert "layers" not in pictures


def test_a_file_without_a_float_network_is_not_judged(inputs: ReportInputs) -> None:
    lone = [path for path in inputs.paths if path.name == "tiny.tflite"]
    changed = {**vars(inputs), "reference": None, "pairs": {}, "network": None, "paths": lone}
    report, pictures = build_report(ReportInputs(**changed))
    assert (report["verdict"], report["gates"], report["engines"]) == ("not judged", [], {})
    assert "Not judged" in render(report, pictures)


def test_clips_without_labels(inputs: ReportInputs) -> None:
    clips = [HeldOutClip(c.name, None, c.windows) for c in inputs.held_out]
    changed = {**vars(inputs), "held_out": clips, "pairs": {}, "network": None}
    report, pictures = build_report(ReportInputs(**changed))
    assert report["engines"]["onnx"]["float"] is None
    assert len(report["gates"]) == 4  # no macro-F1
    assert "none with a known label" in render(report, pictures)
    assert "confusion" not in pictures
