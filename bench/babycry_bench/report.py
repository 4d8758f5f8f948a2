"""The report as data, and as the JSON that ``bench --json`` promises."""

from __future__ import annotations

import json
import math
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from babycry_edge.errors import BabycryError

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


def write_beside_then_rename(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that a reader sees the old file or the whole new one.

    Raises:
        BabycryError: the folder is missing or cannot be written.
    """
    part: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        part = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except OSError as error:
        if part is not None:
            part.unlink(missing_ok=True)
        raise BabycryError(f"{path}: cannot be written: {error.strerror}") from None


def _finite(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_finite(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
