"""The automatic choice: least measured loss, stops early, repeats byte for byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("litert_torch")
pytest.importorskip("ai_edge_quantizer")

from torch import nn  # noqa: E402

from babycry_convert import choose as choosing  # noqa: E402
from babycry_convert.choose import Choice, Figures, choose, compare, scores  # noqa: E402
from babycry_convert.hub import Network  # noqa: E402
from babycry_convert.recipe import CalibrationPlan, Gates, Layers  # noqa: E402
from babycry_convert.targets import ONNX, TFLITE  # noqa: E402

Windows = npt.NDArray[np.float32]
SHAPE = (16, 12)


def draw(count: int, seed: int) -> Windows:
    return np.random.default_rng(seed).standard_normal((count, *SHAPE)).astype(np.float32)


def network(scale: float = 1.0) -> Network:
    """A small convolutional network; ``scale`` 30 gives clear answers."""
    torch.manual_seed(11)
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 4 * 3, 3),
    ).eval()
    with torch.no_grad():
        module[5].weight.mul_(scale)
        module[5].bias.zero_()
    return Network(module, SHAPE, 3, "custom", "test")


def spiked(windows: Windows) -> Windows:
    """One window whose values are two hundred times too large: minimum and maximum follow it."""
    changed = windows.copy()
    changed[3] *= 200.0
    return changed


@pytest.fixture(scope="module")
def outliers() -> Choice:
    return choose(network(10.0), spiked(draw(64, 1)), draw(48, 2), targets=(ONNX,))


def test_the_least_loss_wins(outliers: Choice) -> None:
    file = outliers.files["onnx"]
    losses = [candidate.figures.loss for candidate in file.candidates]
    assert file.figures.loss == min(losses)
    assert file.candidates[0].settings.ranges.method == "min_max"
    # The outlier takes 99 % of the levels; every other method leaves it out.
    assert file.settings.ranges.method != "min_max"
    assert file.figures.loss < 0.5 * losses[0]


def test_the_bytes_are_those_that_were_measured(outliers: Choice) -> None:
    file = outliers.files["onnx"]
    held_out = draw(48, 2)
    expected = network(10.0).logits(held_out)
    measured = ONNX.logits(file.int8_model, held_out)
    assert compare(expected, measured, "softmax") == file.figures


def test_a_negligible_loss_ends_the_search() -> None:
    choice = choose(network(), draw(32, 1), draw(24, 1), gates=Gates(mean_score_drift=0.003))
    assert set(choice.files) == {"onnx", "tflite"}
    for file in choice.files.values():
        tried = [str(c.settings) for c in file.candidates]
        assert tried == ["min_max", "sample_quantile 97"]
        assert file.figures.loss <= choosing.NEGLIGIBLE_LOSS
        assert file.float_operators in ((), ("Flatten",))


def test_a_plan_with_a_method_tries_that_alone() -> None:
    plan = CalibrationPlan(method="percentile", percentile=99.0, equalize=True)
    choice = choose(network(10.0), draw(32, 1), draw(24, 2), plan, targets=(ONNX,))
    assert [str(c.settings) for c in choice.candidates] == ["percentile 99, equalised"]
    file = choice.files["onnx"]
    weight = file.network.module.get_parameter("0.weight")
    assert not torch.equal(weight, network(10.0).module.get_parameter("0.weight"))
    # The float file is the network's own, not the one that was prepared for int8.
    assert file.float_model == ONNX.export(network(10.0))


@pytest.mark.parametrize("target", [ONNX, TFLITE], ids=["onnx", "tflite"])
def test_choosing_again_gives_the_same_bytes(target: Any) -> None:
    def run() -> Choice:
        plan = CalibrationPlan(equalize=True)
        return choose(network(10.0), spiked(draw(24, 1)), draw(24, 2), plan, targets=(target,))

    first, second = (run().files[target.format] for _ in range(2))
    assert first.int8_model == second.int8_model
    assert first.float_model == second.float_model
    assert [c.to_dict() for c in first.candidates] == [c.to_dict() for c in second.candidates]


def test_layers_leave_int8_only_when_the_gates_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "ACCEPTABLE_LOSS", 1.0)
    calibration, held_out = draw(32, 1), draw(24, 2)
    kept = choose(
        network(), calibration, held_out, gates=Gates(mean_score_drift=0.0), targets=(TFLITE,)
    )
    tried = [c.settings.keep_int16 for c in kept.candidates if c.settings.keep_int16]
    assert [len(layers) for layers in tried] == [1, 2, 3]
    assert set(tried[-1]) == {"0", "2", "5"}
    assert not any(c.settings.equalize or c.settings.correct_bias for c in kept.candidates)


def test_layers_of_the_recipe_stay_out_of_int8_in_every_candidate() -> None:
    choice = choose(
        network(10.0), draw(24, 1), draw(24, 2), layers=Layers(float=("2",)), targets=(TFLITE,)
    )
    assert {c.settings.keep_float for c in choice.candidates} == {("2",)}
    assert choice.files["tflite"].float_operators == ("CONV_2D", "RESHAPE", "TRANSPOSE")


def test_progress_names_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "NEGLIGIBLE_LOSS", 1.0)
    titles: list[tuple[str, int]] = []
    steps = 0

    def track(title: str, count: int) -> Any:
        titles.append((title, count))

        def advance() -> None:
            nonlocal steps
            steps += 1

        return advance

    choose(network(), draw(8, 1), draw(8, 1), targets=(ONNX,), progress=track)
    assert titles == [
        ("onnx: float file", 1),
        ("onnx: ranges", 16),
        ("onnx: min_max", 2),
        ("onnx: sample_quantile 97", 2),
    ]
    assert steps == 1 + 8 + 2 + 2


def test_figures_compare_answers_scores_and_logits() -> None:
    reference = np.array([[0.9, 0.1], [0.4, 0.6], [0.5, 0.5]])
    measured = np.array([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5]])
    figures = compare(np.log(reference), np.log(measured), "softmax")
    assert figures.agreement == pytest.approx(2 / 3)
    assert figures.mean_drift == pytest.approx(0.1)
    assert figures.max_drift == pytest.approx(0.2)
    assert figures.loss == pytest.approx(0.1 + figures.noise)
    assert figures.misses(Gates(), 3)
    assert not Figures(0.97, 0.05, 0.3, 0.0).misses(Gates(), 96)
    assert Figures(0.96, 0.05, 0.3, 0.0).misses(Gates(), 96)
    assert Figures(0.97, 0.05, 0.3, 0.0).misses(Gates(), 1000)
    assert Figures(1.0, 0.06, 0.3, 0.0).misses(Gates(), 96)
    # One output: the same side of one half.
    assert compare(np.array([[0.4], [0.6]]), np.array([[0.3], [0.4]]), "none").agreement == 0.5


def test_noise_is_the_error_of_the_logits_without_what_they_have_in_common() -> None:
    reference = np.array([[20.0, -20.0], [30.0, -30.0]])
    shifted = reference + 7.0
    assert compare(reference, shifted, "softmax").noise == pytest.approx(0.0)
    assert compare(reference, 1.1 * reference, "softmax").noise == pytest.approx(0.1)
    assert compare(reference, 1.1 * reference, "softmax").mean_drift < 1e-9


def test_scores_are_the_activations() -> None:
    logits = np.array([[0.0, np.log(3.0)]])
    np.testing.assert_allclose(scores(logits, "softmax"), [[0.25, 0.75]])
    np.testing.assert_allclose(scores(logits, "sigmoid"), [[0.5, 0.75]])
    np.testing.assert_allclose(scores(logits, "none"), logits)
