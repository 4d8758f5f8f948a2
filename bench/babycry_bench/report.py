"""The report as data, and as the JSON that ``bench --json`` promises."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 1

Record = dict[str, Any]
"""A part of the report, made of what JSON can hold."""


@dataclass
class Report:
    """Everything that was measured. ``gates`` and ``passed`` follow from the rest."""

    build: Record
    machine: Record
    models: list[Record] = field(default_factory=list)
    stages: list[Record] = field(default_factory=list)
    parity: Record = field(default_factory=dict)
    gates: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    passed: bool = False

    def to_dict(self) -> Record:
        """The object of ``bench --json``."""
        return {
            "schema_version": SCHEMA_VERSION,
            "build": self.build,
            "machine": self.machine,
            "models": self.models,
            "stages": self.stages,
            "parity": self.parity,
            "gates": self.gates,
            "warnings": self.warnings,
            "passed": self.passed,
        }

    def to_json(self) -> str:
        """Indented JSON; NaN and infinity, which JSON lacks, become null."""
        return json.dumps(_finite(self.to_dict()), indent=2, allow_nan=False) + "\n"


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node
