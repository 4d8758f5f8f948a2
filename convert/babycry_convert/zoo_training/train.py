"""The training loop: AdamW, one cycle of the learning rate a phase, small images first."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from babycry_convert.hub_input import HubInput
from babycry_convert.recipe import Recipe
from babycry_convert.zoo_training.batches import Batches
from babycry_convert.zoo_training.budgets import Budget, Phase
from babycry_edge.windows import Windows

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

#: Windows behind the batch norms' means and variances where the image size has changed.
NORM_BATCHES = 16
EVALUATION_BATCH = 32


def make_repeatable(seed: int) -> None:
    """One thread, fixed seed: the same recordings and versions give the same weights."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)


def draw_he_weights(network: nn.Module) -> None:
    """He's normal weights and zero biases for every convolution and dense layer but the last."""
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers[:-1]:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def train_network(network: nn.Module, recipe: Recipe, batches: Batches, budget: Budget) -> None:
    """Train the author's ``network`` in place, behind the recipe's layout and image steps."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for phase in budget.phases:
        hub = _hub(network, recipe, phase.size).train()

        def loss(
            windows: torch.Tensor, classes: torch.Tensor, hub: nn.Module = hub
        ) -> torch.Tensor:
            return nn.functional.cross_entropy(
                hub(windows), classes, label_smoothing=budget.label_smoothing
            )

        trained = [p for p in network.parameters() if p.requires_grad]
        run_phase(recipe.name, trained, loss, batches, budget, phase)
    if recipe.image is not None:
        renew_batch_norms(_hub(network, recipe, None), batches, budget.batch)
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    network.eval()


def run_phase(
    name: str,
    parameters: list[nn.Parameter],
    loss: Loss,
    batches: Batches,
    budget: Budget,
    phase: Phase,
) -> None:
    """One cycle: ``phase.steps`` batches, the loss shown ten times."""
    optimizer = torch.optim.AdamW(parameters, lr=phase.peak_rate, weight_decay=budget.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, phase.peak_rate, phase.steps, pct_start=0.2
    )
    start, losses = time.monotonic(), []
    for step in range(1, phase.steps + 1):
        windows, classes = batches.draw(budget.batch, budget.masks, budget.roll)
        value = loss(torch.from_numpy(windows), torch.from_numpy(classes))
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        schedule.step()
        losses.append(value.item())
        if step % max(1, phase.steps // 10) == 0:
            bar = "#" * (24 * step // phase.steps)
            seconds = time.monotonic() - start
            line = f"{name:18} [{bar:24}] {step}/{phase.steps}  {seconds:.0f} s"
            print(f"{line}  loss {np.mean(losses):.3f}", file=sys.stderr, flush=True)
            losses.clear()


def renew_batch_norms(hub: nn.Module, batches: Batches, batch: int) -> None:
    """Take the batch norms' means and variances anew, from windows as the model will see them."""
    norms = [m for m in hub.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    hub.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    with torch.no_grad():
        for _ in range(NORM_BATCHES):
            hub(torch.from_numpy(batches.draw(batch)[0]))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def score_windows(network: nn.Module, recipe: Recipe, windows: Windows) -> npt.NDArray[np.float32]:
    """Logits ``(k, n_classes)`` of windows ``(k, T, F)``."""
    hub = _hub(network, recipe, None).eval()
    with torch.no_grad():
        parts = [
            hub(torch.from_numpy(np.array(windows[start : start + EVALUATION_BATCH])[:, None]))
            for start in range(0, len(windows), EVALUATION_BATCH)
        ]
    return np.asarray(torch.cat(parts).numpy())


def _hub(network: nn.Module, recipe: Recipe, size: int | None) -> nn.Module:
    image = recipe.image
    if image is not None and size is not None:
        image = replace(image, size=(size, size))
    hub = HubInput(network, recipe.architecture.layout, image, recipe.window_shape)
    if hub.channels is not None:
        hub.channels.requires_grad_(False)
    return hub
