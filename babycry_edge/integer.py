"""The integer front-end from Python: what a processor without an FPU computes, bit for bit."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.binding import ffi, lib
from babycry_edge.config import FrontendConfig, check_status, status_message
from babycry_edge.errors import BabycryError
from babycry_edge.pcm import pcm_pointer

Pcm = npt.NDArray[np.int16]
Rows = npt.NDArray[np.int16]

_TAKEN = {  # what the integer front-end takes, where it is less than the float one
    "n_fft": "a power of two",
    "window": "hann, hann_symmetric or povey",
    "framing": "left, center-zero or center-reflect",
    "preemphasis": "0",
    "remove_dc": "0",
    "compression": "db, log or log_max",
    "ref": "a fixed number",
    "top_db": "none",
    "delta": "0",
    "descriptors": "none",
    "normalize": "none",
    "pooling": "none",
}


class IntegerFrontend:
    """Whole clips of int16 samples to int16 features; :meth:`stream` for audio in pieces.

    A feature times :attr:`scale` is the float front-end's value, in dB or ln. Usable from several
    threads; the GIL is released while it computes.
    """

    def __init__(self, config: FrontendConfig) -> None:
        """Compute the tables of ``config``.

        Raises:
            BabycryError: the integer front-end does not take one of its fields, which the message
                names: see ``csrc/include/babycry/integer.h``.
        """
        self.config = config
        self._tables = IntegerTables(config.to_c())
        self._state = _State(self._tables)
        self._lock = threading.Lock()

    @property
    def scale(self) -> float:
        """dB, or ln, of one step of a feature: a power of two."""
        return self._tables.scale

    @property
    def n_features(self) -> int:
        """Values per frame."""
        return self._state.n_features

    def __call__(self, pcm: Pcm, sample_rate: int) -> Rows:
        """Features of a whole clip.

        Args:
            pcm: int16, shape ``(n_samples,)``.
            sample_rate: of ``pcm`` in Hz; it must be the configuration's.

        Returns:
            Int16, shape ``(n_frames, n_features)``.

        Raises:
            BabycryError: another sample rate, other samples, or a clip too short to be mirrored.
        """
        self.config.require_rate(sample_rate)
        samples = _samples(pcm)
        with self._lock:
            n_frames = lib.bc_integer_frame_count(self._state.handle, len(samples))
            rows = np.empty((n_frames, self.n_features), np.int16)
            count = ffi.new("size_t *")
            status = lib.bc_integer_compute(
                self._state.handle,
                pcm_pointer(samples),
                len(samples),
                pcm_pointer(rows),
                n_frames,
                count,
            )
        check_status(status, "the audio")
        return rows

    def stream(self) -> IntegerStream:
        """A new stream of int16 rows with this configuration."""
        return IntegerStream(self._tables)

    def stream_int8(self, scale: float, zero_point: int) -> IntegerStream:
        """A new stream of int8 rows: ``round(feature * self.scale / scale) + zero_point``.

        Halves are rounded to even, and what does not fit saturates.

        Args:
            scale: of the model's input, in dB or ln; rounded to float32.
            zero_point: of the model's input, -128 to 127.

        Raises:
            BabycryError: ``scale`` or ``zero_point`` out of range.
        """
        return IntegerStream(self._tables, (scale, zero_point))


class IntegerStream:
    """Audio in pieces of any length; frames come out as soon as they are complete.

    The frames of all pushes and the flush, one after the other, are those of the whole clip. For
    one thread at a time.
    """

    def __init__(self, tables: IntegerTables, int8: tuple[float, int] | None = None) -> None:
        self._state = _State(tables)
        self._kind: Any = None
        if int8 is not None:
            self._kind = ffi.new("bc_integer_int8 *")
            status = lib.bc_integer_make_int8(tables.handle, *_quantisation(*int8), self._kind)
            check_status(status, "int8 features")

    def push(self, chunk: Pcm) -> npt.NDArray[Any]:
        """Take ``chunk``, int16 of shape ``(n_samples,)``, at the configuration's rate.

        Returns:
            Int16 (or int8), shape ``(n_new_frames, n_features)``.

        Raises:
            BabycryError: not int16, or more than one channel; nothing of the chunk was taken.
        """
        samples = _samples(chunk)
        rows = self._rows(lib.bc_integer_push_count(self._state.handle, len(samples)))
        return self._run("push", rows, (pcm_pointer(samples), len(samples)))

    def flush(self) -> npt.NDArray[Any]:
        """End the stream: its last frames. Then the next push starts a new stream.

        Raises:
            BabycryError: the stream was too short to be mirrored.
        """
        return self._run("flush", self._rows(lib.bc_integer_flush_count(self._state.handle)), ())

    def _rows(self, n_frames: int) -> npt.NDArray[Any]:
        return np.empty(
            (n_frames, self._state.n_features), np.int16 if self._kind is None else np.int8
        )

    def _run(self, name: str, rows: npt.NDArray[Any], pcm: tuple[Any, ...]) -> npt.NDArray[Any]:
        count = ffi.new("size_t *")
        handle = self._state.handle
        if self._kind is None:
            function = getattr(lib, f"bc_integer_{name}")
            status = function(handle, *pcm, pcm_pointer(rows), len(rows), count)
        else:
            function = getattr(lib, f"bc_integer_{name}_int8")
            out = ffi.cast("int8_t *", ffi.from_buffer(rows))
            status = function(handle, self._kind, *pcm, out, len(rows), count)
        check_status(status, "the audio")
        return rows


class IntegerTables:
    """The constant tables of a configuration, ``bc_integer_tables``, with their memory."""

    def __init__(self, c_config: Any) -> None:
        """Compute the tables of a ``bc_frontend_config *``: see ``FrontendConfig.to_c``.

        Raises:
            BabycryError: as for :class:`IntegerFrontend`.
        """
        _check_config(c_config)
        size = lib.bc_integer_tables_size(c_config)
        self._memory = ffi.new("char[]", size)
        self.handle = ffi.new("bc_integer_tables *")
        status = lib.bc_integer_make_tables(c_config, self.handle, self._memory, size)
        check_status(status, "the integer front-end")

    @property
    def scale(self) -> float:
        """dB, or ln, of one step of a feature."""
        return float(2.0 ** -int(self.handle.fraction_bits))


class _State:
    """A ``bc_integer`` with its RAM and tables, which live and die together."""

    def __init__(self, tables: IntegerTables) -> None:
        self.tables = tables
        size = lib.bc_integer_ram_size(tables.handle)
        self.ram = ffi.new("char[]", size)
        self.handle = ffi.new("bc_integer *")
        status = lib.bc_integer_init(self.handle, tables.handle, self.ram, size)
        check_status(status, "the integer front-end")
        self.n_features = int(lib.bc_integer_n_features(self.handle))


def _check_config(c_config: Any) -> None:
    status = lib.bc_integer_check(c_config)
    if status == lib.BC_OK:
        return
    field = ffi.typeof("bc_status").elements[status].removeprefix("BC_BAD_").lower()
    taken = f"{field} must be {_TAKEN[field]}" if field in _TAKEN else status_message(status)
    raise BabycryError(f"the integer front-end: {taken}")


def _samples(pcm: Any) -> Pcm:
    samples = np.asarray(pcm)
    if samples.ndim != 1 or samples.dtype != np.int16:
        raise BabycryError(
            f"the audio is {samples.dtype} of shape {samples.shape}, and the integer front-end "
            "takes int16 of one channel, (n_samples,)"
        )
    return np.ascontiguousarray(samples)


def _quantisation(scale: float, zero_point: int) -> tuple[float, int]:
    if not np.isfinite(scale) or int(zero_point) != zero_point:
        raise BabycryError(
            f"int8 features: scale {scale!r} or zero_point {zero_point!r} is no number"
        )
    return float(np.float32(scale)), max(-129, min(128, int(zero_point)))
