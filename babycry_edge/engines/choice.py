"""Which engine runs which file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from babycry_edge.engines.engine import Engine
from babycry_edge.engines.onnxruntime_engine import open_onnxruntime
from babycry_edge.engines.tflite_engine import open_litert, open_tflite_runtime
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Recurrence
from babycry_edge.model_file import ModelFormat


@dataclass(frozen=True)
class _Kind:
    format: ModelFormat
    package: str
    open: Callable[[bytes, int, Recurrence | None], Engine]


def _open_onnx(data: bytes, threads: int, recurrence: Recurrence | None) -> Engine:
    if recurrence is not None:
        raise BabycryError("metadata field recurrence is for tflite files, this is onnx")
    return open_onnxruntime(data, threads)


_KINDS = {
    "onnxruntime": _Kind("onnx", "onnxruntime", _open_onnx),
    "litert": _Kind("tflite", "ai_edge_litert", open_litert),
    "tflite-runtime": _Kind("tflite", "tflite_runtime", open_tflite_runtime),
}

#: Names that ``Model.load(engine=...)`` takes; of one format, the preferred one stands first.
ENGINES = tuple(_KINDS)


def open_engine(
    data: bytes,
    model_format: ModelFormat,
    name: str | None,
    threads: int,
    recurrence: Recurrence | None = None,
) -> Engine:
    """Load a model into an engine.

    Args:
        data: the model file's bytes.
        model_format: "onnx" or "tflite".
        name: one of ``ENGINES``; None takes the first installed one that runs the format.
        threads: threads of one inference.
        recurrence: the loop over the cells of a TFLite file in parts.

    Raises:
        BabycryError: an unknown name, an engine for the other format, a library that is not
            installed, or a model that the engine refuses.
    """
    if threads < 1:
        raise BabycryError(f"threads must be 1 or more, not {threads}")
    chosen = _preferred(model_format) if name is None else name
    kind = _KINDS.get(chosen)
    if kind is None:
        raise BabycryError(f"no engine {chosen!r}: choose from {', '.join(ENGINES)}")
    if kind.format != model_format:
        fitting = " or ".join(engines_for(model_format))
        raise BabycryError(
            f"engine {chosen} runs {kind.format} files and this is {model_format}: choose {fitting}"
        )
    return kind.open(data, threads, recurrence)


def engines_for(model_format: ModelFormat) -> list[str]:
    """Names of the engines that run files of this format, the preferred one first."""
    return [name for name, kind in _KINDS.items() if kind.format == model_format]


def _preferred(model_format: ModelFormat) -> str:
    """The first installed engine; the first of all where none is, for its message."""
    names = engines_for(model_format)
    installed = [name for name in names if find_spec(_KINDS[name].package) is not None]
    return (installed or names)[0]
