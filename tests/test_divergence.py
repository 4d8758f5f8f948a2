"""The first stage at which a damaged device leaves the reference, by name; and none without damage.

Every layer of the bundled files and of the folds is damaged in turn; a quick look at the layers
alone, since the other stages do not depend on which one it is. Whole records are made for some.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import divergence_models as made
import report_models as models
from babycry_bench.clip_audio import at_rate
from babycry_bench.clips import Clip
from babycry_bench.divergence import (
    FEATURES_DB,
    GAIN_PERCENT,
    Device,
    check_divergence,
    differing_axes,
    first_divergence,
    gain_percent,
    misses_event,
)
from babycry_bench.models import FLOAT_ONNX, FLOAT_TFLITE
from babycry_edge import Detector, Model
from babycry_edge.detector import Detection, Event
from babycry_edge.metadata import ModelMetadata
from babycry_edge.models import bundled
from babycry_edge.windows import Windows, clip_windows

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")
pytest.importorskip("librosa")

from_layers = pytest.importorskip("babycry_convert.report.layers")

ONNX, TFLITE = bundled("cry.onnx"), bundled("cry.tflite")
STAGES = ["audio", "features", "layer", "score", "event"]

#: Undamaged layers stay this far below the bound, and damaged ones this far above it.
MARGIN = 2.0


@dataclass(frozen=True)
class Opened:
    """A model file as the bench opens it."""

    name: str
    path: Path
    model: Model
    detector: Detector

    @classmethod
    def of(cls, path: Path) -> Opened:
        model = Model.load(path, verify=False)
        return cls(path.name, path, model, Detector(model))


@pytest.fixture(scope="module")
def few(clips: list[Clip]) -> list[Clip]:
    """Three cries, one of them at another rate, and two noises."""
    names = ("cry_hungry_1", "cry_burping_1", "cry_hungry_8khz", "noise_pink", "noise_clicks")
    return [clip for clip in clips if clip.name in names]


@pytest.fixture(scope="module")
def windows(clips: list[Clip]) -> npt.NDArray[np.float32]:
    metadata = Model.load(ONNX, verify=False).metadata
    cut = [clip_windows(at_rate(clip, 16000), 16000, metadata) for clip in clips]
    return np.concatenate(cut)[::25]


def diverged(path: Path, reference: Path, clips: list[Clip], **device: Any) -> dict[str, Any]:
    """The record, if it is of the schema."""
    jsonschema = pytest.importorskip("jsonschema")
    model = Opened.of(path)
    record = first_divergence(model, reference, clips, device=Device(**device))
    source = resources.files("babycry_bench.schema") / "report.schema.json"
    schema = json.loads(source.read_text())
    jsonschema.validate(record, {"$ref": "#/$defs/divergence", "$defs": schema["$defs"]})
    assert [stage["stage"] for stage in record["stages"]] == STAGES
    json.dumps(record, allow_nan=False)
    return record


def passed(record: dict[str, Any]) -> dict[str, bool | None]:
    return {stage["stage"]: stage["passed"] for stage in record["stages"]}


def stage(record: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in record["stages"] if item["stage"] == name)
    return found


# ---- nothing is wrong


@pytest.mark.parametrize("path", [ONNX, TFLITE])
def test_the_bundled_files_do_not_diverge(path: Path, clips: list[Clip]) -> None:
    (record,) = check_divergence([Opened.of(path)], clips)
    assert (record["stage"], record["where"], record["value"]) == ("none", "", None)
    assert record["detail"] == ""
    assert all(passed(record).values())
    assert stage(record, "features")["value"] > FEATURES_DB + 20
    assert stage(record, "layer")["value"] < GAIN_PERCENT / MARGIN


@pytest.mark.parametrize("fold", range(5))
def test_the_folds_do_not_diverge(fold: int, clips: list[Clip], tmp_path: Path) -> None:
    float_file = tmp_path / f"fold{fold}_float.tflite"
    float_file.write_bytes(made.float_tflite(fold))
    for path, reference in (
        (made.FOLDS / f"fold{fold}.onnx", made.FOLDS / f"fold{fold}_float.onnx"),
        (made.FOLDS / f"fold{fold}.tflite", float_file),
    ):
        record = diverged(path, reference, clips)
        assert record["stage"] == "none", record
        assert all(passed(record).values())
        assert stage(record, "layer")["value"] < GAIN_PERCENT / MARGIN


def test_a_model_without_its_float_file_has_no_record(tmp_path: Path, few: list[Clip]) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes((made.FOLDS / "fold1.onnx").read_bytes())
    heard = []
    assert check_divergence([Opened.of(alone)], few, lambda: heard.append(1)) == []
    assert heard == [1]


def test_a_file_is_compared_once_for_an_engine(few: list[Clip]) -> None:
    one = Opened.of(ONNX)
    again = replace(one, name="cry.onnx (2 threads)")
    records = check_divergence([one, again, Opened.of(TFLITE)], few[:1])
    assert [record["model"] for record in records] == ["cry.onnx", "cry.tflite"]


def test_a_float_file_of_the_other_format_leaves_the_layers_out(few: list[Clip]) -> None:
    record = diverged(made.FOLDS / "fold0.tflite", made.FOLDS / "fold0_float.onnx", few)
    assert record["stage"] == "none"
    assert record["detail"] == "layer not compared: needs a float .tflite file of the network"
    assert passed(record)["layer"] is None


# ---- one layer's scale is off by 3 %


Damage = Callable[[bytes, float], list[tuple[str, bytes]]]


def damaged_onnx(int8: bytes, factor: float) -> list[tuple[str, bytes]]:
    """Each layer's name with the file whose weights of that layer have a wrong scale."""
    found = [models.damage_onnx_weights(int8, name, factor) for name in models.onnx_weights(int8)]
    return [(layer, data) for data, layer in found]


def damaged_tflite(int8: bytes, factor: float) -> list[tuple[str, bytes]]:
    layers = models.tflite_layers(int8)
    return [(layer, models.damage_tflite_weights(int8, layer, factor)) for layer in layers]


@pytest.mark.parametrize("factor", [1.03, 0.97])
@pytest.mark.parametrize("model_format", ["onnx", "tflite"])
def test_3_percent_in_any_layer_is_that_layers(
    model_format: str, factor: float, windows: npt.NDArray[np.float32]
) -> None:
    damage: Damage = damaged_onnx if model_format == "onnx" else damaged_tflite
    fold = 1 if factor > 1 else 3
    pairs = {
        "onnx": [(FLOAT_ONNX, ONNX), (made.FOLDS / f"fold{fold}_float.onnx", None)],
        "tflite": [(FLOAT_TFLITE, TFLITE), (None, None)],
    }[model_format]
    for float_path, int8_path in pairs:
        real = float_path.read_bytes() if float_path else made.float_tflite(fold)
        int8_file = int8_path or made.FOLDS / f"fold{fold}.{model_format}"
        found = damage(int8_file.read_bytes(), factor)
        assert len(found) == 16
        for layer, data in found if factor > 1 else found[:: len(found) // 3]:
            ranking = from_layers.compare_layers(real, data, model_format, windows)
            by_gain = sorted(ranking, key=gain_percent, reverse=True)
            assert layer in (by_gain[0].name, by_gain[0].tensor)
            assert gain_percent(by_gain[0]) > MARGIN * GAIN_PERCENT
            assert gain_percent(by_gain[1]) < GAIN_PERCENT / MARGIN


@pytest.mark.parametrize("number", [0, 7, 15])
@pytest.mark.parametrize("path", [ONNX, TFLITE])
def test_the_record_names_the_layer_that_scores_do_not_betray(
    path: Path, number: int, few: list[Clip], tmp_path: Path
) -> None:
    damage: Damage = damaged_onnx if path.suffix == ".onnx" else damaged_tflite
    layer, data = damage(path.read_bytes(), 1.03)[number]
    damaged = tmp_path / path.name
    damaged.write_bytes(data)
    record = diverged(damaged, FLOAT_ONNX if path == ONNX else FLOAT_TFLITE, few)
    assert (record["stage"], record["where"], record["unit"]) == ("layer", layer, "%")
    assert record["value"] == pytest.approx(3.0, abs=0.5)
    assert layer in record["detail"] and "scale" in record["detail"]
    # This is why: the answers are nearly the same, and pass.
    assert passed(record)["score"] is True
    assert stage(record, "score")["value"] < 0.02


def test_an_output_that_is_read_with_another_scale(few: list[Clip], tmp_path: Path) -> None:
    layer = "/features/features.4/features.4.0/Conv"
    damaged = tmp_path / "cry.onnx"
    damaged.write_bytes(models.damage_onnx_output(ONNX.read_bytes(), layer, 1.03))
    record = diverged(damaged, FLOAT_ONNX, few)
    assert (record["stage"], record["where"]) == ("layer", layer)
    assert record["value"] == pytest.approx(3.0, abs=0.3)


@pytest.mark.parametrize("factor", [1.03, 0.97])
def test_one_channels_scale(factor: float, few: list[Clip], tmp_path: Path) -> None:
    """Of 64 channels of a layer, one; hardly any value of the layer's output tells."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load_from_string(ONNX.read_bytes())
    weight = models.onnx_weights(ONNX.read_bytes())[9]
    dequantize = next(node for node in proto.graph.node if node.input[0] == weight)
    scale = next(item for item in proto.graph.initializer if item.name == dequantize.input[1])
    values = numpy_helper.to_array(scale).copy()
    assert values.size == 64
    values[17] *= np.float32(factor)
    scale.CopyFrom(numpy_helper.from_array(values, scale.name))
    damaged = tmp_path / "cry.onnx"
    damaged.write_bytes(proto.SerializeToString())
    record = diverged(damaged, FLOAT_ONNX, few)
    assert (record["stage"], record["where"]) == (
        "layer",
        "/features/features.9/features.9.0/Conv",
    )
    assert record["value"] == pytest.approx(3.0, abs=0.4)


def test_channels_that_are_lost(few: list[Clip], tmp_path: Path) -> None:
    weight = models.onnx_weights(ONNX.read_bytes())[6]
    data, layer = models.damage_onnx_weights(ONNX.read_bytes(), weight, 0.0)
    damaged = tmp_path / "cry.onnx"
    damaged.write_bytes(data)
    record = diverged(damaged, FLOAT_ONNX, few)
    assert (record["stage"], record["where"]) == ("layer", layer)


def test_a_bias_that_is_off_is_seen_although_no_scale_is(few: list[Clip], tmp_path: Path) -> None:
    """Its slope is right; the values are not."""
    import onnx
    from onnx import numpy_helper

    proto = onnx.load_from_string(ONNX.read_bytes())
    makers = {node.output[0]: node for node in proto.graph.node}
    layer = "/features/features.10/features.10.0/Conv"
    conv = next(node for node in proto.graph.node if node.name == layer)
    stored = makers[conv.input[2]].input[0]
    item = next(item for item in proto.graph.initializer if item.name == stored)
    values = numpy_helper.to_array(item).copy()
    values += np.int32(np.abs(values).mean())
    item.CopyFrom(numpy_helper.from_array(values, item.name))
    damaged = tmp_path / "cry.onnx"
    damaged.write_bytes(proto.SerializeToString())
    record = diverged(damaged, FLOAT_ONNX, few)
    assert (record["stage"], record["where"], record["unit"]) == ("layer", layer, "dB")


def test_layers_of_another_float_file_are_not_told_apart(few: list[Clip]) -> None:
    """Every layer is another one, as after equalisation: none of them is at fault by itself."""
    record = diverged(ONNX, made.FOLDS / "fold0_float.onnx", few)
    assert stage(record, "layer")["passed"] is None
    assert "scaled otherwise than in fold0_float.onnx" in record["detail"]


def test_a_window_longer_than_the_recordings(few: list[Clip], tmp_path: Path) -> None:
    metadata = Model.load(ONNX, verify=False).metadata
    short = [replace(clip, samples=clip.samples[: clip.sample_rate]) for clip in few]
    assert metadata.frontend.samples_for(metadata.window_frames) > len(short[0].samples)
    record = diverged(ONNX, FLOAT_ONNX, short)
    assert record["stage"] == "none"
    assert stage(record, "layer")["passed"] is True


# ---- the front-end has one wrong axis


AXES = {
    "mel_norm": "none",
    "mel_scale": "htk",
    "hop_length": 160,
    "fmax": 3900.0,
    "window": "hann_symmetric",
    "framing": "center-zero",
    "spectrum": "magnitude",
    "amin": 1e-8,
}


def test_an_axis_that_these_recordings_do_not_tell(few: list[Clip], tmp_path: Path) -> None:
    """Decibels have no offset, so the features are equal: the file is still not the one."""
    path = made.frontend_changed(ONNX, tmp_path, log_offset=0.5)
    record = diverged(path, FLOAT_ONNX, few[:1])
    assert (record["stage"], record["where"]) == ("features", "log_offset")
    assert record["value"] > FEATURES_DB


@pytest.mark.parametrize("axis", AXES)
def test_a_file_that_says_another_front_end_than_it_was_trained_with(
    axis: str, few: list[Clip], tmp_path: Path
) -> None:
    path = made.frontend_changed(ONNX, tmp_path, **{axis: AXES[axis]})
    record = diverged(path, FLOAT_ONNX, few)
    assert (record["stage"], record["where"]) == ("features", axis)
    assert f"{axis}=" in record["detail"]
    assert passed(record)["audio"] is True
    assert passed(record)["layer"] is True
    assert record["value"] < FEATURES_DB - 20


def test_the_same_in_tflite(few: list[Clip], tmp_path: Path) -> None:
    path = made.frontend_changed(TFLITE, tmp_path, mel_norm="none")
    assert diverged(path, FLOAT_TFLITE, few)["where"] == "mel_norm"


@pytest.mark.parametrize("axis", ["mel_norm", "mel_scale", "hop_length", "window"])
def test_a_device_that_computes_otherwise_than_its_file_says(axis: str, few: list[Clip]) -> None:
    """Nothing in the files tells: the features themselves do."""

    def wrong(audio: npt.NDArray[Any], rate: int, metadata: ModelMetadata) -> Windows:
        config = replace(metadata.frontend, **{axis: AXES[axis]})
        return clip_windows(audio, rate, replace(metadata, frontend=config))

    clip = replace(few[0], samples=few[0].samples[20_000:68_000])
    record = diverged(ONNX, FLOAT_ONNX, [clip], windows=wrong)
    assert (record["stage"], record["where"]) == ("features", axis)
    assert str(AXES[axis]) in record["detail"]


def test_features_that_no_axis_explains(few: list[Clip]) -> None:
    def wrong(audio: npt.NDArray[Any], rate: int, metadata: ModelMetadata) -> Windows:
        cut = clip_windows(audio, rate, metadata)
        cut[..., 20] += 5.0
        return cut

    clip = replace(few[0], samples=few[0].samples[20_000:60_000])  # the search takes its time
    record = diverged(ONNX, FLOAT_ONNX, [clip], windows=wrong)
    assert (record["stage"], record["where"]) == ("features", clip.name)
    assert "no axis explains it" in record["detail"]


def test_fields_that_differ_are_those_of_the_front_end_and_the_windows() -> None:
    ours = Model.load(ONNX, verify=False).metadata
    config = replace(ours.frontend, profile="another name", fmin=80.0)
    theirs = replace(ours, frontend=config, hop_frames=50, threshold=0.2)
    assert differing_axes(ours, theirs) == [("fmin", 100.0, 80.0), ("hop_frames", 25, 50)]
    assert differing_axes(ours, ours) == []


# ---- audio, scores, events


def lower(clip: Clip, rate: int) -> npt.NDArray[Any]:
    """3 % too quiet."""
    return np.rint(at_rate(clip, rate) * np.float32(0.97)).astype(at_rate(clip, rate).dtype)


def late(clip: Clip, rate: int) -> npt.NDArray[Any]:
    """One sample late."""
    return np.concatenate([at_rate(clip, rate)[:1], at_rate(clip, rate)[:-1]])


def not_resampled(clip: Clip, rate: int) -> npt.NDArray[Any]:
    return clip.samples


@pytest.mark.parametrize("audio", [lower, late, not_resampled])
def test_audio_that_is_not_the_recordings(audio: Any, few: list[Clip]) -> None:
    record = diverged(ONNX, FLOAT_ONNX, few, audio=audio)
    assert record["stage"] == "audio"
    assert record["where"]
    assert passed(record)["features"] is True  # of the right audio


def test_the_good_resampler_passes(few: list[Clip]) -> None:
    record = diverged(ONNX, FLOAT_ONNX, [clip for clip in few if clip.sample_rate != 16000])
    assert passed(record)["audio"] is True
    assert stage(record, "audio")["value"] > 60.0


@pytest.mark.parametrize(
    ("rule", "value"), [("min_duration_s", 60.0), ("threshold", 0.97), ("smoothing_windows", 1)]
)
def test_rules_that_differ_show_at_the_event(
    rule: str, value: float, few: list[Clip], tmp_path: Path
) -> None:
    """The network is the same, and what it says; only what is made of it is not."""
    path = tmp_path / "cry.onnx"
    path.write_bytes(made.with_metadata(ONNX.read_bytes(), "onnx", {rule: value}, ONNX))
    record = diverged(path, FLOAT_ONNX, few)
    assert (record["stage"], record["where"], record["unit"]) == ("event", rule, "clips")
    assert f"{rule}={value:g}" in record["detail"]
    assert passed(record)["score"] is True
    if rule == "min_duration_s":
        assert record["value"] == 3.0  # no event in any of the three cries


def test_an_event_that_the_other_side_does_not_have(few: list[Clip]) -> None:
    """A score a hair below the threshold is the same event; one far below it is none."""
    metadata = Model.load(ONNX, verify=False).metadata
    event = Event("cry", 1.0, 4.5, 0.95)
    for score, missed in ((0.90, False), (0.87, False), (0.85, True), (0.05, True)):
        scores = np.full(12, score, np.float32)
        heard = Detection("other", score, False, (), scores, 7.5)
        assert misses_event(heard, event, metadata) is missed
    elsewhere = np.where(np.arange(12) > 10, 0.9, 0.1).astype(np.float32)
    heard = Detection("other", 0.1, False, (), elsewhere, 7.5)
    assert misses_event(heard, event, metadata)


def test_another_activation_shows_at_the_score(few: list[Clip], tmp_path: Path) -> None:
    path = tmp_path / "cry.onnx"
    path.write_bytes(made.with_metadata(ONNX.read_bytes(), "onnx", {"activation": "sigmoid"}, ONNX))
    record = diverged(path, FLOAT_ONNX, few)
    assert record["stage"] == "score"
    assert record["value"] > 0.05
