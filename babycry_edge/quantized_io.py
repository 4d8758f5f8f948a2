"""Real numbers to and from a tensor's stored integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.model_file import TensorInfo


def quantize(values: npt.NDArray[np.float32], info: TensorInfo) -> npt.NDArray[Any]:
    """``values`` as the tensor stores them: rounded half to even, clamped to the dtype's range.

    A tensor without a scale takes the values as they are.
    """
    if info.scale is None or info.zero_point is None:
        as_stored: npt.NDArray[Any] = values.astype(info.dtype, copy=False)
        return as_stored
    limits = np.iinfo(info.dtype)
    steps = np.rint(values / np.float32(info.scale)) + np.float32(info.zero_point)
    clamped: npt.NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(info.dtype)
    return clamped


def dequantize(stored: npt.NDArray[Any], info: TensorInfo) -> npt.NDArray[np.float32]:
    """The real numbers that a tensor's stored values stand for, float32."""
    if info.scale is None or info.zero_point is None:
        return np.asarray(stored, dtype=np.float32)
    steps = stored.astype(np.int32) - np.int32(info.zero_point)
    return np.asarray(steps * np.float32(info.scale), dtype=np.float32)
