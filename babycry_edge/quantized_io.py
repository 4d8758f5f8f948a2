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
        return values.astype(info.dtype, copy=False)
    limits = np.iinfo(info.dtype)
    steps = np.rint(values / np.float32(info.scale)) + np.float32(info.zero_point)
    return np.clip(steps, limits.min, limits.max).astype(info.dtype)


def dequantize(stored: npt.NDArray[Any], info: TensorInfo) -> npt.NDArray[np.float32]:
    """The real numbers that a tensor's stored values stand for, float32."""
    if info.scale is None or info.zero_point is None:
        return stored.astype(np.float32, copy=False)
    steps = stored.astype(np.int32) - np.int32(info.zero_point)
    return steps.astype(np.float32) * np.float32(info.scale)
