"""A model file under test, opened once for all measurements."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_edge import Detector, Model


@dataclass(frozen=True)
class BenchModel:
    """``name`` is what the report calls it."""

    name: str
    path: Path
    model: Model
    detector: Detector

    @classmethod
    def open(cls, path: Path, engine: str | None, name: str) -> BenchModel:
        """Load ``path`` without its self-check, which the bench runs and reports by itself.

        Raises:
            BabycryError: the file cannot be read, has no metadata, or no engine can run it.
        """
        model = Model.load(path, engine=engine, verify=False)
        return cls(name, path, model, Detector(model))

    def describe(self) -> dict[str, Any]:
        """The model's record in the report, without its measurements."""
        metadata = self.model.metadata
        return {
            "model": self.name,
            "path": str(self.path),
            "format": self.model.file.format,
            "sha256": self.model.file.sha256,
            "size_bytes": self.model.file.size,
            "engine": self.model.engine,
            "engine_version": self.model.engine_version,
            "input_dtypes": [tensor.dtype for tensor in self.model.file.inputs],
            "operators": dict(self.model.file.operators),
            "metadata": {
                "name": metadata.name,
                "created_with": metadata.created_with,
                "frontend": metadata.frontend.to_dict(),
                "window_frames": metadata.window_frames,
                "hop_frames": metadata.hop_frames,
                "labels": list(metadata.labels),
                "target": metadata.target,
                "threshold": metadata.threshold,
                "calibration_sha256": metadata.calibration_sha256,
            },
        }
