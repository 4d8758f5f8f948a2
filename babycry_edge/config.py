"""The front-end's configuration: every axis of a profile, as stated in the C header.

The profiles' constants stand in ``csrc/frontend/bc_frontend_profile.c`` and are read from there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from babycry_edge.binding import ffi, lib
from babycry_edge.errors import BabycryError

_C_TYPE = ffi.typeof("bc_frontend_config")
_C_FIELDS: dict[str, Any] = {name: field.type for name, field in _C_TYPE.fields}
_DESCRIPTOR = "BC_DESCRIPTOR_"


@dataclass(frozen=True)
class FrontendConfig:
    """One front-end, every axis explicit. Start from :meth:`from_profile`.

    Lengths are in samples, frequencies in Hz, levels in dB. ``ref="max"``, ``top_db``,
    ``compression="log10_whisper"``, ``delta``, ``normalize`` and ``pooling`` depend on the whole
    clip (or window) and cannot be streamed frame by frame. ``descriptors`` follow the bands or
    cepstra of each row, in the order of :func:`descriptor_names`, whatever order they are given in.

    Raises:
        BabycryError: a field is out of range; the message names it and what is allowed.
    """

    profile: str
    version: int
    sample_rate: int
    n_fft: int
    win_length: int
    hop_length: int
    window: Literal["hann", "hann_symmetric", "povey", "hann_integer"]
    window_position: Literal["center", "left"]
    framing: Literal["left", "center-zero", "center-reflect", "kaldi-snip", "kaldi-mirror"]
    preemphasis: float
    remove_dc: int
    spectrum: Literal["power", "magnitude"]
    mel_scale: Literal["slaney", "htk"]
    mel_slopes: Literal["hz", "mel", "bin"]
    mel_norm: Literal["slaney", "none"]
    n_mels: int
    fmin: float
    fmax: float
    compression: Literal["none", "db", "log", "log_max", "log10_whisper", "pcen", "tflm"]
    log_offset: float
    amin: float
    ref: float | Literal["max"]
    top_db: float | None
    n_mfcc: int
    dct_norm: Literal["none", "ortho", "htk", "kaldi"]
    lifter: int
    delta: int
    normalize: Literal["none", "window_mean", "window_mean_std", "min_max"]
    descriptors: tuple[str, ...] = ()
    rolloff: float = 0.0
    pooling: Literal["none", "mean_std", "mean"] = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "descriptors", _in_order(self.descriptors))
        self.to_c()

    @classmethod
    def from_profile(cls, name: str, **changes: Any) -> FrontendConfig:
        """The named profile, with the given axes changed.

        ``win_length`` follows a changed ``n_fft``, and ``fmax`` a changed ``sample_rate``, where
        the profile has them equal (to ``n_fft``, to half the rate) and they are not given. The
        result's ``profile`` states the changes: ``librosa[n_mels=64]``.

        Raises:
            BabycryError: no such profile or field, or a value out of range.
        """
        c_config = ffi.new("bc_frontend_config *")
        if lib.bc_frontend_profile(c_config, name.encode()) != lib.BC_OK:
            raise BabycryError(f"no profile {name!r}: choose from {', '.join(profile_names())}")
        values = {field: _python_value(field, getattr(c_config, field)) for field in _C_FIELDS}
        for field in changes:
            if field not in values or field == "version":
                raise BabycryError(f"a front-end has no axis {field!r}: see FrontendConfig")
        if "n_fft" in changes and values["win_length"] == values["n_fft"]:
            changes.setdefault("win_length", changes["n_fft"])
        if "sample_rate" in changes and values["fmax"] * 2 == values["sample_rate"]:
            changes.setdefault("fmax", changes["sample_rate"] / 2)
        if "descriptors" in changes:
            changes["descriptors"] = _in_order(changes["descriptors"])
        differing = {key: value for key, value in changes.items() if values[key] != value}
        stated = ",".join(f"{key}={_stated(differing[key])}" for key in sorted(differing))
        values.update(differing)
        return cls(profile=f"{name}[{stated}]" if stated else name, **values)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FrontendConfig:
        """The inverse of :meth:`to_dict`: every field but the optional ones, and no other.

        Raises:
            BabycryError: a field is missing, unknown, of the wrong type or out of range.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        for name in names:
            if name not in values and name not in _OPTIONAL:
                raise BabycryError(f"the front-end's field {name!r} is missing")
        for name in values:
            if name not in names:
                raise BabycryError(f"the front-end has an unknown field {name!r}")
        return cls(**values)

    @property
    def n_features(self) -> int:
        """Values per row."""
        width = (self.n_mfcc or self.n_mels) * (1 + self.delta) + len(self.descriptors)
        return 2 * width if self.pooling == "mean_std" else width

    @property
    def is_frame_by_frame(self) -> bool:
        """Whether each row depends on its own frame (and those before it) alone."""
        relative = self.compression == "db" and (self.ref == "max" or self.top_db is not None)
        return not (
            relative
            or self.compression == "log10_whisper"
            or self.delta
            or self.normalize != "none"
            or self.pooling != "none"
        )

    def require_rate(self, sample_rate: int) -> None:
        """Refuses audio of another sample rate, in Hz.

        Raises:
            BabycryError: it is not :attr:`sample_rate`.
        """
        if sample_rate != self.sample_rate:
            raise BabycryError(
                f"the audio has {sample_rate} Hz and the front-end wants {self.sample_rate} Hz: "
                "resample it first (babycry_edge.audio.resample)"
            )

    def samples_for(self, n_frames: int) -> int:
        """The fewest samples of a clip that gives ``n_frames`` frames, one or more."""
        if self.framing in ("center-zero", "center-reflect"):
            return (n_frames - (self.compression != "log10_whisper")) * self.hop_length
        if self.framing == "kaldi-mirror":
            return n_frames * self.hop_length - self.hop_length // 2
        span = self.win_length if self.window_position == "left" else self.n_fft
        return (n_frames - 1) * self.hop_length + span

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain values, fit for JSON; optional ones that are off are left out."""
        values = dataclasses.asdict(self)
        values["descriptors"] = list(self.descriptors)
        off = {name for name, value in _OPTIONAL.items() if values[name] == value}
        return {name: value for name, value in values.items() if name not in off}

    def to_c(self) -> Any:
        """The configuration as a new ``bc_frontend_config *``, checked by the C library."""
        if not isinstance(self.profile, str) or not self.profile:
            raise BabycryError("profile must be a name")
        c_config = ffi.new("bc_frontend_config *")
        for field in _C_FIELDS:
            setattr(c_config, field, _c_value(field, getattr(self, field)))
        status = lib.bc_frontend_check(c_config)
        if status != lib.BC_OK:
            field = _status_field(status)
            value = f", not {getattr(self, field)!r}" if field else ""
            raise BabycryError(f"front-end: {status_message(status)}{value}")
        return c_config


#: Fields that files of earlier versions lack, with what to_dict leaves out.
_OPTIONAL: dict[str, Any] = {"descriptors": [], "rolloff": 0.0, "pooling": "none"}


def descriptor_names() -> list[str]:
    """What ``FrontendConfig.descriptors`` may hold, in the order of a row."""
    return list(_descriptor_bits())


def _descriptor_bits() -> dict[str, int]:
    bits = {name: getattr(lib, name) for name in dir(lib) if name.startswith(_DESCRIPTOR)}
    return {
        name.removeprefix(_DESCRIPTOR).lower(): bit
        for name, bit in sorted(bits.items(), key=lambda item: int(item[1]))
    }


def _in_order(descriptors: Any) -> tuple[str, ...]:
    known = _descriptor_bits()
    if isinstance(descriptors, str) or not isinstance(descriptors, Collection):
        raise BabycryError(f"front-end: descriptors must be a list of names, not {descriptors!r}")
    for name in descriptors:
        if name not in known:
            raise BabycryError(
                f"front-end: descriptors must be some of {', '.join(known)}, not {name!r}"
            )
    return tuple(name for name in known if name in descriptors)


def _stated(value: Any) -> str:
    return "+".join(value) if isinstance(value, tuple) else str(value)


def profile_names() -> list[str]:
    """The profiles that the library knows."""
    names: list[str] = []
    while (name := lib.bc_frontend_profile_name(len(names))) != ffi.NULL:
        names.append(ffi.string(name).decode())
    return names


def status_message(status: int) -> str:
    """The C library's words for a status."""
    text: bytes = ffi.string(lib.bc_status_string(status))
    return text.decode()


def check_status(status: int, what: str = "the audio") -> None:
    """Nothing for BC_OK.

    Raises:
        BabycryError: another status, in the C library's words after ``what``.
    """
    if status != lib.BC_OK:
        raise BabycryError(f"{what}: {status_message(status)}")


def enum_names(field: str) -> dict[str, int]:
    """The names that an axis may take, from the enumeration in the C header."""
    prefix = f"bc_{field}_".upper()
    hyphen = "-" if field == "framing" else "_"  # center-zero, but log_max
    return {
        enumerator.removeprefix(prefix).lower().replace("_", hyphen): value
        for enumerator, value in _C_FIELDS[field].relements.items()
    }


def _status_field(status: int) -> str:
    name = ffi.typeof("bc_status").elements[status].removeprefix("BC_BAD_").lower()
    return name if name in _C_FIELDS else ""


def _python_value(field: str, value: Any) -> Any:
    kind = _C_FIELDS[field].kind
    if kind == "enum":
        return {number: name for name, number in enum_names(field).items()}[value]
    if field == "descriptors":
        return tuple(name for name, bit in _descriptor_bits().items() if value & bit)
    if field == "ref" and value == 0:
        return "max"
    if field == "top_db" and value == 0:
        return None
    if _C_FIELDS[field].cname == "float":
        return float(str(np.float32(value)))  # the shortest decimal, not float32's tail
    return int(value)


def _c_value(field: str, value: Any) -> Any:
    c_type = _C_FIELDS[field]
    if c_type.kind == "enum":
        names = enum_names(field)
        if not isinstance(value, str) or value not in names:
            raise BabycryError(f"front-end: {field} must be {' or '.join(names)}, not {value!r}")
        return names[value]
    if field == "descriptors":
        return sum(_descriptor_bits()[name] for name in value)
    if field == "ref":
        value = _marked(field, value, "max")
    elif field == "top_db":
        value = _marked(field, value, None)
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or isinstance(value, bool):
        raise BabycryError(f"front-end: {field} must be a number, not {value!r}")
    if not math.isfinite(value):
        raise BabycryError(f"front-end: {field} must be finite, not {value!r}")
    if c_type.cname == "float":
        return float(value)
    if int(value) != value or abs(value) >= 2**31:
        raise BabycryError(f"front-end: {field} must be a whole number, not {value!r}")
    return int(value)


def _marked(field: str, value: Any, marker: object) -> Any:
    """0 stands for the marker in C; as a number it is refused."""
    if value == marker:
        return 0.0
    if value == 0:
        raise BabycryError(f"front-end: {field} must be above 0 or {marker!r}, not 0")
    return value
