"""The golden self-check that each model file carries."""

from __future__ import annotations

from typing import Any

from babycry_edge import Model
from babycry_edge.errors import BabycryError


def check_golden(name: str, model: Model) -> dict[str, Any]:
    """Golden audio -> features -> scores, on this machine, against what the file expects."""
    try:
        check = model.self_check()
    except BabycryError as error:
        return {"model": name, "features_equal": False, "passed": False, "error": str(error)}
    return {
        "model": name,
        "features_equal": check.features_equal,
        "max_score_error": check.max_score_error,
        "tolerance": check.tolerance,
        "passed": check.passed,
    }
