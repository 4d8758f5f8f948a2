"""The hub: what every reader gives and every writer takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from babycry_edge.model_file import ModelFormat

if TYPE_CHECKING:
    from torch import nn


#: Windows that a network answers at once.
BATCH = 16


@dataclass(frozen=True)
class Network:
    """A trained network behind its front-end.

    ``module`` is in eval mode and maps float32 windows ``(N, 1, T, F)``, time-major as the
    front-end gives them, to logits ``(N, n_outputs)``; ``window_shape`` is ``(T, F)``.
    ``architecture`` names a system of the zoo, or is "custom"; ``reader`` says how it came.
    """

    module: nn.Module
    window_shape: tuple[int, int]
    n_outputs: int
    architecture: str
    reader: str

    def logits(self, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The network's answers to windows ``(n, T, F)``, float32 ``(n, n_outputs)``."""
        import torch

        given = torch.from_numpy(np.ascontiguousarray(windows, np.float32))[:, None]
        with torch.no_grad():
            answers: npt.NDArray[np.float32] = torch.cat(
                [self.module(part) for part in given.split(BATCH)]
            ).numpy()
        return answers


@dataclass(frozen=True)
class FinishedModel:
    """A model that needs no torch: scikit-learn's as ONNX, or a file that is only wrapped anew.

    ``note`` says for the report what was done and what was not. ``reference``, where there is one,
    maps windows ``(k, T, F)`` to what the author's own library answers, ``(k, n_outputs)``.
    """

    data: bytes
    format: ModelFormat
    note: str
    reference: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]] | None = None
