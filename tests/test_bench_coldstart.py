"""Cold start and memory, measured in fresh processes."""

import sys
from pathlib import Path

import numpy as np
import pytest

from babycry_bench.timing.coldstart import cold_start
from babycry_edge.errors import BabycryError

TINY = Path(__file__).parent / "fixtures" / "tiny.tflite"
MIB = 1024 * 1024


@pytest.fixture
def engine() -> str:
    pytest.importorskip("ai_edge_litert", reason="pip install 'babycry-edge[tflite]'")
    return "litert"


def test_cold_start_measures_every_step_up_to_the_first_score(engine: str) -> None:
    start = cold_start(TINY, engine, repeats=2)
    steps = ("import_ms", "first_features_ms", "load_ms", "first_inference_ms")
    assert all(start[step] > 0 for step in steps)
    assert start["total_ms"] <= start["process_ms"]
    assert start["self_check_ms"] > 0
    assert start["repeats"] == 2


def test_peak_memory_is_that_of_the_fresh_process_and_not_its_parents(engine: str) -> None:
    ballast = np.ones(400 * MIB, np.uint8)
    start = cold_start(TINY, engine, repeats=1)
    assert ballast.sum() == ballast.size
    assert 5 * MIB < start["frontend_rss_bytes"] < start["peak_rss_bytes"] < 300 * MIB


def test_a_package_in_the_current_folder_is_not_measured_by_mistake(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "babycry_edge").mkdir()
    (tmp_path / "babycry_edge" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    assert cold_start(TINY, engine, repeats=1)["total_ms"] > 0


def test_a_process_that_fails_is_one_line_that_names_the_model(tmp_path: Path) -> None:
    model = tmp_path / "broken.tflite"
    model.write_bytes(b"not a model")
    with pytest.raises(BabycryError, match=r"broken\.tflite: the cold-start process failed") as e:
        cold_start(model, None, repeats=1)
    assert "\n" not in str(e.value)
