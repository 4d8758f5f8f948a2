"""A network made ready for int8: batch norm folded, channels equalised, biases corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from babycry_convert.hub import Network


def prepared(
    network: Network,
    windows: npt.NDArray[np.float32],
    *,
    equalize: bool = False,
    correct_bias: bool = False,
) -> Network:
    """A copy of the network to be quantised.

    Args:
        network: as read; left as it is.
        windows: calibration windows, float32 ``(n, T, F)``.
        equalize: scale channels to more equal ranges; the function stays the same.
        correct_bias: offset the mean error of int8 weights; right only once weights are int8.
    """
    from babycry_convert.prepare.bias_correction import correct_bias as corrected
    from babycry_convert.prepare.equalize import equalize as equalized
    from babycry_convert.prepare.fold_batch_norm import fold_batch_norm

    result = fold_batch_norm(network)
    if equalize:
        result = equalized(result, windows)
    if correct_bias:
        result = corrected(result, windows)
    return result
