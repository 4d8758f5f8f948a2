"""The ONNX and the TFLite file of one network against each other, on every clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from babycry_bench.parity.scores import ClipScore, disagreement


@dataclass(frozen=True)
class ScoredFile:
    """A model file and what it said of every clip."""

    model: str
    name_in_metadata: str
    format: str
    scores: list[ClipScore]
    precision: str = "int8"


def check_onnx_tflite(files: list[ScoredFile]) -> list[dict[str, Any]] | dict[str, Any]:
    """A record for each pair of an ONNX and a TFLite file of one network and one precision.

    Skipped without a pair.
    """
    pairs = [
        (onnx, tflite)
        for onnx in files
        for tflite in files
        if (onnx.format, tflite.format) == ("onnx", "tflite")
        and (onnx.name_in_metadata, onnx.precision) == (tflite.name_in_metadata, tflite.precision)
    ]
    if not pairs:
        return {"skipped": "needs the .onnx and the .tflite of one network"}
    return [
        {
            "name": f"{onnx.model}, {tflite.model}",
            **disagreement(onnx.scores, tflite.scores).to_dict("difference"),
        }
        for onnx, tflite in pairs
    ]
