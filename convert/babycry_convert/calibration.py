"""Bookkeeping of the recordings that set a model's int8 ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babycry_edge.errors import BabycryError


@dataclass(frozen=True)
class Calibration:
    """Windows for calibration and the list of recordings that they come from.

    ``windows`` is float32 ``(n, T, F)``, normalised as the model sees them. ``recordings`` names
    each recording once, as a path relative to its data set, in the order of use.
    """

    windows: npt.NDArray[np.float32]
    recordings: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.windows.ndim != 3 or len(self.windows) == 0:
            raise BabycryError(
                f"calibration windows have shape {self.windows.shape}, not (n, T, F) with n > 0"
            )
        if not np.isfinite(self.windows).all():
            raise BabycryError("calibration windows hold NaN or infinite values")
        if not self.recordings:
            raise BabycryError("the calibration list names no recording")
        if any("\n" in name or not name for name in self.recordings):
            raise BabycryError("the calibration list has an empty name or one with a line break")
        if len(set(self.recordings)) != len(self.recordings):
            raise BabycryError("the calibration list names a recording twice")

    @property
    def sha256(self) -> str:
        """The hash of the list as a text file: one UTF-8 name a line, each ended by a newline."""
        return list_sha256(self.recordings)

    @property
    def count(self) -> int:
        """Number of recordings."""
        return len(self.recordings)


def list_sha256(names: Sequence[str]) -> str:
    """``sha256sum`` of a text file with one name a line."""
    return hashlib.sha256("".join(f"{name}\n" for name in names).encode("utf-8")).hexdigest()
