"""Which oracle judges which profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from babycry_edge import FrontendConfig
from oracles import kaldi_oracle, librosa_oracle, torchaudio_oracle, whisper_oracle, yamnet_oracle

Oracle = Callable[[NDArray[Any], FrontendConfig], NDArray[np.float64]]

ORACLES: dict[str, Oracle] = {
    "librosa": librosa_oracle.features,
    "librosa-0.8": librosa_oracle.features,
    "torchaudio": torchaudio_oracle.features,
    "yamnet": yamnet_oracle.features,
    "vggish": yamnet_oracle.features,
    "kaldi": kaldi_oracle.features,
    "whisper": whisper_oracle.features,
    "babycry": librosa_oracle.features,
}
"""The profiles with one row per frame and a float for each band."""

WORDS: dict[str, str] = {
    "librosa": "librosa, float64",
    "librosa-0.8": "librosa, float64, the whole signal mirrored first",
    "torchaudio": "torch.stft and torchaudio's formulas, float64",
    "yamnet": "features.py in numpy, float64",
    "vggish": "mel_features.py in numpy, float64",
    "kaldi": "Kaldi's definition in numpy, float64",
    "whisper": "audio.py in numpy, float64",
    "babycry": "librosa, float64",
}

VECTORS = ("guide-88", "guide-18")
"""The profiles with one row per clip; librosa judges them."""


HARD_SIGNALS = {"babycry": ("silence", "square wave at full scale", "impulses")}
"""Where not every hard signal judges a profile: the mean that babycry removes is over all bands,
and the other signals have bands that no bound holds for, far below the peak or holding nothing."""


def bands_only(config: FrontendConfig) -> FrontendConfig:
    """The same front-end up to its mel bands."""
    changes: dict[str, Any] = {"compression": "none", "top_db": None, "normalize": "none"}
    changes |= {"n_mfcc": 0, "delta": 0, "descriptors": (), "pooling": "none"}
    return FrontendConfig.from_dict({**config.to_dict(), **changes})


def needs(profile: str) -> None:
    """Skip the calling test where a library that the profile's oracle calls is absent."""
    libraries = {"torchaudio": "torch", "yamnet": "numpy", "vggish": "numpy", "kaldi": "numpy"}
    pytest.importorskip(libraries.get(profile, "librosa"))
