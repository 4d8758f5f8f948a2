"""The golden self-check that each model file carries."""

from __future__ import annotations

from typing import Any

from babycry_edge import Model


def check_golden(name: str, model: Model) -> dict[str, Any]:
    """Golden audio -> features -> scores, on this machine, against what the file expects."""
    check = model.self_check()
    return {
        "model": name,
        "features_equal": bool(check.features_equal),
        "max_score_error": float(check.max_score_error),
        "tolerance": float(model.metadata.golden.score_tolerance),
        "passed": bool(check.passed),
    }
