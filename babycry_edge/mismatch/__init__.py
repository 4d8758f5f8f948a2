"""Why features from somewhere else differ from ours: ``explain`` and the report on it."""

from babycry_edge.mismatch.explain import Difference, Explanation, explain
from babycry_edge.mismatch.report import record, sentence, settings
from babycry_edge.mismatch.sound import Recording
from babycry_edge.mismatch.target import read_features

__all__ = [
    "Difference",
    "Explanation",
    "Recording",
    "explain",
    "read_features",
    "record",
    "sentence",
    "settings",
]
