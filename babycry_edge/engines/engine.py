"""What every inference engine offers."""

from __future__ import annotations

from typing import Any, Protocol

import numpy.typing as npt


class Engine(Protocol):
    """One loaded model with one input and one output tensor, for one thread at a time."""

    @property
    def name(self) -> str:
        """The engine's name, one of ``ENGINES``."""

    @property
    def version(self) -> str:
        """The version of the engine's library."""

    def run(self, tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Run one inference.

        Args:
            tensor: the input in the model's own shape (batch 1) and dtype.

        Returns:
            A copy of the output, in the model's own shape and dtype.
        """
