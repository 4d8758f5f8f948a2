"""The features from somewhere else, and what they show before any audio is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MIN_TIES = 3
"""So many equal extreme values are a floor or a ceiling and no coincidence."""


@dataclass(frozen=True)
class Target:
    """Features to be explained.

    Attributes:
        values: (n_frames, n_features) float64, deltas taken off.
        transposed: the array had the features first.
        rounding: "none", "float16" or "step".
        step: the step of the rounding, 0 without one.
        deltas: how many orders of deltas were appended, 0 to 2.
        delta_kind: one of DELTAS, or "none".
        limits: smallest and largest value of an integer dtype; infinite for floats.
        is_linear: ``values`` spread so far above 0 that no logarithm can have been taken.
    """

    values: Array
    transposed: bool
    rounding: str
    step: float
    deltas: int
    delta_kind: str
    is_linear: bool
    limits: tuple[float, float]

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    @property
    def free(self) -> Mask:
        """True where a value is neither at the floor nor at the ceiling."""
        low, high = self.floor, self.ceiling
        mask = np.ones(self.shape, bool)
        if low is not None:
            mask &= self.values > low + self.slack(low)
        if high is not None:
            mask &= self.values < high - self.slack(high)
        return mask

    @property
    def floor(self) -> float | None:
        """The smallest value, if it occurs so often that something clipped there."""
        return self._extreme(float(self.values.min()))

    @property
    def ceiling(self) -> float | None:
        """The largest value, if it occurs so often."""
        return self._extreme(float(self.values.max()))

    def clipped(self, features: Array) -> Array:
        """``features`` with the floor and ceiling that these have from their rounding to steps."""
        if self.rounding != "step":
            return features
        low, high = self.floor, self.ceiling
        return np.clip(features, -np.inf if low is None else low, np.inf if high is None else high)

    def _extreme(self, value: float) -> float | None:
        if value in self.limits:
            return value
        ties = np.count_nonzero(np.abs(self.values - value) <= 1e-6 * max(1.0, abs(value)))
        coarse = self.rounding != "none"
        return value if ties >= (10 * MIN_TIES if coarse else MIN_TIES) else None

    def slack(self, values: npt.ArrayLike) -> Any:
        """How far rounding may have moved each of ``values``."""
        size = np.abs(np.asarray(values, np.float64))
        if self.rounding == "float16":
            return 0.51 * np.spacing(size.astype(np.float16)).astype(np.float64) + 1e-7
        return 0.5 * self.step * (1 + 1e-4) + 1e-6 * size


def read_features(path: Path) -> npt.NDArray[Any]:
    """A .npy file's array of two axes; pickled objects are refused.

    Raises:
        BabycryError: the file is absent, is no .npy array, or the array cannot be features.
    """
    if not path.is_file():
        raise BabycryError(f"{path}: no such file")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        reason = "it holds pickled objects" if "allow_pickle" in str(error) else "no .npy array"
        raise BabycryError(
            f"{path}: cannot be read as features ({reason}): write it with numpy.save"
        ) from None
    if not isinstance(array, np.ndarray):
        raise BabycryError(f"{path}: an .npz archive: give one array as a .npy file")
    try:
        check_features(array)
    except BabycryError as error:
        raise BabycryError(f"{path}: {error}") from None
    return array


def check_features(array: npt.NDArray[Any]) -> None:
    """Raises BabycryError unless ``array`` is (n_frames, n_features) or transposed, and finite."""
    if array.ndim != 2:
        raise BabycryError(
            f"the features have shape {array.shape} and must have two axes, frames and features"
        )
    if array.dtype.kind not in "fiu":
        raise BabycryError(f"the features are {array.dtype} and must be real numbers")
    if array.size == 0:
        raise BabycryError(f"the features are empty, shape {array.shape}")
    if np.isnan(array).any():
        raise BabycryError(f"{int(np.isnan(array).sum())} of the features are NaN")
    if np.isinf(array).any():
        raise BabycryError(
            f"{int(np.isinf(array).sum())} of the features are infinite: was the logarithm of 0 "
            "taken, without a floor?"
        )
    if np.ptp(array.astype(np.float64)) == 0:
        raise BabycryError("the features are all equal: nothing can be learnt from them")


def look_at(array: npt.NDArray[Any], transposed: bool) -> Target:
    """What an array of features shows without the audio."""
    values = np.asarray(array.T if transposed else array, np.float64)
    rounding, step = _rounding(array)
    values, deltas, delta_kind = _without_deltas(values)
    return Target(
        values=np.ascontiguousarray(values),
        transposed=transposed,
        rounding=rounding,
        step=step,
        deltas=deltas,
        delta_kind=delta_kind,
        is_linear=_is_linear(values),
        limits=_limits(array.dtype),
    )


def _limits(dtype: np.dtype[Any]) -> tuple[float, float]:
    if dtype.kind in "iu":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return -np.inf, np.inf


def _is_linear(values: Array) -> bool:
    if values.min() < 0:
        return False
    typical = float(np.median(values))
    return float(values.max()) > 30 * max(typical, 1e-300)


def _rounding(array: npt.NDArray[Any]) -> tuple[str, float]:
    if array.dtype == np.float16:
        return "float16", 0.0
    if array.dtype.kind in "iu":
        return "step", _step(np.unique(array).astype(np.float64)) or 1.0
    values = np.unique(array)
    step = _step(values.astype(np.float64)) if len(values) < 0.9 * array.size else 0.0
    if step > 1e-3 * float(np.abs(values).max()):
        return "step", step
    if np.abs(values).max() < 65504:
        halves = values.astype(np.float16).astype(values.dtype)
        if np.array_equal(halves, values):
            return "float16", 0.0
    return ("step", step) if step else ("none", 0.0)


def _step(values: Array) -> float:
    """The step that all gaps between sorted, distinct values are multiples of; 0 if none is."""
    if len(values) < 8:
        return 0.0
    gaps = np.diff(values)
    size = float(np.abs(values).max())
    gaps = gaps[gaps > 1e-6 * size]
    if len(gaps) < 7:
        return 0.0
    step = float(np.median(gaps[gaps < 1.5 * gaps.min()]))
    if step < 1e-5 * size:
        return 0.0
    for _ in range(3):  # the smallest gap carries float32's rounding: sharpen it on longer spans
        multiples = np.round((values - values[0]) / step)
        step = float(np.sum(multiples * (values - values[0])) / np.sum(multiples**2))
    off = np.abs((values - values[0]) / step - multiples)
    return step if off.max() < 0.02 else 0.0


def _without_deltas(values: Array) -> tuple[Array, int, str]:
    """The static features, how many orders of deltas follow them, and of which kind."""
    n_frames, width = values.shape
    for orders in (2, 1):
        size, rest = divmod(width, orders + 1)
        if rest or n_frames < 24 or size == 0:
            continue
        static = values[:, :size]
        for kind in DELTAS:
            wanted = np.hstack([_delta(static, order, kind) for order in range(1, orders + 1)])
            inner = slice(8, -8)
            error = np.abs(values[inner, size:] - wanted[inner]).max()
            if error <= 2e-3 * np.abs(wanted).max():
                return static, orders, kind
    return values, 0, "none"


DELTAS = ("savgol9", "slope5")
"""librosa's (Savitzky-Golay, width 9), and that of HTK and torchaudio (slope over five frames)."""


def _delta(static: Array, order: int, kind: str) -> Array:
    """First or second deltas, (n_frames, n_features); those at the ends are approximate."""
    half = 4 if kind == "savgol9" else 2
    k = np.arange(-half, half + 1.0)
    weights = k / np.sum(k * k)
    if kind == "slope5" and order == 2:
        static = _delta(static, 1, kind)
    elif order == 2:
        weights = 2 * np.linalg.pinv(np.vander(k, 3, increasing=True))[2]
    padded = np.pad(static, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1, axis=0)
    return np.asarray(windows @ weights)
