"""Networks with GRU or LSTM layers: recurrent layers as cells of one step, or unrolled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from babycry_convert.hub import Network
from babycry_edge.errors import BabycryError
from babycry_edge.metadata import Recurrence

if TYPE_CHECKING:
    from babycry_convert.recurrence.write_tflite import FindRanges

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


def convert_recurrent(
    network: Network,
    windows: npt.NDArray[np.float32],
    *,
    form: Form = "cell",
    find_ranges: FindRanges | None = None,
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
        BabycryError: the recurrent layers cannot be taken out of the network, or a library is
            missing.
    """
    from babycry_convert.recurrence.split import split
    from babycry_convert.recurrence.unroll import unroll
    from babycry_convert.recurrence.write_tflite import float_parts, int8_model, min_max

    if form not in FORMS:
        raise BabycryError(f"form must be {' or '.join(FORMS)}, not {form!r}")
    pieces = split(network)
    if pieces is None:
        return None
    parts = float_parts(pieces, network.window_shape)
    float_file = parts.merged()
    int8_file = int8_model(parts, windows, find_ranges or min_max)
    if form == "cell":
        return RecurrentFiles(float_file, int8_file, parts.recurrence)
    loop = parts.recurrence
    return RecurrentFiles(unroll(float_file, loop), unroll(int8_file, loop), None)
