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

#: Largest difference allowed: a share of how far the outputs move with the input, or of the
#: largest output, where rounding alone is more than that.
TOLERANCE = 1e-4
ROUNDING = 1e-5

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
    results, expected = [], []
    for seed in _SEEDS:
        noise = np.random.default_rng(seed)
        for batch in batches:
            inputs = noise.standard_normal((batch, *shape[1:])).astype(np.float32)
            expected.append(_run(session, inputs, fixed=shape[0]))
            with torch.no_grad():
                results.append(module(torch.from_numpy(inputs)).numpy())
            if results[-1].shape != expected[-1].shape:
                raise BabycryError(
                    f"the ONNX model was misread: torch gives {results[-1].shape}, "
                    f"onnxruntime {expected[-1].shape}"
                )
            if (
                expected[-1].shape[:1] != (batch,)
                or expected[-1].shape[1:] != expected[0].shape[1:]
            ):
                raise BabycryError("the first axis of the ONNX model's output is not the batch")
    _compare(np.concatenate(results), np.concatenate(expected))


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
    if not np.isfinite(expected).all():
        raise BabycryError("the ONNX model gives values that are not finite on ordinary input")
    if not expected.size:
        raise BabycryError("the ONNX model gives no values")
    largest = float(np.abs(expected).max())
    moved = float(np.abs(expected - expected.mean(axis=0)).max())
    error = float(np.abs(result - expected).max())
    if not error <= max(TOLERANCE * moved, ROUNDING * largest):
        raise BabycryError(
            f"the ONNX model was misread: torch and onnxruntime differ by {error:.2g} "
            f"of {largest:.2g}"
        )


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0][:300] if text else type(error).__name__
