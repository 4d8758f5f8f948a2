"""What int8 may cost: a recipe's bounds against the figures of a conversion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from babycry_convert.recipe import Gates


@dataclass(frozen=True)
class GateResult:
    """One bound; ``passed`` says whether ``value`` keeps it. ``name`` says of which file it is."""

    name: str
    value: float
    bound: str
    passed: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Cost:
    """What one int8 file costs on held-out clips, from 0 to 1; None without labels."""

    agreement: float
    macro_f1_loss: float | None
    mean_score_drift: float


def judge(costs: dict[str, Cost], gates: Gates) -> list[GateResult]:
    """Every gate of every file; one that needs labels is left out where there are none."""
    results = []
    for name, cost in costs.items():
        results.append(
            GateResult(
                f"{name}: top-1 agreement with float",
                cost.agreement,
                f">= {gates.agreement:g}",
                cost.agreement >= gates.agreement,
            )
        )
        if cost.macro_f1_loss is not None:
            results.append(
                GateResult(
                    f"{name}: macro-F1 loss",
                    cost.macro_f1_loss,
                    f"<= {gates.macro_f1_loss:g}",
                    cost.macro_f1_loss <= gates.macro_f1_loss,
                )
            )
        results.append(
            GateResult(
                f"{name}: mean score drift",
                cost.mean_score_drift,
                f"<= {gates.mean_score_drift:g}",
                cost.mean_score_drift <= gates.mean_score_drift,
            )
        )
    return results
