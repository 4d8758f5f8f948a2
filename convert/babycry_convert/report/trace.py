"""What both formats' traces give: the places to compare and what was seen there.

A *place* is a tensor that the int8 file holds in integers and the float file in float. What makes
it is the run of float operators back to other places: a convolution with its ReLU, say.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WeightPair:
    """Weights of the float file and, dequantised, of the int8 file; one channel along ``axis``.

    ``per_channel``: each channel has a scale of its own.
    """

    real: Values
    int8: Values
    axis: int
    per_channel: bool = False


@dataclass(frozen=True)
class Place:
    """A tensor that is compared, and the operators that make it.

    ``tensors``: outputs of those operators, the compared one last. ``operator`` is the one with
    weights, or the last; ``name`` its own name. ``part`` is the signature of a file in parts.
    ``sources``: the places that it is made of.
    ``scale`` and ``zero_point`` belong to the stored integers of numpy type ``dtype``.
    ``channel_axis``: of the tensor, None where it has no channels.
    """

    tensors: tuple[str, ...]
    operator: str
    name: str
    scale: float
    zero_point: int
    dtype: str
    channel_axis: int | None
    weights: tuple[WeightPair, ...] = ()
    part: str = ""
    sources: tuple[str, ...] = ()

    @property
    def tensor(self) -> str:
        return self.tensors[-1]

    def real(self, stored: npt.NDArray[Any]) -> Values:
        """The numbers that the stored integers stand for."""
        steps = stored.astype(np.int32) - np.int32(self.zero_point)
        return np.asarray(steps * np.float32(self.scale), np.float32)

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest number that can be stored."""
        info = np.iinfo(self.dtype)
        return self.scale * (info.min - self.zero_point), self.scale * (info.max - self.zero_point)


@dataclass(frozen=True)
class Sample:
    """One place during one run, all float32 of one shape.

    ``real``: the float file's values; ``int8``: the int8 file's, dequantised; ``local``: what the
    float operators make of the int8 file's own inputs.
    """

    place: int
    real: Values
    int8: Values
    local: Values


class Trace(Protocol):
    """A float and an int8 file side by side."""

    places: list[Place]

    def run(self, window: Values) -> Iterator[Sample]:
        """Samples of every place for one window ``(T, F)``; cells of a recurrence give many."""


Key = TypeVar("Key", str, int)


def makers_back_to(
    tensor: Key,
    makers: Mapping[Key, Any],
    places: Container[Key],
    taken: Callable[[Any], Iterable[Key]],
) -> list[Any]:
    """The operators that make a tensor out of other places, last one first.

    Args:
        tensor: an ONNX tensor's name, or a TFLite tensor's number.
        makers: the operator that computes each tensor.
        places: where the way back ends.
        taken: the tensors that an operator takes.
    """
    found: list[Any] = []
    waiting = [tensor]
    while waiting:
        operator = makers.get(waiting.pop())
        if operator is None or any(operator is other for other in found):
            continue
        found.append(operator)
        waiting.extend(source for source in taken(operator) if source not in places)
    return found
