"""Audio as the C library takes it: contiguous int16, or float32 with full scale 1.0."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.binding import ffi
from babycry_edge.errors import BabycryError


def typed_pcm(audio: Any) -> npt.NDArray[Any]:
    """``audio`` as contiguous int16 or float32, without a copy where it is that already.

    Raises:
        BabycryError: neither int16 nor floats.
    """
    samples = np.asarray(audio)
    if samples.dtype == np.int16:
        return np.ascontiguousarray(samples)
    if not np.issubdtype(samples.dtype, np.floating):
        raise BabycryError(f"the audio is {samples.dtype}, and must be int16 or float (1.0 = full)")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(samples, dtype=np.float32)


def mono_pcm(audio: Any) -> npt.NDArray[Any]:
    """As :func:`typed_pcm`, of one channel, ``(n_samples,)``.

    Raises:
        BabycryError: another shape, neither int16 nor floats.
    """
    shape = np.shape(audio)
    if len(shape) != 1:
        raise BabycryError(
            f"the audio has shape {shape} and must be one channel, (n_samples,): "
            "mix it down first (babycry_edge.audio.to_mono)"
        )
    return typed_pcm(audio)


def pcm_pointer(samples: npt.NDArray[Any]) -> Any:
    """``int16_t *`` or ``float *`` to ``samples``, by their dtype."""
    c_type = "int16_t *" if samples.dtype == np.int16 else "float *"
    return ffi.cast(c_type, ffi.from_buffer(samples))
