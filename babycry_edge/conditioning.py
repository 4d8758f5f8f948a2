"""What is done to a recording before its features, in C: the same bits on every target.

Sample rate conversion, down-mix, silence trim, peak normalisation, pad and trim to a length. Audio
is int16 or float with full scale 1.0; a buffer that is int16 or float32 already is not copied, and
the GIL is released while C computes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from babycry_edge.binding import ffi, lib
from babycry_edge.config import check_status
from babycry_edge.errors import BabycryError
from babycry_edge.pcm import mono_pcm, pcm_pointer, typed_pcm

Floats = npt.NDArray[np.float32]
Audio = npt.NDArray[np.int16] | npt.NDArray[np.floating[Any]]

FITS: dict[str, int] = {"end": lib.BC_FIT_END, "center": lib.BC_FIT_CENTER}


class Resampler:
    """A stream from one rate to another; linear phase without delay.

    The outputs of all pushes and the flush, one after the other, equal :func:`resample` of the
    whole bit for bit. For one thread at a time.
    """

    def __init__(self, in_rate: int, out_rate: int, isa: str | None = None) -> None:
        """A new stream.

        Args:
            in_rate: of what is pushed, 1000 to 384000 Hz.
            out_rate: of what comes out, 1000 to 384000 Hz.
            isa: instruction set, one of :func:`resampler_instruction_sets`; the best by default.
                All give the same bits.

        Raises:
            BabycryError: a rate is out of range or not a whole number; no such instruction set.
        """
        self.in_rate, self.out_rate = _rate("in_rate", in_rate), _rate("out_rate", out_rate)
        self._tables = _Tables.of(self.in_rate, self.out_rate)
        self._ram = ffi.new("char[]", self.ram_size)
        self._handle = ffi.new("bc_resampler *")
        tables = self._tables.handle
        check_status(
            lib.bc_resampler_init(self._handle, tables, self._ram, self.ram_size), "resampler"
        )
        if isa is not None:
            check_status(lib.bc_resampler_use_isa(self._handle, isa.encode()), f"isa {isa!r}")

    @property
    def ram_size(self) -> int:
        """Bytes of RAM that a stream takes in C, beside :attr:`tables_size`."""
        return int(lib.bc_resampler_ram_size(self.in_rate, self.out_rate))

    @property
    def tables_size(self) -> int:
        """Bytes of constant tables that the streams of these rates share."""
        return int(lib.bc_resampler_tables_size(self.in_rate, self.out_rate))

    def length(self, n_samples: int) -> int:
        """Samples that a clip of ``n_samples`` gives: n * out_rate / in_rate, rounded up."""
        return int(lib.bc_resampler_length(self.in_rate, self.out_rate, n_samples))

    def push(self, chunk: Audio) -> Floats:
        """Take ``chunk``, shape ``(n_samples,)``, any length.

        Returns:
            Float32, the samples that are now complete: later than their inputs by 80 samples of the
            lower rate and a few.

        Raises:
            BabycryError: more than one channel, or a sample that is NaN or infinite: nothing was
                taken.
        """
        samples = mono_pcm(chunk)
        out = np.empty(lib.bc_resampler_push_count(self._handle, len(samples)), np.float32)
        self._push(samples, out)
        return out

    def flush(self) -> Floats:
        """End the stream: its last samples. Then the next push starts a new stream."""
        out = np.empty(lib.bc_resampler_flush_count(self._handle), np.float32)
        self._flush(out)
        return out

    def whole(self, audio: Audio) -> Floats:
        """A whole clip; the stream must be new or flushed. As :func:`resample`."""
        samples = mono_pcm(audio)
        out = np.empty(self.length(len(samples)), np.float32)
        self._flush(out[self._push(samples, out) :])
        return out

    def _push(self, samples: npt.NDArray[Any], out: Floats) -> int:
        is_int16 = samples.dtype == np.int16
        push = lib.bc_resampler_push if is_int16 else lib.bc_resampler_push_float
        n_out = ffi.new("size_t *")
        check_status(
            push(
                self._handle, pcm_pointer(samples), len(samples), pcm_pointer(out), len(out), n_out
            )
        )
        return int(n_out[0])

    def _flush(self, out: Floats) -> None:
        status = lib.bc_resampler_flush(
            self._handle, pcm_pointer(out), len(out), ffi.new("size_t *")
        )
        check_status(status)


def resample(audio: Audio, in_rate: int, out_rate: int) -> Floats:
    """A whole clip at another rate.

    Args:
        audio: shape ``(n_samples,)``, int16 or float with full scale 1.0.
        in_rate: of ``audio``, 1000 to 384000 Hz.
        out_rate: wanted, 1000 to 384000 Hz.

    Returns:
        Float32, ``ceil(n_samples * out_rate / in_rate)`` samples, the first at the time of the
        input's first.

    Raises:
        BabycryError: as for :class:`Resampler`.
    """
    return Resampler(in_rate, out_rate).whole(audio)


def resampler_instruction_sets() -> list[str]:
    """What :class:`Resampler` can compute with on this machine, best first."""
    names: list[str] = []
    while (name := lib.bc_resampler_isa_name(len(names))) != ffi.NULL:
        names.append(ffi.string(name).decode())
    return names


def to_mono(audio: Audio) -> npt.NDArray[Any]:
    """The mean of the channels, as ``librosa.to_mono``.

    Args:
        audio: shape ``(n_samples, n_channels)``, 1 to 64 channels; ``(n_samples,)`` is mono.

    Returns:
        Shape ``(n_samples,)``: float32, summed in the channels' order; or int16, rounded to
        nearest, halves away from 0.

    Raises:
        BabycryError: another shape or type.
    """
    if np.ndim(audio) == 1:
        return mono_pcm(audio)
    samples = typed_pcm(audio)
    if samples.ndim != 2:
        raise BabycryError(f"audio must be (n_samples, n_channels), not of shape {samples.shape}")
    mono = np.empty(len(samples), samples.dtype)
    mix = lib.bc_to_mono_int16 if samples.dtype == np.int16 else lib.bc_to_mono
    status = mix(pcm_pointer(samples), *samples.shape, pcm_pointer(mono))
    check_status(status, f"audio of shape {samples.shape}")
    return mono


def trim_silence(
    audio: Audio, top_db: float = 60.0, frame_length: int = 2048, hop_length: int = 512
) -> tuple[int, int]:
    """Where the sound begins and ends, as ``librosa.effects.trim``.

    Args:
        audio: shape ``(n_samples,)``.
        top_db: frames whose RMS lies this far (dB, above 0) below the loudest frame's are silence.
        frame_length: samples per frame, 2 to 65535.
        hop_length: samples between frames, 1 to 65535.

    Returns:
        ``(start, end)``: ``audio[start:end]`` is what librosa keeps.

    Raises:
        BabycryError: an argument out of range, or a sample that is NaN or infinite.
    """
    samples = mono_pcm(audio)
    trim = lib.bc_trim_int16 if samples.dtype == np.int16 else lib.bc_trim
    start, end = ffi.new("size_t *"), ffi.new("size_t *")
    frames = (_whole("frame_length", frame_length), _whole("hop_length", hop_length))
    check_status(
        trim(pcm_pointer(samples), len(samples), top_db, *frames, start, end), "trim_silence"
    )
    return int(start[0]), int(end[0])


def normalize_peak(audio: Audio, out: Floats | None = None) -> Floats:
    """Divided by the largest magnitude, as ``librosa.util.normalize``; silence stays silence.

    Args:
        audio: shape ``(n_samples,)``; int16 counts as float with full scale 1.0.
        out: where to write, float32 of the same shape; it may be ``audio`` itself.

    Raises:
        BabycryError: a sample that is NaN or infinite, or an ``out`` that does not fit.
    """
    samples = as_float(mono_pcm(audio))
    if out is None:
        out = np.empty_like(samples)
    fits = out.dtype == np.float32 and out.shape == samples.shape and out.flags.c_contiguous
    if not fits or not out.flags.writeable:
        raise BabycryError(f"out must be writable contiguous float32 of shape {samples.shape}")
    check_status(lib.bc_normalize_peak(pcm_pointer(samples), len(samples), pcm_pointer(out)))
    return out


def fit_length(
    audio: Audio, length: int, fit: Literal["end", "center"] = "end"
) -> npt.NDArray[Any]:
    """Padded with zeros or cut to ``length`` samples.

    Args:
        audio: shape ``(n_samples,)``.
        length: samples wanted, 0 or more.
        fit: "end" as ``librosa.util.fix_length``; "center" as ``librosa.util.pad_center``, and
            likewise the middle of what is too long.

    Returns:
        A new array of shape ``(length,)``, int16 or float32 as ``audio``.

    Raises:
        BabycryError: another ``fit``, or a negative length.
    """
    if fit not in FITS:
        raise BabycryError(f"fit must be {' or '.join(FITS)}, not {fit!r}")
    if _whole("length", length) < 0:
        raise BabycryError(f"length must be 0 or more, not {length}")
    samples = mono_pcm(audio)
    out = np.empty(length, samples.dtype)
    call = lib.bc_fit_length_int16 if samples.dtype == np.int16 else lib.bc_fit_length
    check_status(call(pcm_pointer(samples), len(samples), pcm_pointer(out), length, FITS[fit]))
    return out


def as_float(samples: npt.NDArray[Any]) -> Floats:
    """int16 divided by 32768 (exact); float as it is, as float32."""
    if samples.dtype == np.int16:
        return np.asarray(samples / np.float32(32768))
    return np.asarray(samples, np.float32)


class _Tables:
    """A ``bc_resampler_tables`` with its memory, shared by the streams of these rates."""

    def __init__(self, in_rate: int, out_rate: int) -> None:
        check_status(lib.bc_resampler_check(in_rate, out_rate), f"{in_rate} Hz to {out_rate} Hz")
        size = lib.bc_resampler_tables_size(in_rate, out_rate)
        self.memory = ffi.new("char[]", size)
        self.handle = ffi.new("bc_resampler_tables *")
        check_status(
            lib.bc_resampler_make_tables(self.handle, in_rate, out_rate, self.memory, size)
        )

    @staticmethod
    @lru_cache(maxsize=8)
    def of(in_rate: int, out_rate: int) -> _Tables:
        """Made once for each pair of rates."""
        return _Tables(in_rate, out_rate)


def _rate(name: str, value: Any) -> int:
    rate = _whole(name, value)
    if not -(2**31) <= rate < 2**31:
        raise BabycryError(f"{name} must be 1000 to 384000 Hz, not {value}")
    return rate


def _whole(name: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise BabycryError(f"{name} must be a whole number, not {value!r}") from None
    if number != value or isinstance(value, bool) or abs(number) >= 2**62:
        raise BabycryError(f"{name} must be a whole number, not {value!r}")
    return number
