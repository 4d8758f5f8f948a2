"""The metadata inside a model file: one canonical text, and a parser that names what is wrong."""

from __future__ import annotations

import base64
import copy
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_edge.errors import BabycryError
from babycry_edge.metadata import (
    Golden,
    ModelMetadata,
    Recurrence,
    RecurrentLayer,
    Standardize,
    parse_metadata,
)
from babycry_edge.model_reader import read_model_file

FIXTURES = Path(__file__).parent / "fixtures"
TEXT = read_model_file(FIXTURES / "tiny.onnx")[1].metadata_json or ""
CONTENT: dict[str, Any] = json.loads(TEXT)


def golden() -> Golden:
    found = parse_metadata(TEXT).golden
    assert found is not None
    return found


def changed(path: str, value: Any) -> str:
    """The metadata text with one field replaced."""
    content = copy.deepcopy(CONTENT)
    place = content
    *parents, name = path.split(".")
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place[parent]
    place[name] = value
    return json.dumps(content)


def test_writing_what_was_parsed_gives_the_same_text() -> None:
    assert parse_metadata(TEXT).to_json() == TEXT


def test_the_text_is_canonical() -> None:
    assert json.dumps(CONTENT, sort_keys=True, separators=(",", ":")) == TEXT


def test_onnx_and_tflite_carry_the_same_metadata_but_for_their_own_scores() -> None:
    def common(name: str) -> dict[str, Any]:
        content = json.loads(read_model_file(FIXTURES / name)[1].metadata_json or "")
        for own in ("scores", "score_tolerance", "events"):
            del content["golden"][own]
        return dict(content)

    assert common("tiny.onnx") == common("tiny.tflite")


def test_metadata_holds_what_a_runtime_needs() -> None:
    metadata = parse_metadata(TEXT)
    assert metadata.labels == ("other", "cry")
    assert metadata.target_index == 1
    assert (metadata.window_frames, metadata.hop_frames) == (100, 25)
    assert metadata.frontend.sample_rate == 16000
    assert metadata.frontend.n_mels == 64


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_a_missing_field_is_named(name: str) -> None:
    content = {key: value for key, value in CONTENT.items() if key != name}
    with pytest.raises(BabycryError, match=name):
        parse_metadata(json.dumps(content))


@pytest.mark.parametrize("name", sorted(CONTENT["golden"]))
def test_a_missing_golden_field_is_named(name: str) -> None:
    golden = {key: value for key, value in CONTENT["golden"].items() if key != name}
    with pytest.raises(BabycryError, match=f"golden.{name} is missing"):
        parse_metadata(changed("golden", golden))


@pytest.mark.parametrize("name", sorted(CONTENT["frontend"]))
def test_a_missing_front_end_axis_is_named(name: str) -> None:
    frontend = {key: value for key, value in CONTENT["frontend"].items() if key != name}
    with pytest.raises(BabycryError, match=f"frontend.*{name}"):
        parse_metadata(changed("frontend", frontend))


@pytest.mark.parametrize("name", sorted(CONTENT))
@pytest.mark.parametrize("value", [None, True, [[]], {"a": 1}])
def test_a_field_of_the_wrong_type_is_named(name: str, value: object) -> None:
    with pytest.raises(BabycryError, match=name):
        parse_metadata(changed(name, value))


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("schema_version", 2, "schema_version 2"),
        ("window_frames", 0, "window_frames"),
        ("hop_frames", 101, "hop_frames"),
        ("hop_frames", 2.5, "hop_frames"),
        ("labels", [], "labels"),
        ("labels", ["cry", "cry"], "labels"),
        ("target", "dog", "target"),
        ("activation", "relu", "activation"),
        ("threshold", "0.6", "threshold"),
        ("threshold", 0.0, "threshold"),
        ("threshold", 1.5, "threshold"),
        ("release_threshold", 0.7, "release_threshold"),
        ("smoothing_windows", 0, "smoothing_windows"),
        ("min_duration_s", -0.1, "min_duration_s"),
        ("clip_windows", 0, "clip_windows"),
        ("calibration_sha256", "abc", "calibration_sha256"),
        ("calibration_count", 0, "calibration_count"),
        ("frontend.sample_rate", 44100, "sample_rate"),
        ("frontend.compression", "cube root", "compression"),
        ("frontend.extra", 1, "extra"),
        ("golden.n_samples", 10**9, "golden.n_samples"),
        ("golden.features_sha256", "G" * 64, "golden.features_sha256"),
        ("golden.scores", [], "golden.scores"),
        ("golden.scores", ["0.5"], "golden.scores"),
        ("golden.score_tolerance", -1, "golden.score_tolerance"),
        ("golden.events", [{"label": "cry"}], "golden.events"),
        ("golden.extra", 1, "golden.*extra.* is unknown"),
        ("extra", 1, "extra.* is unknown"),
    ],
)
def test_a_value_out_of_range_is_named(path: str, value: object, named: str) -> None:
    with pytest.raises(BabycryError, match=named) as caught:
        parse_metadata(changed(path, value))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"schema_version": 1, "schema_version": 1}',
        TEXT.replace('"threshold":0.6', '"threshold":NaN'),
        TEXT.replace('"threshold":0.6', '"threshold":1e999'),
        TEXT.replace('"hop_frames":25', '"hop_frames":' + "9" * 5000),
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_text_that_is_no_metadata_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BabycryError) as caught:
        parse_metadata(text)
    assert "\n" not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3)
    ),
    max_leaves=6,
)
field_paths = sorted(
    [*CONTENT, *(f"golden.{n}" for n in CONTENT["golden"])]
    + [f"frontend.{n}" for n in CONTENT["frontend"]]
    + [f"golden.events.0.{n}" for n in CONTENT["golden"]["events"][0]]
)


# ---- optional fields

N_FEATURES = 64
OPTIONAL: dict[str, Any] = {
    "standardize": {"mean": [0.5] * N_FEATURES, "scale": [-2.0] * N_FEATURES},
    "recurrence": {
        "steps": 12,
        "layers": [
            {"kind": "gru", "directions": ["forward", "backward"], "hidden": 16},
            {"kind": "lstm", "directions": ["forward"], "hidden": 8},
        ],
    },
}


def with_optional(path: str, value: Any) -> str:
    """The metadata text with both optional fields, one value in them replaced."""
    content = copy.deepcopy({**CONTENT, **OPTIONAL})
    *parents, name = path.split(".")
    place: Any = content
    for parent in parents:
        place = place[int(parent)] if parent.isdigit() else place[parent]
    place[name] = value
    return json.dumps(content)


def test_optional_fields_are_left_out_where_they_are_off() -> None:
    metadata = parse_metadata(TEXT)
    assert metadata.standardize is None
    assert metadata.recurrence is None
    assert not OPTIONAL.keys() & json.loads(metadata.to_json()).keys()


def test_optional_fields_survive_their_text_form() -> None:
    metadata = parse_metadata(json.dumps({**CONTENT, **OPTIONAL}))
    assert metadata.standardize == Standardize((0.5,) * N_FEATURES, (-2.0,) * N_FEATURES)
    assert metadata.recurrence == Recurrence(
        12,
        (
            RecurrentLayer("gru", ("forward", "backward"), 16),
            RecurrentLayer("lstm", ("forward",), 8),
        ),
    )
    assert json.loads(metadata.to_json()) == {**CONTENT, **OPTIONAL}
    assert parse_metadata(metadata.to_json()) == metadata


def test_a_recurrence_names_the_parts_of_its_file() -> None:
    recurrence = parse_metadata(json.dumps({**CONTENT, **OPTIONAL})).recurrence
    assert recurrence is not None
    cells = ("cell_0_forward", "cell_0_backward", "cell_1_forward")
    assert recurrence.signatures == ("body", *cells, "head")


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("standardize", None, "standardize must be an object"),
        ("standardize", {"mean": [0.0] * N_FEATURES}, "standardize.scale is missing"),
        ("standardize.extra", 1, "standardize.*extra.* is unknown"),
        ("standardize.mean", [0.5] * 63, "standardize.mean must have 64 values, not 63"),
        ("standardize.mean", 0.5, "standardize.mean must be a list"),
        ("standardize.mean", [True] * N_FEATURES, "standardize.mean must list float32"),
        ("standardize.mean", [0.1] * N_FEATURES, "standardize.mean must list float32"),
        ("standardize.mean", [1e39] * N_FEATURES, "standardize.mean must list float32"),
        ("standardize.scale", [1.0] * 63 + [0.0], "standardize.scale must not hold 0"),
        ("standardize.scale", [1.0] * 63 + [-0.0], "standardize.scale must not hold 0"),
        ("recurrence", [], "recurrence must be an object"),
        ("recurrence.steps", 0, "recurrence.steps"),
        ("recurrence.steps", 10**6, "recurrence.steps"),
        ("recurrence.layers", [], "recurrence.layers"),
        ("recurrence.layers", [OPTIONAL["recurrence"]["layers"][0]] * 17, "recurrence.layers"),
        ("recurrence.layers.0.kind", "rnn", "recurrence.layers.kind must be one of gru, lstm"),
        ("recurrence.layers.0.kind", ["gru"], "recurrence.layers.kind"),
        ("recurrence.layers.0.directions", ["backward"], "recurrence.layers.directions"),
        ("recurrence.layers.0.directions", [], "recurrence.layers.directions"),
        ("recurrence.layers.0.directions", "forward", "recurrence.layers.directions"),
        ("recurrence.layers.1.hidden", 0, "recurrence.layers.hidden"),
        ("recurrence.layers.1.extra", 0, "recurrence.layers.*extra.* is unknown"),
    ],
)
def test_a_wrong_optional_field_is_named(path: str, value: object, named: str) -> None:
    with pytest.raises(BabycryError, match=named) as caught:
        parse_metadata(with_optional(path, value))
    assert "\n" not in str(caught.value)


def test_standardising_rounds_twice_in_float32() -> None:
    x = np.array([[1.0, 16777216.0]], np.float32)
    mean, scale = (np.float32(-0.1), np.float32(-1.0)), (np.float32(1 / 3), np.float32(3.0))
    standardize = Standardize(tuple(map(float, mean)), tuple(map(float, scale)))
    expected = [np.float32(np.float32(x[0, i] - mean[i]) * scale[i]) for i in range(2)]
    result = standardize.apply(x)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [expected])


def test_a_front_end_that_pools_gives_one_row() -> None:
    metadata = parse_metadata(TEXT)
    assert metadata.window_shape == (100, 64)
    pooled = replace(metadata.frontend, pooling="mean_std", normalize="none")
    assert replace(metadata, frontend=pooled).window_shape == (1, 128)


optional_paths = [
    *OPTIONAL,
    "standardize.mean",
    "standardize.scale",
    "recurrence.steps",
    "recurrence.layers",
    "recurrence.layers.1.kind",
    "recurrence.layers.1.directions",
    "recurrence.layers.1.hidden",
]


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(optional_paths), value=json_values)
def test_any_json_value_in_an_optional_field_is_accepted_or_refused_in_one_line(
    path: str, value: object
) -> None:
    try:
        parsed = parse_metadata(with_optional(path, value))
    except BabycryError as error:
        assert "\n" not in str(error)
    else:
        assert parse_metadata(parsed.to_json()) == parsed


@settings(max_examples=500, deadline=None)
@given(path=st.sampled_from(field_paths), value=json_values)
def test_any_json_value_in_any_field_is_accepted_or_refused_in_one_line(
    path: str, value: object
) -> None:
    try:
        parsed = parse_metadata(changed(path, value))
    except BabycryError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(parsed, ModelMetadata)
        assert parse_metadata(parsed.to_json()) == parsed


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=200))
def test_a_golden_recording_survives_its_text_form(samples: list[int]) -> None:
    pcm = np.array(samples, np.int16)
    packed = replace(golden(), pcm_s16le_zlib_b64=Golden.encode_pcm(pcm), n_samples=len(pcm))
    np.testing.assert_array_equal(packed.pcm(), pcm)


@pytest.mark.parametrize(
    "packed",
    [
        "",
        "not base64!",
        base64.b64encode(b"not zlib").decode(),
        base64.b64encode(zlib.compress(b"\0" * 10)).decode(),
        base64.b64encode(zlib.compress(b"\0" * 100_000_000)).decode(),
        base64.b64encode(zlib.compress(b"\0" * 96_000)[:-3]).decode(),
        "\u00e9",
    ],
)
def test_a_golden_recording_of_another_length_is_refused(packed: str) -> None:
    with pytest.raises(BabycryError, match=r"golden.pcm_s16le_zlib_b64"):
        replace(golden(), pcm_s16le_zlib_b64=packed).pcm()


def test_metadata_without_a_golden_check_is_not_written() -> None:
    with pytest.raises(BabycryError, match="golden is missing"):
        replace(parse_metadata(TEXT), golden=None).to_json()
