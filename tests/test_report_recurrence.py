"""Layers of a TFLite file in parts: every cell is compared at every step of the loop."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

import report_models as models

torch = pytest.importorskip("torch")
pytest.importorskip("litert_torch")
pytest.importorskip("ai_edge_quantizer")

from torch import nn  # noqa: E402  (after the skips)

from babycry_convert.hub import Network  # noqa: E402
from babycry_convert.recurrence import RecurrentFiles, convert_recurrent  # noqa: E402
from babycry_convert.report.arena import estimate_arena  # noqa: E402
from babycry_convert.report.layers import compare_layers, parts_left_out  # noqa: E402
from babycry_convert.report.support import operator_support  # noqa: E402

T, F, HIDDEN = 24, 12, 8


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, stride=(2, 2), padding=1)
        self.recurrent = nn.GRU(4 * F // 2, HIDDEN, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * HIDDEN, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        image = torch.relu(self.convolution(x))
        sequence = image.permute(0, 2, 1, 3).reshape(-1, T // 2, 4 * F // 2)
        logits: torch.Tensor = self.head(self.recurrent(sequence)[0].mean(1))
        return logits


def windows(count: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(3).standard_normal((count, T, F)).astype(np.float32)


@cache
def files() -> RecurrentFiles:
    torch.manual_seed(1)
    made = convert_recurrent(
        Network(Recurrent().eval(), (T, F), 3, "custom", "test"), windows(24), form="cell"
    )
    assert made is not None and made.recurrence is not None
    return made


def test_a_damaged_layer_of_any_part_comes_first() -> None:
    made = files()
    layers = models.tflite_layers(made.int8_tflite)
    cells = [layer for layer in layers if layer.startswith("cell_")]
    assert len(cells) >= 2 * 3  # two directions, three gates
    for layer in (layers[0], *cells[::4], layers[-1]):
        damaged = models.damage_tflite_weights(made.int8_tflite, layer, 1.5)
        ranking = compare_layers(
            made.float_tflite, damaged, "tflite", windows(6), recurrence=made.recurrence
        )
        assert (ranking[0].tensor, ranking[0].cause) == (layer, "weights")
        assert ranking[0].part == (layer.split("/")[0] if layer in cells else ranking[0].part)


def test_a_sound_file_has_no_cause_and_counts_each_input_once() -> None:
    made = files()
    ranking = compare_layers(
        made.float_tflite, made.int8_tflite, "tflite", windows(6), recurrence=made.recurrence
    )
    assert {layer.part for layer in ranking} == {
        "body",
        "cell_0_forward",
        "cell_0_backward",
        "head",
    }
    assert all(layer.cause == "" and layer.local_sqnr_db > 25 for layer in ranking)
    assert [layer.part for layer in ranking if layer.operator == "input"] == ["body"]
    assert parts_left_out(made.int8_tflite, made.recurrence) == []


def test_without_the_loop_the_first_part_is_compared_and_the_rest_named() -> None:
    made = files()
    ranking = compare_layers(made.float_tflite, made.int8_tflite, "tflite", windows(6))
    assert {layer.part for layer in ranking} == {"body"}
    assert parts_left_out(made.int8_tflite, None) == ["cell_0_forward", "cell_0_backward", "head"]


def test_arena_and_support_of_a_file_in_parts() -> None:
    model = files().int8_tflite
    sequence = T // 2 * 2 * HIDDEN
    assert estimate_arena(model) > sequence + 2 * HIDDEN
    old = next(s for s in operator_support(model, "tflite") if s.target == "tflite-runtime 2.14")
    assert old.supported is True
