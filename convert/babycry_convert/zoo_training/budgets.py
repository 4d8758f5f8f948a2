"""How long each system is trained: one to three minutes on one core of a server of 2024."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Phase:
    """One cycle of the learning rate.

    ``size``: rows and columns of the image, for systems with image steps; None is the recipe's.
    Large networks see small images first, which costs a fraction of the time.
    """

    steps: int
    peak_rate: float
    size: int | None = None


@dataclass(frozen=True)
class Budget:
    """``train_hop`` divides the recipe's hop, so that short clips give more than one window.

    ``he_weights``: weights begin as He et al. (2015) draw them, which deep networks without batch
    norm need: torch's own shrink the signal layer by layer.
    ``masks``: SpecAugment. ``roll``: largest share of the window that it is turned in time, for
    windows that are much longer than the recordings. ``pretraining``: of the autoencoder.
    """

    phases: tuple[Phase, ...]
    batch: int = 32
    weight_decay: float = 0.02
    label_smoothing: float = 0.03
    train_hop: int = 4
    masks: bool = True
    roll: float = 0.0
    pretraining: Phase | None = None
    he_weights: bool = False
    safetensors: bool = False
    seed: int = 4


BUDGETS: dict[str, Budget] = {
    "base_cnn": Budget((Phase(700, 4e-3),)),
    "cnn": Budget((Phase(500, 3e-3),), roll=0.4),
    "cnn4": Budget((Phase(350, 1e-3),), he_weights=True),
    "crnn": Budget((Phase(300, 3e-3),), pretraining=Phase(80, 3e-3)),
    "dnn": Budget((Phase(2500, 3e-3),), batch=64, masks=False),
    "ds_cnn": Budget((Phase(1500, 4e-3),), batch=64),
    "efficientnet_b0": Budget((Phase(800, 2e-3, 64), Phase(300, 1e-3))),
    "genre_cnn": Budget((Phase(600, 2e-3),)),
    "genre_cnn_deep": Budget((Phase(600, 3e-3),), safetensors=True),
    "mobilenet_v2": Budget((Phase(400, 2e-3, 96), Phase(60, 5e-4))),
    "mobilenet_v3_large": Budget((Phase(500, 2e-3, 64), Phase(150, 1e-3))),
    "resnet18": Budget((Phase(450, 1.5e-3, 48), Phase(90, 5e-4))),
    "resnet50": Budget((Phase(300, 1.5e-3, 48), Phase(45, 4e-4))),
    "vggish_lstm": Budget((Phase(300, 1e-3),), he_weights=True),
    "yamnet_head": Budget((Phase(1000, 2e-3),), batch=64, train_hop=1, masks=False),
}


def shortened(budget: Budget, factor: float) -> Budget:
    """The same with that share of the steps, at least two a phase: for a quick look, or a test."""
    phases = tuple(_shorter(phase, factor) for phase in budget.phases)
    before = None if budget.pretraining is None else _shorter(budget.pretraining, factor)
    return replace(budget, phases=phases, pretraining=before)


def _shorter(phase: Phase, factor: float) -> Phase:
    return replace(phase, steps=max(2, round(phase.steps * factor)))
