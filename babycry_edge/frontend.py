"""The C front-end from Python: audio in, log-mel features out, the same bits on every target."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_edge.binding import ffi, lib
from babycry_edge.config import FrontendConfig, check_status, enum_names
from babycry_edge.errors import BabycryError
from babycry_edge.pcm import mono_pcm, pcm_pointer

Features = npt.NDArray[np.float32]

#: Clips of fewer frames are not worth threads.
MIN_SHARED_FRAMES = 256


class Frontend:
    """Whole clips to features; :meth:`stream` for audio that arrives piece by piece.

    Usable from several threads; the GIL is released while it computes.
    """

    def __init__(self, config: FrontendConfig, isa: str | None = None, n_threads: int = 1) -> None:
        """Compute the tables of ``config``.

        Args:
            config: every axis of the front-end.
            isa: instruction set for whole clips, one of :func:`instruction_sets`; the best by
                default. All give the same bits.
            n_threads: that share long clips; any number gives the same bits.

        Raises:
            BabycryError: the machine lacks ``isa``, or ``n_threads`` is below 1.
        """
        if n_threads < 1:
            raise BabycryError(f"n_threads must be 1 or more, not {n_threads}")
        self.config = config
        self._states = [_State(config) for _ in range(n_threads)]
        self._state = self._states[0]
        self._lock = threading.Lock()
        for state in self._states if isa is not None else []:
            check_status(lib.bc_frontend_use_isa(state.handle, str(isa).encode()), f"isa {isa!r}")

    @classmethod
    def from_profile(cls, name: str, **changes: Any) -> Frontend:
        """A profile of PROFILES, with the given axes changed: see :class:`FrontendConfig`."""
        return cls(FrontendConfig.from_profile(name, **changes))

    @property
    def n_features(self) -> int:
        """Values per row."""
        return self.config.n_features

    def __call__(
        self, audio: npt.NDArray[np.int16] | npt.NDArray[np.floating[Any]], sample_rate: int
    ) -> Features:
        """Features of a whole clip.

        Args:
            audio: shape ``(n_samples,)``, int16 or float with full scale 1.0.
            sample_rate: of ``audio`` in Hz; it must be the configuration's.

        Returns:
            Float32, shape ``(n_frames, n_features)``; with pooling ``(1, n_features)``.

        Raises:
            BabycryError: another sample rate, more than one channel, a sample that is NaN or
                infinite, or a clip too short to be mirrored, differentiated or pooled.
        """
        self.config.require_rate(sample_rate)
        samples = mono_pcm(audio)
        handle = self._state.handle
        n_frames = lib.bc_frontend_frame_count(handle, len(samples))
        room = np.empty(lib.bc_frontend_room(handle, n_frames), np.float32)
        with self._lock:
            shared = len(self._states) > 1 and self.config.compression != "tflm"
            if shared and n_frames >= MIN_SHARED_FRAMES:
                n_rows = self._share(samples, room, n_frames)
            else:
                compute = _by_dtype(samples, lib.bc_frontend_compute_int16, lib.bc_frontend_compute)
                n_rows = _run(compute, handle, samples, room, n_frames)
        size = n_rows * self.n_features
        used = room if size == room.size else room[:size].copy()
        return used.reshape(n_rows, self.n_features)

    def _share(self, samples: npt.NDArray[Any], room: Features, n_frames: int) -> int:
        """Each thread computes a run of frames with tables and memory of its own."""
        from concurrent.futures import ThreadPoolExecutor

        width = lib.bc_frontend_raw_width(self._state.handle)
        raw = room[room.size - n_frames * width :]
        compute = _by_dtype(samples, lib.bc_frontend_compute_raw_int16, lib.bc_frontend_compute_raw)
        bounds = [n_frames * i // len(self._states) for i in range(len(self._states) + 1)]

        def run(index: int) -> int:
            first, end = bounds[index], bounds[index + 1]
            rows = _floats(raw[first * width : end * width])
            state = self._states[index].handle
            return int(compute(state, pcm_pointer(samples), len(samples), first, end - first, rows))

        with ThreadPoolExecutor(len(self._states)) as pool:
            for status in pool.map(run, range(len(self._states))):
                check_status(status, "the audio")
        n_rows = ffi.new("size_t *")
        finish = lib.bc_frontend_finish_raw
        check_status(finish(self._state.handle, _floats(room), n_frames, n_rows), "the audio")
        return int(n_rows[0])

    def stream(self) -> FrontendStream:
        """A new stream with this configuration.

        Raises:
            BabycryError: the configuration needs the whole clip: see
                :attr:`FrontendConfig.is_frame_by_frame`, and :meth:`windows` for such ones.
        """
        return FrontendStream(self.config)

    def windows(self, n_samples: int, hop_frames: int) -> FrontendWindows:
        """Sliding windows of a new stream: see :class:`FrontendWindows`.

        Raises:
            BabycryError: ``n_samples`` give no frame.
        """
        return FrontendWindows(self.config, n_samples, hop_frames)


class FrontendStream:
    """Audio in pieces of any length; frames come out as soon as they are complete.

    The frames of all pushes and the flush, one after the other, equal those of the whole clip bit
    for bit. For one thread at a time.
    """

    def __init__(self, config: FrontendConfig) -> None:
        self.config = config
        self._state = _State(config)
        self.push(np.zeros(0, np.int16))  # the C library refuses what cannot be streamed

    def push(self, chunk: npt.NDArray[np.int16] | npt.NDArray[np.floating[Any]]) -> Features:
        """Take ``chunk``, shape ``(n_samples,)``, at the configuration's rate.

        Returns:
            Float32, shape ``(n_new_frames, n_features)``.

        Raises:
            BabycryError: as for :class:`Frontend`; nothing of the chunk was taken.
        """
        samples = mono_pcm(chunk)
        handle = self._state.handle
        features = self._empty(lib.bc_frontend_push_count(handle, len(samples)))
        push = _by_dtype(samples, lib.bc_frontend_push, lib.bc_frontend_push_float)
        _run(push, handle, samples, features, len(features))
        return features

    def flush(self) -> Features:
        """End the stream: its last frames. Then the next push starts a new stream.

        Raises:
            BabycryError: the stream was too short to be mirrored.
        """
        handle = self._state.handle
        features = self._empty(lib.bc_frontend_flush_count(handle))
        n_frames = ffi.new("size_t *")
        status = lib.bc_frontend_flush(handle, _floats(features), len(features), n_frames)
        check_status(status, "the stream")
        return features

    def push_int8(
        self, chunk: npt.NDArray[np.int16], scale: float, zero_point: int
    ) -> npt.NDArray[np.int8]:
        """As :meth:`push`, written as a quantised model's input takes it.

        Args:
            chunk: shape ``(n_samples,)``, int16.
            scale: of the model's input tensor.
            zero_point: of the model's input tensor, -128 to 127.

        Returns:
            Int8, shape ``(n_new_frames, n_features)``: x / scale rounded half to even, plus
            zero_point, clamped; equal to quantising the rows of :meth:`push`.

        Raises:
            BabycryError: as for :meth:`push`; or scale or zero_point out of range.
        """
        samples = mono_pcm(chunk)
        if samples.dtype != np.int16:
            raise BabycryError(f"the audio is {samples.dtype}, and must be int16 here")
        handle = self._state.handle
        rows = np.empty(
            (lib.bc_frontend_push_count(handle, len(samples)), self.config.n_features), np.int8
        )
        out = ffi.cast("int8_t *", ffi.from_buffer(rows))
        n_frames = ffi.new("size_t *")
        status = lib.bc_frontend_push_int8(
            handle, pcm_pointer(samples), len(samples), scale, zero_point, out, len(rows), n_frames
        )
        check_status(status, "the audio")
        return rows

    def flush_int8(self, scale: float, zero_point: int) -> npt.NDArray[np.int8]:
        """As :meth:`flush`, with the rounding of :meth:`push_int8`."""
        handle = self._state.handle
        rows = np.empty((lib.bc_frontend_flush_count(handle), self.config.n_features), np.int8)
        out = ffi.cast("int8_t *", ffi.from_buffer(rows))
        n_frames = ffi.new("size_t *")
        status = lib.bc_frontend_flush_int8(handle, scale, zero_point, out, len(rows), n_frames)
        check_status(status, "the stream")
        return rows

    def _empty(self, n_frames: int) -> Features:
        return np.empty((n_frames, self.config.n_features), np.float32)


class FrontendWindows:
    """Windows of features from audio that arrives in pieces of any length.

    Each window's features equal those of :class:`Frontend` over the window's samples bit for bit,
    also with what depends on the whole clip (ref="max", top_db, delta, normalize, pooling). Frames
    inside a window are computed once for all windows. For one thread at a time.
    """

    def __init__(self, config: FrontendConfig, n_samples: int, hop_frames: int) -> None:
        """Windows of ``n_samples`` samples, one every ``hop_frames`` frames.

        Raises:
            BabycryError: ``n_samples`` give no frame, or ``hop_frames`` is below 1.
        """
        self.config = config
        self._state = _State(config)
        size = lib.bc_windows_ram_size(self._state.handle, max(0, n_samples))
        self._ram = ffi.new("char[]", max(1, size))
        self._handle = ffi.new("bc_windows *")
        status = lib.bc_windows_init(
            self._handle, self._state.handle, max(0, n_samples), max(0, hop_frames), self._ram, size
        )
        check_status(status, "the windows")
        self.n_rows = int(lib.bc_windows_row_count(self._handle))
        self._room = np.empty(lib.bc_windows_room(self._handle), np.float32)

    def push(self, chunk: npt.NDArray[np.int16] | npt.NDArray[np.floating[Any]]) -> Features:
        """Take ``chunk``, shape ``(n_samples,)``, at the configuration's rate.

        Returns:
            Float32, shape ``(n_new_windows, n_rows, n_features)``.

        Raises:
            BabycryError: as for :class:`Frontend`; nothing of the chunk was taken.
        """
        samples = mono_pcm(chunk)
        count = lib.bc_windows_push_count(self._handle, len(samples))
        size = self.n_rows * self.config.n_features
        result = np.empty((count, self.n_rows, self.config.n_features), np.float32)
        push = _by_dtype(samples, lib.bc_windows_push, lib.bc_windows_push_float)
        taken, ready = ffi.new("size_t *"), ffi.new("int *")
        index = 0
        while len(samples) or index == 0:
            room = _floats(self._room)
            status = push(self._handle, pcm_pointer(samples), len(samples), room, taken, ready)
            check_status(status, "the audio")
            if not ready[0]:
                break
            result[index] = self._room[:size].reshape(result.shape[1:])
            index += 1
            samples = samples[taken[0] :]
        return result


def instruction_sets() -> list[str]:
    """What whole clips can be computed with on this machine, best first."""
    names: list[str] = []
    while (name := lib.bc_frontend_isa_name(len(names))) != ffi.NULL:
        names.append(ffi.string(name).decode())
    return names


def normalize_window(window: Features, kind: str) -> Features:
    """One window of features, normalised as ``FrontendConfig.normalize`` says.

    Args:
        window: shape ``(n_frames, n_features)``, float32.
        kind: "none"; "window_mean": the mean of all values is subtracted; "window_mean_std": and
            the result divided by their standard deviation; "min_max": to the range 0 to 1.

    Returns:
        A new array of the same shape.

    Raises:
        BabycryError: unknown kind.
    """
    kinds = enum_names("normalize")
    if kind not in kinds:
        raise BabycryError(f"normalize must be {' or '.join(kinds)}, not {kind!r}")
    result = np.array(window, dtype=np.float32, order="C", ndmin=2)
    check_status(
        lib.bc_features_normalize(_floats(result), *result.shape, kinds[kind]), "the features"
    )
    return result


class _State:
    """A ``bc_frontend`` with its RAM, which live and die together."""

    def __init__(self, config: FrontendConfig) -> None:
        c_config = config.to_c()
        size = lib.bc_frontend_ram_size(c_config)
        self.ram = ffi.new("char[]", size)
        self.handle = ffi.new("bc_frontend *")
        check_status(lib.bc_frontend_init(self.handle, c_config, self.ram, size), "the front-end")


def _by_dtype(samples: npt.NDArray[Any], for_int16: Any, for_float: Any) -> Any:
    return for_int16 if samples.dtype == np.int16 else for_float


def _floats(array: Features) -> Any:
    return ffi.cast("float *", ffi.from_buffer(array))


def _run(
    function: Any, handle: Any, samples: npt.NDArray[Any], features: Features, max_frames: int
) -> int:
    n_frames = ffi.new("size_t *")
    status = function(
        handle, pcm_pointer(samples), len(samples), _floats(features), max_frames, n_frames
    )
    check_status(status, "the audio")
    return int(n_frames[0])
