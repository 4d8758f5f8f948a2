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
from babycry_edge.metadata import Golden, ModelMetadata, parse_metadata
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
