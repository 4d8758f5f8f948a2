"""Configurations at random: what is accepted works, a refusal names the field at fault."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_edge import BabycryError, Frontend, FrontendConfig
from babycry_edge.config import descriptor_names, enum_names, profile_names

RATE = 16000
AUDIO = np.random.default_rng(5).normal(0, 4000, 6000).astype(np.int16)

#: What each field is drawn from: values that are taken, values that are not, and values between.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "n_fft": st.sampled_from([32, 64, 96, 250, 256, 400, 480, 512, 1024, 0, -2, 31, 34, 8192]),
    "win_length": st.integers(-2, 600),
    "hop_length": st.integers(-1, 1000),
    "preemphasis": st.floats(-0.5, 1.5),
    "remove_dc": st.integers(-1, 2),
    "n_mels": st.integers(-1, 140),
    "fmin": st.floats(-10, 9000),
    "fmax": st.floats(-10, 9000),
    "log_offset": st.floats(-1, 1),
    "amin": st.floats(-1e-3, 1e-3),
    "ref": st.sampled_from(["max", 1.0, 0.5, -1.0]),
    "top_db": st.sampled_from([None, 80.0, 20.0, -3.0]),
    "n_mfcc": st.integers(-1, 80),
    "lifter": st.integers(-1, 40),
    "delta": st.integers(-1, 3),
    "rolloff": st.floats(-0.1, 1.1),
    "descriptors": st.lists(st.sampled_from([*descriptor_names(), "flux"]), max_size=3),
    **{
        name: st.sampled_from([*enum_names(name), "other"])
        for name in (
            "window",
            "window_position",
            "framing",
            "spectrum",
            "mel_scale",
            "mel_slopes",
            "mel_norm",
            "compression",
            "dct_norm",
            "normalize",
            "pooling",
        )
    },
}

changes = st.lists(st.sampled_from(sorted(FIELDS)), max_size=5, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in names})
)


@settings(max_examples=400, deadline=None)
@given(profile=st.sampled_from(profile_names()), changed=changes)
def test_a_configuration_works_or_its_refusal_names_a_field(
    profile: str, changed: dict[str, Any]
) -> None:
    try:
        config = FrontendConfig.from_profile(profile, **changed)
    except BabycryError as error:
        message = str(error)
        assert "\n" not in message and message.startswith("front-end: ")
        names = [field.name for field in dataclasses.fields(FrontendConfig)]
        assert any(name in message for name in (*names, "n_channels")), message
        return
    assert FrontendConfig.from_dict(config.to_dict()) == config
    frontend = Frontend(config)
    try:
        whole = frontend(AUDIO, RATE)
    except BabycryError as error:
        assert "too short" in str(error) or "too few" in str(error)
        return
    assert whole.shape[1] == config.n_features and np.isfinite(whole).all()
    if config.is_frame_by_frame:
        stream = frontend.stream()
        parts = [stream.push(part) for part in np.array_split(AUDIO, 7)]
        assert np.concatenate([*parts, stream.flush()]).tobytes() == whole.tobytes()
