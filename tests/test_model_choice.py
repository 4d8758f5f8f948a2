"""Which files a run measures, and what each is compared with."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from babycry_bench.model_choice import accuracy_specs, choose_models
from babycry_bench.models import FLOAT_ONNX, FLOAT_TFLITE
from babycry_edge.errors import BabycryError
from babycry_edge.models import bundled

pytest.importorskip("onnxruntime", reason="pip install 'babycry-edge[onnx]'")
pytest.importorskip("ai_edge_litert", reason="pip install 'babycry-edge[tflite]'")

ONNX, TFLITE = bundled("cry.onnx"), bundled("cry.tflite")


def test_the_bundled_files_are_measured_and_with_float_the_networks_behind_them() -> None:
    assert choose_models(None, None, False) == ([ONNX, TFLITE], [])
    assert choose_models(None, None, True)[0] == [ONNX, TFLITE, FLOAT_ONNX, FLOAT_TFLITE]
    assert choose_models(None, "onnxruntime", True)[0] == [ONNX, FLOAT_ONNX]


def test_a_models_own_float_file_is_the_one_beside_it(tmp_path: Path) -> None:
    model, beside = tmp_path / "mine.onnx", tmp_path / "mine_float.onnx"
    shutil.copy(Path(__file__).parent / "models/fold1.onnx", model)
    with pytest.raises(BabycryError, match=r"--float wants mine_float\.onnx beside it"):
        choose_models([model], None, True)
    with pytest.raises(BabycryError, match=r"--data wants mine_float\.onnx beside it"):
        accuracy_specs([model], None, "ours")
    shutil.copy(Path(__file__).parent / "models/fold1_float.onnx", beside)
    assert choose_models([model], None, True)[0] == [model, beside]
    (spec,) = accuracy_specs([model, beside], None, "ours")
    assert (spec.model_path, spec.reference_model_path) == (model, beside)


def test_the_reference_is_librosa_where_it_has_every_axis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("librosa", reason="pip install 'babycry-edge[oracle]'")
    assert accuracy_specs([ONNX], None, None)[0].reference_frontend == "librosa"
    assert accuracy_specs([ONNX], None, "ours")[0].reference_frontend == "ours"
    monkeypatch.setitem(sys.modules, "librosa", None)
    assert accuracy_specs([ONNX], None, None)[0].reference_frontend == "ours"


def test_an_absent_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BabycryError, match="no such file"):
        choose_models([tmp_path / "absent.onnx"], None, False)
