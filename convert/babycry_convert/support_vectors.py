"""A two-class support vector machine with the radial kernel, as a torch module."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from babycry_edge.errors import BabycryError


class SupportVectors(nn.Module):
    """exp(-gamma |x - v|^2) of every support vector v, then a weighted sum d; gives (-d, d).

    The distances are one linear layer: |x|^2 - 2 x v + |v|^2.
    """

    def __init__(self, machine: Any, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        vectors = torch.tensor(machine.support_vectors_, dtype=torch.float64)
        gamma = float(machine._gamma)
        weights = torch.tensor(machine.dual_coef_, dtype=torch.float64)
        self.register_buffer("mean", mean.float())
        self.register_buffer("scale", scale.float())
        self.gamma = gamma
        self.products = nn.Linear(vectors.shape[1], len(vectors))
        self.products.weight = nn.Parameter((2 * gamma * vectors).float())
        self.products.bias = nn.Parameter((-gamma * (vectors**2).sum(dim=1)).float())
        self.decision = nn.Linear(len(vectors), 2)
        self.decision.weight = nn.Parameter(torch.cat((-weights, weights)).float())
        offset = float(machine.intercept_[0])
        self.decision.bias = nn.Parameter(torch.tensor((-offset, offset)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - self.mean) / self.scale
        near = self.products(x) - self.gamma * (x * x).sum(dim=-1, keepdim=True)
        decision: torch.Tensor = self.decision(torch.exp(near))
        return decision


def svm_to_torch(model: Any) -> SupportVectors:
    """An ``SVC`` with the radial kernel, alone or behind a ``StandardScaler``.

    Returns:
        A module from float32 (N, F) to the decision scores (N, 2) = (-d, d).

    Raises:
        BabycryError: another kernel, more than two classes, or other steps.
    """
    steps = [step for _, step in model.steps] if hasattr(model, "steps") else [model]
    machine = steps[-1]
    kinds = [type(step).__name__ for step in steps]
    if kinds not in (["SVC"], ["StandardScaler", "SVC"]):
        raise BabycryError(
            f"{' + '.join(kinds)}: only an SVC behind a StandardScaler goes to torch"
        )
    if machine.kernel != "rbf" or len(machine.classes_) != 2:
        raise BabycryError("only an SVC of two classes with the kernel rbf goes to torch")
    width = machine.n_features_in_
    mean, scale = torch.zeros(width), torch.ones(width)
    if len(steps) == 2:
        mean = mean if steps[0].mean_ is None else torch.tensor(steps[0].mean_)
        scale = scale if steps[0].scale_ is None else torch.tensor(steps[0].scale_)
    return SupportVectors(machine, mean, scale).eval()
