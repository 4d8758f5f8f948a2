"""Whether a network read from an ONNX file gives what onnxruntime gives for the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from babycry_convert.quiet import quiet
from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    import onnx

#: Largest difference allowed, as a share of the largest output.
TOLERANCE = 1e-4

_SEEDS = (11, 12)


def check_agreement(
    proto: onnx.ModelProto, module: nn.Module, shape: tuple[int, ...], batches: tuple[int, ...]
) -> None:
    """Compare ``module`` with the file on random inputs of ``shape`` at each batch size.

    ``shape`` is the file's input; its first size 0 means an open batch. A file with a fixed batch
    of 1 is run once for each input of a batch.

    Raises:
        BabycryError: onnxruntime refuses the file, or a result differs.
    """
    session = _session(proto)
    for seed in _SEEDS:
        noise = np.random.default_rng(seed)
        for batch in batches:
            inputs = noise.standard_normal((batch, *shape[1:])).astype(np.float32)
            expected = _run(session, inputs, fixed=shape[0])
            with torch.no_grad():
                result = module(torch.from_numpy(inputs)).numpy()
            _compare(result, expected)


def _session(proto: onnx.ModelProto) -> object:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        with quiet():
            return onnxruntime.InferenceSession(
                proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
    except Exception as error:  # onnxruntime's own kinds share only this base
        raise BabycryError(f"onnxruntime refuses the ONNX model: {_first_line(error)}") from None


def _run(session: object, inputs: np.ndarray, fixed: int) -> np.ndarray:
    name = session.get_inputs()[0].name
    size = fixed or len(inputs)
    parts = []
    try:
        with quiet():
            for start in range(0, len(inputs), size):
                part = inputs[start : start + size]
                parts.append(session.run(None, {name: part})[0])
    except Exception as error:  # as above
        raise BabycryError(f"onnxruntime cannot run the ONNX model: {_first_line(error)}") from None
    return np.concatenate(parts)


def _compare(result: np.ndarray, expected: np.ndarray) -> None:
    if result.shape != expected.shape:
        raise BabycryError(
            f"the ONNX model was misread: torch gives {result.shape}, onnxruntime {expected.shape}"
        )
    if not np.isfinite(expected).all():
        raise BabycryError("the ONNX model gives values that are not finite on ordinary input")
    largest = max(float(np.abs(expected).max(initial=0.0)), 1e-6)
    error = float(np.abs(result - expected).max(initial=0.0))
    if not error <= TOLERANCE * largest:
        raise BabycryError(
            f"the ONNX model was misread: torch and onnxruntime differ by {error:.2g} "
            f"of {largest:.2g}"
        )


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:300] if text else type(error).__name__
