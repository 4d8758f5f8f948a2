"""A model file under test in one engine, opened once for all measurements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_edge import Detector, Model
from babycry_edge.engines import engines_for
from babycry_edge.model_file import ModelFile
from babycry_edge.model_reader import read_model_file

_INTEGERS = ("int8", "uint8")
_QUANTIZING = ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QUANTIZE")


@dataclass(frozen=True)
class Configuration:
    """A file, the engine that runs it (None: the preferred one) and the threads of one inference.

    ``name`` is what the report calls it.
    """

    name: str
    path: Path
    engine: str | None
    threads: int


def configurations(
    paths: Sequence[Path], engines: Sequence[str], threads: Sequence[int]
) -> list[Configuration]:
    """Every file in each of ``engines`` that takes its format, with each number of threads.

    A file bears its bare name, or its path where two names are equal; then come in brackets an
    engine that is not the only one and a number of threads that is not 1.

    Raises:
        BabycryError: a file cannot be read.
    """
    bare = Counter(path.name for path in paths)
    found = []
    for path in dict.fromkeys(paths):
        name = path.name if bare[path.name] == 1 else str(path)
        chosen = _engines_of(path, engines)
        for engine in chosen:
            for count in dict.fromkeys(threads):
                remarks = [str(engine)] if len(chosen) > 1 else []
                remarks += [f"{count} threads"] if count != 1 else []
                title = f"{name} ({', '.join(remarks)})" if remarks else name
                found.append(Configuration(title, path, engine, count))
    return found


def _engines_of(path: Path, engines: Sequence[str]) -> list[str | None]:
    """Those of ``engines`` that run the file; the first one where none does, for its message."""
    if not engines:
        return [None]
    taking = engines_for(read_model_file(path)[1].format) if len(engines) > 1 else engines
    return [engine for engine in engines if engine in taking] or [engines[0]]


@dataclass(frozen=True)
class BenchModel:
    """``name`` is what the report calls it."""

    name: str
    path: Path
    threads: int
    model: Model
    detector: Detector

    @classmethod
    def open(cls, configuration: Configuration) -> BenchModel:
        """Load the file without its self-check, which the bench runs and reports by itself.

        Raises:
            BabycryError: the file cannot be read, has no metadata, or no engine can run it.
        """
        path, threads = configuration.path, configuration.threads
        model = Model.load(path, engine=configuration.engine, verify=False, threads=threads)
        return cls(configuration.name, path, threads, model, Detector(model))

    @property
    def precision(self) -> str:
        """The schema's ``precision``."""
        return precision(self.model.file)

    def describe(self) -> dict[str, Any]:
        """The model's record in the report, without its measurements."""
        metadata = self.model.metadata
        return {
            "model": self.name,
            "path": str(self.path),
            "format": self.model.file.format,
            "precision": self.precision,
            "sha256": self.model.file.sha256,
            "size_bytes": self.model.file.size,
            "engine": self.model.engine,
            "engine_version": self.model.engine_version,
            "threads": self.threads,
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


def precision(file: ModelFile) -> str:
    """ "int8" where the network's tensors are integers, "float32" otherwise.

    A file of integers has them at its border, or operators that lead from and to real numbers.
    """
    at_the_border = any(tensor.dtype in _INTEGERS for tensor in (*file.inputs, *file.outputs))
    inside = any(name in _QUANTIZING for name, _ in file.operators)
    return "int8" if at_the_border or inside else "float32"
