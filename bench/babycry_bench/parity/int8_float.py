"""What int8 cost: a shipped file's scores against the float network's, on every clip."""

from __future__ import annotations

from typing import Any

from babycry_bench.expected import Expected
from babycry_bench.parity.scores import ClipScore, disagreement


def check_int8_float(
    model: str, name_in_metadata: str, scores: list[ClipScore], expected: Expected
) -> dict[str, Any]:
    """The record of one model file; skipped where the float scores of its network are unknown."""
    if not expected.has_float_scores(name_in_metadata):
        return {"model": model, "skipped": f"no float scores of '{name_in_metadata}' to hand"}
    reference = [expected.float_score(name_in_metadata, score.clip) for score in scores]
    return {"model": model, **disagreement(scores, reference).to_dict("error")}
