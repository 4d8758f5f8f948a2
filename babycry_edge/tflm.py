"""The micro front-end of TensorFlow Lite Micro (micro_speech, microWakeWord) from Python.

Integers throughout and equal to pymicro-features bit for bit; the C code runs on any
microcontroller, see ``csrc/include/babycry/tflm.h``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.binding import ffi, lib
from babycry_edge.config import check_status
from babycry_edge.errors import BabycryError

TflmFeatures = npt.NDArray[np.uint16]


class TflmFrontend:
    """A stream of audio to rows of uint16 features. For one thread at a time.

    The noise level that the front-end keeps for each channel makes every frame depend on all
    frames before it: a clip is a stream of its own, see :meth:`reset`.
    """

    def __init__(self, sample_rate: int = 16000, **changes: Any) -> None:
        """Compute the tables.

        Args:
            sample_rate: Hz.
            changes: fields of ``bc_tflm_config`` that differ from 30 ms windows every 10 ms, 40
                channels, 125 to 7500 Hz: ``win_length`` and ``hop_length`` in samples,
                ``n_channels``, ``fmin`` and ``fmax`` in Hz. micro_speech has ``hop_length=320``.

        Raises:
            BabycryError: a field is unknown or out of range; the message names it.
        """
        config = ffi.new("bc_tflm_config *")
        check_status(lib.bc_tflm_default(config, sample_rate), "tflm-micro")
        for field, value in changes.items():
            try:
                setattr(config, field, value)
            except (AttributeError, OverflowError, TypeError) as error:
                raise BabycryError(f"tflm-micro: {field}={value!r}: {error}") from None
        check_status(lib.bc_tflm_check(config), "tflm-micro")
        self.sample_rate: int = config.sample_rate
        self.hop_length: int = config.hop_length
        self.n_features: int = config.n_channels
        size = lib.bc_tflm_tables_size(config)
        self._memory = ffi.new("char[]", size)
        self._tables = ffi.new("bc_tflm_tables *")
        check_status(
            lib.bc_tflm_make_tables(config, self._tables, self._memory, size), "tflm-micro"
        )
        self.ram_size: int = lib.bc_tflm_ram_size(self._tables)
        self._ram = ffi.new("char[]", self.ram_size)
        self._stream = ffi.new("bc_tflm *")
        check_status(
            lib.bc_tflm_init(self._stream, self._tables, self._ram, self.ram_size), "tflm-micro"
        )

    def push(self, chunk: npt.NDArray[np.int16]) -> TflmFeatures:
        """Take ``chunk``, int16 of shape ``(n_samples,)``, at the sample rate.

        Returns:
            Uint16, shape ``(n_new_frames, n_features)``.

        Raises:
            BabycryError: another dtype or more than one dimension; nothing was taken.
        """
        if chunk.dtype != np.int16 or chunk.ndim != 1:
            raise BabycryError(
                f"the audio must be int16 of shape (n_samples,), not {chunk.dtype} {chunk.shape}"
            )
        samples = np.ascontiguousarray(chunk)
        n_frames = lib.bc_tflm_push_count(self._stream, len(samples))
        features = np.empty((n_frames, self.n_features), np.uint16)
        status = lib.bc_tflm_push(
            self._stream,
            ffi.cast("int16_t *", samples.ctypes.data),
            len(samples),
            ffi.cast("uint16_t *", features.ctypes.data),
            n_frames,
            ffi.new("size_t *"),
        )
        check_status(status, "tflm-micro")
        return features

    def reset(self) -> None:
        """Forget all samples and the noise level: the next push starts a new stream."""
        check_status(lib.bc_tflm_reset(self._stream), "tflm-micro")


def to_int8(features: TflmFeatures) -> npt.NDArray[np.int8]:
    """What micro_speech's model takes: (256 v + 333) // 666 - 128, at most 127. Same shape."""
    values = np.ascontiguousarray(features, np.uint16)
    result = np.empty(values.shape, np.int8)
    lib.bc_tflm_to_int8(
        ffi.cast("uint16_t *", values.ctypes.data),
        values.size,
        ffi.cast("int8_t *", result.ctypes.data),
    )
    return result


def to_float(features: TflmFeatures) -> npt.NDArray[np.float32]:
    """What microWakeWord's models take: v * 10 / 256, exactly. Same shape."""
    values = np.ascontiguousarray(features, np.uint16)
    result = np.empty(values.shape, np.float32)
    lib.bc_tflm_to_float(
        ffi.cast("uint16_t *", values.ctypes.data),
        values.size,
        ffi.cast("float *", result.ctypes.data),
    )
    return result
