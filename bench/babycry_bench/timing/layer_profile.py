"""The time of each layer, where the engine tells: onnxruntime does, LiteRT's Python does not."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.bench_model import BenchModel
from babycry_bench.timing.stage_record import stage_record
from babycry_edge.engines.onnxruntime_engine import open_session, session_options
from babycry_edge.engines.quiet import quiet_stderr
from babycry_edge.extras import require
from babycry_edge.quantized_io import quantize

_WARMUP = 10
_MIN_RUNS, _MAX_RUNS = 20, 500
_MS_PER_US = 1e-3
_KERNEL = "_kernel_time"


def layer_records(
    model: BenchModel, windows: Sequence[npt.NDArray[np.float32]], seconds: float, audio_s: float
) -> list[dict[str, Any]]:
    """A ``layer`` stage for each operator that onnxruntime runs, in its order; none elsewhere.

    The engine's own profiler counts whole microseconds, and its reading of the clock is in them:
    layers that take one or two are told apart from each other no finer than that. Operators are
    those that are left after the engine has fused them.

    Args:
        model: in the engine under test.
        windows: ``(1, *window_shape)`` float32 each, taken in turn.
        seconds: about how long to run.
        audio_s: seconds of new audio that one run answers for.

    Raises:
        BabycryError: the engine refuses the model.
    """
    if model.model.engine != "onnxruntime":
        return []
    with tempfile.TemporaryDirectory() as folder:
        events = _profile(model, windows, seconds, Path(folder) / "profile")
    layers: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith(_KERNEL):
            continue
        operator = str(event["args"].get("op_name", ""))
        name = event["name"].removesuffix(_KERNEL)
        index = str(event["args"].get("node_index", name))
        layer = layers.setdefault(index, {"name": name, "operator": operator, "ms": []})
        layer["ms"].append(event["dur"] * _MS_PER_US)
    return [
        stage_record(
            layer["ms"][_WARMUP:],
            clock="wall",
            stage="layer",
            model=model.name,
            layer=f"{place} {layer['name']}",
            operator=layer["operator"],
            audio_s=audio_s,
            warmup=_WARMUP,
        )
        for place, layer in enumerate(layers.values())
    ]


def _profile(
    model: BenchModel, windows: Sequence[npt.NDArray[np.float32]], seconds: float, prefix: Path
) -> list[dict[str, Any]]:
    """The events of the engine's profiler over some runs of the network."""
    ort = require("onnxruntime", "onnx")
    options = session_options(ort, model.threads)
    options.enable_profiling = True
    options.profile_file_prefix = str(prefix)
    with quiet_stderr():
        session = open_session(ort, model.path.read_bytes(), options)
    name = session.get_inputs()[0].name
    tensors = [_input_tensor(model, window) for window in windows]
    end = time.monotonic() + seconds
    runs = 0
    while runs < _WARMUP + _MIN_RUNS or (time.monotonic() < end and runs < _WARMUP + _MAX_RUNS):
        session.run(None, {name: tensors[runs % len(tensors)]})
        runs += 1
    events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text())
    return events


def _input_tensor(model: BenchModel, window: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """The window as the file's input takes it, batch 1."""
    info, metadata = model.model.file.inputs[0], model.model.metadata
    values = window if metadata.standardize is None else metadata.standardize.apply(window)
    return quantize(values.reshape([max(1, size) for size in info.shape]), info)
