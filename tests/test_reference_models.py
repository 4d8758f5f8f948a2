"""The detector's converted files, each fold's evaluated on the recordings it was not trained on.

``tests/models`` holds the five cross-validation networks as the build converted them.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("soundfile")

MODELS = Path(__file__).parent / "models"
CARD = Path(__file__).parents[1] / "babycry_edge/models/MODEL_CARD.md"
FILES = {
    "float": ("fold{}_float.onnx", "onnxruntime"),
    "int8 onnxruntime": ("fold{}.onnx", "onnxruntime"),
    "int8 litert": ("fold{}.tflite", "litert"),
}
INT8 = ("int8 onnxruntime", "int8 litert")


class Recordings:
    """Every labelled clip's features in every condition; figures are computed once."""

    def __init__(self, data: Path) -> None:
        from babycry_convert.reference.dataset import (
            FeatureExtractor,
            degrade,
            load_audio,
            quieter,
            read_manifest,
        )

        extract = FeatureExtractor()
        self.clips = read_manifest(data)
        audio = [load_audio(data, clip) for clip in self.clips]
        self.features = {
            "clean": [extract(samples) for samples in audio],
            "quieter": [extract(quieter(samples)) for samples in audio],
            "degraded": [extract(degrade(samples)) for samples in audio],
        }

    @cache  # noqa: B019
    def figures(self, system: str, condition: str) -> Any:
        from babycry_convert.reference.build import file_scorer
        from babycry_convert.reference.dataset import N_FOLDS
        from babycry_convert.reference.evaluate import figures, out_of_fold_scores

        name, engine = FILES[system]
        scorers = [file_scorer(MODELS / name.format(fold), engine) for fold in range(N_FOLDS)]
        scores = out_of_fold_scores(self.clips, self.features[condition], scorers)
        return figures(self.clips, scores)


@pytest.fixture(scope="module")
def recordings(shared: Path) -> Recordings:
    pytest.importorskip("torch")
    return Recordings(shared / "data")


@pytest.mark.parametrize("system", FILES)
def test_out_of_fold_detection_reaches_its_bars(recordings: Recordings, system: str) -> None:
    figures = recordings.figures(system, "clean")
    assert figures.n_clips == len(recordings.clips)
    assert figures.roc_auc >= 0.97
    assert figures.recall_at_5_percent >= 0.85


@pytest.mark.parametrize("system", FILES)
@pytest.mark.parametrize("condition", ["quieter", "degraded"])
def test_20_db_down_costs_at_most_a_hundredth_also_through_8_khz(
    recordings: Recordings, system: str, condition: str
) -> None:
    clean, changed = (recordings.figures(system, name) for name in ("clean", condition))
    assert clean.roc_auc - changed.roc_auc <= 0.01


@pytest.mark.parametrize("system", INT8)
@pytest.mark.parametrize("condition", ["clean", "quieter", "degraded"])
def test_int8_costs_at_most_half_a_hundredth(
    recordings: Recordings, system: str, condition: str
) -> None:
    floating = recordings.figures("float", condition).roc_auc
    assert floating - recordings.figures(system, condition).roc_auc <= 0.005


def test_model_card_states_the_figures_of_the_report_as_they_are() -> None:
    pytest.importorskip("torch")
    from babycry_convert.reference.build import figures_table

    report = json.loads((MODELS / "report.json").read_text())
    assert figures_table(report["systems"]) in CARD.read_text()


@pytest.mark.parametrize("system", FILES)
def test_report_is_what_the_committed_files_give(recordings: Recordings, system: str) -> None:
    stated = json.loads((MODELS / "report.json").read_text())["systems"][system]
    for condition, figures in stated.items():
        again = recordings.figures(system, condition)
        assert again.roc_auc == pytest.approx(figures["roc_auc"], abs=5e-4)
        assert again.recall_at_5_percent == pytest.approx(figures["recall_at_5_percent"], abs=5e-3)
