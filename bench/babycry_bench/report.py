"""The report as data, and as the JSON that ``bench --json`` promises."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from babycry_bench.schema.validate import SCHEMA_VERSION

THIS_MACHINE = "this machine"

Record = dict[str, Any]
"""A part of the report, made of what JSON can hold: see ``schema/report.schema.json``."""


def now() -> str:
    """This moment as the schema's ``created``, in UTC."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Report:
    """Everything that was measured. ``gates`` and ``passed`` follow from the rest.

    ``accuracy`` is None without recordings to judge by, ``energy`` without a sensor; they are
    absent from the JSON then.
    """

    build: Record
    machine: Record
    models: list[Record] = field(default_factory=list)
    stages: list[Record] = field(default_factory=list)
    parity: Record = field(default_factory=dict)
    memory: Record = field(default_factory=dict)
    energy: Record | None = None
    accuracy: list[Record] | None = None
    targets: list[Record] = field(default_factory=list)
    gates: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    passed: bool = False
    target: str = THIS_MACHINE
    created: str | None = field(default_factory=now)

    def to_dict(self) -> Record:
        """The object of ``bench --json``; NaN and infinity, which JSON lacks, are null."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "kind": "report",
            "target": self.target,
            "created": self.created,
            "build": self.build,
            "machine": self.machine,
            "models": self.models,
            "stages": self.stages,
            "parity": self.parity,
            "memory": self.memory,
            "energy": self.energy,
            "accuracy": self.accuracy,
            "targets": self.targets,
            "gates": self.gates,
            "warnings": self.warnings,
            "passed": self.passed,
        }
        for name in ("energy", "accuracy"):
            if document[name] is None:
                del document[name]
        finite: Record = _finite(document)
        return finite

    def to_json(self) -> str:
        """:meth:`to_dict`, indented."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node
