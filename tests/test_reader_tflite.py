"""TFLite files taken as they are: the audit tells what is in them; damaged ones, one line each."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from babycry_edge.errors import BabycryError

pytest.importorskip("ai_edge_litert")
pytest.importorskip("flatbuffers")

from babycry_convert.flatbuffer_model import pack, unpack
from babycry_convert.readers import ReadRequest, find_reader, tflite_model

MODELS = Path(__file__).parent / "models"
DETECTOR = ReadRequest(2, (100, 64), "NCTF")


@pytest.fixture(scope="module")
def data() -> bytes:
    return (MODELS / "fold0.tflite").read_bytes()


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda path: path.name)
def test_the_projects_own_files_pass_unchanged(path: Path) -> None:
    assert find_reader(path) == "tflite_model"
    taken = tflite_model.read(path, DETECTOR)
    assert taken.data == path.read_bytes()
    assert taken.format == "tflite"
    assert "7 CONV_2D" in taken.note
    findings = tflite_model.audit(taken.data)
    assert findings["float_operators"] == {}
    assert findings["per_channel_weights"] == 16
    assert findings["per_tensor_weights"] == findings["unaligned_buffers"] == 0
    assert findings["last_operator"] == "FULLY_CONNECTED"
    json.dumps(findings)


def test_a_keyword_spotter_of_others(shared: Path) -> None:
    path = shared / "models" / "mlperf-tiny" / "kws_ref_model.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    taken = tflite_model.read(path, ReadRequest(12, (49, 10), "NCTF"))
    assert "ends in SOFTMAX: its outputs are scores already" in taken.note
    assert "1 weights have one scale for all channels" in taken.note
    assert tflite_model.audit(taken.data)["tensor_dtypes"] == {"int32": 11, "int8": 24}


def test_yamnet_behind_its_front_end(shared: Path) -> None:
    path = shared / "models" / "yamnet_spectra_in.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    taken = tflite_model.read(path, ReadRequest(521, (96, 64), "NCTF"))
    findings = tflite_model.audit(taken.data)
    assert findings["inputs"][0]["dtype"] == "float32"
    assert findings["unaligned_buffers"] == 47
    assert "47 buffers are not aligned" in taken.note
    assert findings["last_operator"] == "LOGISTIC"


def test_dynamic_range_weights_are_named(shared: Path) -> None:
    path = shared / "models" / "yamnet.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    findings = tflite_model.audit(path.read_bytes())
    assert findings["dynamic_range_operators"] == {
        "CONV_2D": 13,
        "DEPTHWISE_CONV_2D": 11,
        "FULLY_CONNECTED": 2,
    }
    assert findings["float_operators"]["CONV_2D"] == 14


def changed(data: bytes, change: Any) -> bytes:
    root = unpack(data)
    change(root)
    return pack(root)


def test_custom_operators_and_whole_tensor_scales_are_found(data: bytes) -> None:
    def change(root: Any) -> None:
        root.operatorCodes[0].builtinCode = root.operatorCodes[0].deprecatedBuiltinCode = 32
        root.operatorCodes[0].customCode = "Strange"
        graph = root.subgraphs[0]
        for operator in graph.operators:
            if len(operator.inputs) > 1:
                weights = graph.tensors[operator.inputs[1]].quantization
                if weights is not None and weights.scale is not None:
                    weights.scale = weights.scale[:1]

    findings = tflite_model.audit(changed(data, change))
    assert findings["custom_operators"] == ["CUSTOM::Strange"]
    assert findings["per_tensor_weights"] > 0
    assert findings["per_channel_weights"] == 0


def test_a_float_operator_left_is_found(data: bytes) -> None:
    def change(root: Any) -> None:
        graph = root.subgraphs[0]
        graph.tensors[graph.operators[3].outputs[0]].type = 0

    findings = tflite_model.audit(changed(data, change))
    assert sum(findings["float_operators"].values()) == 1


def one_line(path: Path, wanted: ReadRequest, match: str) -> None:
    with pytest.raises(BabycryError, match=match) as caught:
        tflite_model.read(path, wanted)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        (ReadRequest(3, (100, 64), "NCTF"), r"gives \[1, 2\], but the recipe has 3 labels"),
        (ReadRequest(2, (50, 64), "NCTF"), r"takes \[1, 100, 64, 1\].* window is 50 x 64"),
        (ReadRequest(2, (64, 100), "NCTF"), "window is 64 x 100"),
    ],
)
def test_sizes_that_do_not_fit(wanted: ReadRequest, match: str) -> None:
    one_line(MODELS / "fold0.tflite", wanted, match)


def test_other_borders(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"

    def two_outputs(root: Any) -> None:
        graph = root.subgraphs[0]
        graph.outputs = [graph.outputs[0], graph.operators[0].outputs[0]]

    def text(root: Any) -> None:
        root.subgraphs[0].tensors[root.subgraphs[0].inputs[0]].type = 5

    def without_scale(root: Any) -> None:
        root.subgraphs[0].tensors[root.subgraphs[0].inputs[0]].quantization = None

    for change, match in (
        (two_outputs, "1 inputs and 2 outputs"),
        (text, "is string: float32 or int8 fit"),
        (without_scale, "int8 without a scale"),
    ):
        path.write_bytes(changed(data, change))
        one_line(path, DETECTOR, match)


def test_damaged_files_give_one_line(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    for seed in range(20):
        path.write_bytes(data[: random.Random(seed).randrange(len(data) - 1)])
        one_line(path, DETECTOR, "malformed or truncated")
    refused = 0
    for seed in range(60):
        chance = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 8, 64])):
            damaged[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            tflite_model.read(path, DETECTOR)
        except BabycryError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 10
