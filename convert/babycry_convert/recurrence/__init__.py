"""Networks with GRU or LSTM layers: recurrent layers as cells of one step, or unrolled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from babycry_convert.hub import Network
from babycry_convert.recurrence.split import CannotSplitError, split
from babycry_convert.recurrence.unroll import unroll
from babycry_convert.recurrence.write_tflite import (
    FindRanges,
    FloatParts,
    float_parts,
    int8_model,
    min_max,
)
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Recurrence

__all__ = [
    "FORMS",
    "CannotSplitError",
    "Form",
    "RecurrentFiles",
    "RecurrentParts",
    "convert_recurrent",
    "take_apart",
]

Form = Literal["cell", "unrolled"]
FORMS: tuple[Form, ...] = ("cell", "unrolled")


@dataclass(frozen=True)
class RecurrentFiles:
    """A recurrent network as TFLite.

    ``recurrence`` belongs into the metadata of both files; None where they are unrolled and run
    like any other.
    """

    float_tflite: bytes
    int8_tflite: bytes
    recurrence: Recurrence | None


@dataclass(frozen=True)
class RecurrentParts:
    """A recurrent network taken apart and written in float, to be quantised once or more often."""

    parts: FloatParts

    def files(
        self,
        windows: npt.NDArray[np.float32],
        form: Form = "cell",
        find_ranges: FindRanges = min_max,
    ) -> RecurrentFiles:
        """The float and int8 files; arguments and errors as for :func:`convert_recurrent`."""
        if form not in FORMS:
            raise BabycryError(f"form must be {' or '.join(FORMS)}, not {form!r}")
        loop = self.parts.recurrence
        float_file = self.parts.merged()
        int8_file = int8_model(self.parts, windows, find_ranges)
        if form == "cell":
            return RecurrentFiles(float_file, int8_file, loop)
        return RecurrentFiles(unroll(float_file, loop), unroll(int8_file, loop), None)


def take_apart(network: Network) -> RecurrentParts | None:
    """The float parts of a network; None where no layer is recurrent.

    Raises:
        CannotSplitError: the recurrent layers cannot be taken out of the network.
        BabycryError: litert-torch is missing, or cannot convert the body or the head.
    """
    pieces = split(network)
    return None if pieces is None else RecurrentParts(float_parts(pieces, network.window_shape))


def convert_recurrent(
    network: Network,
    windows: npt.NDArray[np.float32],
    *,
    form: Form = "cell",
    find_ranges: FindRanges = min_max,
) -> RecurrentFiles | None:
    """Write a network's float and int8 TFLite files; None where no layer is recurrent.

    Args:
        network: traceable with torch.fx.
        windows: calibration, as the model will see them, float32 ``(n, T, F)``.
        form: "cell", a file in parts that the runtime loops over, or "unrolled", one graph with
            every step, whose integers are the same.
        find_ranges: how ranges follow from a tensor's values, for example
            ``lambda feed: Observations(feed).ranges(settings)``; by default minimum and maximum.

    Raises:
        CannotSplitError: the recurrent layers cannot be taken out of the network.
        BabycryError: another form, a tensor that is NaN or infinite, a part that could not be made
            int8, or a library that is missing.
    """
    taken = take_apart(network)
    return None if taken is None else taken.files(windows, form, find_ranges)
