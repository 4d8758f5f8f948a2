"""Signal-to-quantisation-noise ratio in decibels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

#: Stands for "equal": more than float32 can tell apart in a sum of squares.
EQUAL_DB = 120.0


def sqnr_db(signal_energy: float, noise_energy: float) -> float:
    """10 log10(signal / noise), within +-``EQUAL_DB``; no noise at all gives ``EQUAL_DB``."""
    if noise_energy <= 0.0:
        return EQUAL_DB
    if signal_energy <= 0.0:
        return -EQUAL_DB
    ratio = 10.0 * math.log10(signal_energy) - 10.0 * math.log10(noise_energy)
    return min(EQUAL_DB, max(-EQUAL_DB, ratio))


def energy(values: npt.NDArray[Any]) -> float:
    """Sum of squares in double precision."""
    flat = np.asarray(values, np.float64).reshape(-1)
    return float(flat @ flat)
