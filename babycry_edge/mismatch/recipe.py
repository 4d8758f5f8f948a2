"""What features may be made of: every axis up to the mel bands, more than FrontendConfig has."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from babycry_edge.config import FrontendConfig, enum_names

WINDOWS = ("hann", "hann_symmetric", "hamming", "hamming_symmetric", "povey", "blackman", "boxcar")
FRAMINGS = ("left", "center-zero", "center-reflect", "kaldi-snip", "kaldi-mirror")
SLOPES = ("hz", "mel", "bin")


@dataclass(frozen=True)
class Recipe:
    """From a sound file to mel bands. Fields that a FrontendConfig has mean what they mean there.

    Attributes:
        audio_rate: Hz; the rate that the samples have when they are framed.
        resampler: how the file's samples got that rate, one of ``sound.RESAMPLERS``.
        channel: "mean", "first" or "second".
        signal_preemphasis: x[i] -= c * x[i-1] over the whole recording, not frame by frame.
        start: samples cut off at the beginning; below 0, zeros put before it.
        first_frame: index of the first frame that was kept.
        sample_rate: Hz; the rate that the bands are laid out for.
    """

    audio_rate: int
    resampler: str
    channel: str
    signal_preemphasis: float
    start: int
    first_frame: int
    sample_rate: int
    n_fft: int
    win_length: int
    hop_length: int
    window: str
    window_position: str
    framing: str
    preemphasis: float
    remove_dc: int
    spectrum: str
    mel_scale: str
    mel_slopes: str
    mel_norm: str
    n_mels: int
    fmin: float
    fmax: float

    @classmethod
    def from_config(cls, config: FrontendConfig) -> Recipe:
        """The recipe of a front-end; resampled and mixed to mono as this package does."""
        own = {field.name for field in dataclasses.fields(cls)}
        shared = {key: value for key, value in config.to_dict().items() if key in own}
        return cls(
            audio_rate=config.sample_rate,
            resampler="soxr-hq",
            channel="mean",
            signal_preemphasis=0.0,
            start=0,
            first_frame=0,
            **shared,
        )

    def with_changes(self, **changes: Any) -> Recipe:
        """A copy with some axes changed; fmax and the window's length stay within their limits."""
        new = dataclasses.replace(self, **changes)
        if new.win_length > new.n_fft:
            new = dataclasses.replace(new, win_length=new.n_fft)
        if new.fmax > new.sample_rate / 2:
            new = dataclasses.replace(new, fmax=new.sample_rate / 2)
        return new


def is_known(config: FrontendConfig) -> bool:
    """Whether the float64 reference has every value of ``config``."""
    compression: str = config.compression
    return (
        config.window in WINDOWS
        and config.framing in FRAMINGS
        and config.mel_slopes in SLOPES
        and compression != "tflm"
        and not getattr(config, "descriptors", ())
        and getattr(config, "pooling", "none") == "none"
    )


def searchable(config: FrontendConfig) -> Recipe:
    """The recipe of ``config`` with a known window and framing in place of unknown ones."""
    recipe = Recipe.from_config(config)
    known = {"window": WINDOWS, "framing": FRAMINGS, "mel_slopes": SLOPES}
    wrong = {axis: names[0] for axis, names in known.items() if getattr(recipe, axis) not in names}
    return recipe.with_changes(**wrong)


def choices(axis: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The values of an axis, those that the C library has first."""
    own = tuple(name for name in enum_names(axis) if name in known)
    return own + tuple(name for name in known if name not in own)
