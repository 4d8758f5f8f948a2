"""A cell run over sequences in numpy: for the ranges of its tensors, and as int8 would round."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from babycry_convert.calibrate.ranges import Take
from babycry_convert.recurrence.cell import Cell, Quantization, rounded
from babycry_edge.metadata import Direction

# Windows that the loop takes at once.
_CHUNK = 64


def run_loop(
    cell: Cell,
    direction: Direction,
    sequences: npt.NDArray[np.float32],
    quantizations: dict[str, Quantization] | None = None,
    take: Take | None = None,
) -> npt.NDArray[np.float32]:
    """The state ``h`` after each step, float32 (n, steps, hidden), in the order of the sequence.

    Args:
        cell: one layer's cell.
        direction: "backward" begins at the last step.
        sequences: float32 (n, steps, values).
        quantizations: of every tensor; then each value is rounded to what int8 holds.
        take: is given every tensor's values (steps, width), window by window.
    """
    n_windows, n_steps, _ = sequences.shape
    order = range(n_steps) if direction == "forward" else range(n_steps - 1, -1, -1)
    after = np.empty((n_windows, n_steps, cell.hidden), np.float32)
    if quantizations is not None:
        sequences = rounded(sequences, quantizations["x"])
    for start in range(0, n_windows, _CHUNK):
        chunk = sequences[start : start + _CHUNK]
        states = {name: np.zeros((len(chunk), cell.hidden), np.float32) for name in cell.outputs}
        seen: dict[str, list[npt.NDArray[np.float32]]] = {}
        for time in order:
            values = cell.run({"x": chunk[:, time], **states}, quantizations)
            states = {name: values[result] for name, result in cell.outputs.items()}
            after[start : start + len(chunk), time] = states["h"]
            if take is not None:
                for name, value in values.items():
                    seen.setdefault(name, []).append(value)
        if take is not None:
            for name, steps in seen.items():
                for window in np.stack(steps, axis=1):
                    take(name, window)
    return after
