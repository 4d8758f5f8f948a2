"""Answers to an accuracy record, in one pass, of the report's schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import Any

import numpy as np
import pytest

from babycry_bench.accuracy.answer import Answer
from babycry_bench.accuracy.events import EventRules
from babycry_bench.accuracy.judge import MAX_POINTS, EvenlyChosen, Judged, judge
from babycry_convert.report.agreement import clip_drift, measure_drift

RULES = EventRules(0.6, 0.4, 1, 0.0, step_s=0.5, window_s=2.0, reach_s=2.0)
JUDGED = Judged("cry.onnx", ("other", "cry"), "cry", 0.6, RULES, "librosa 0, float", "corpus")


def made(name: str, label: str | None, device: float, reference: float | None = None) -> Answer:
    events = [[0.0, 2.0, device, 2.0]] if device >= 0.6 else []
    return Answer(
        "cry.onnx",
        name,
        label,
        duration_s=10.0,
        scores=[1.0 - device, device],
        reference_scores=[] if reference is None else [1.0 - reference, reference],
        window_scores=[device],
        reference_window_scores=[] if reference is None else [reference],
        events=events,
    )


#: label, device, float: the device loses one of four cries, and one bird is a false alarm.
CORPUS = [
    made("a.wav", "cry", 0.9, 0.95),
    made("b.wav", "cry", 0.8, 0.8),
    made("c.wav", "cry", 0.59, 0.61),
    made("d.wav", "cry", 0.7, 0.7),
    made("e.wav", "animal", 0.65, 0.55),
    made("f.wav", "speech", 0.1, 0.1),
    made("g.wav", "unverified", 0.9, 0.2),
    Answer("cry.onnx", "h.wav", "cry", 0.0, error="h.wav: cannot be read"),
]


def checked(record: dict[str, Any]) -> dict[str, Any]:
    """The record, if it is of the report's schema and survives JSON."""
    jsonschema = pytest.importorskip("jsonschema")
    source = resources.files("babycry_bench.schema") / "report.schema.json"
    schema = json.loads(source.read_text())
    jsonschema.validate(record, {"$ref": "#/$defs/accuracy", "$defs": schema["$defs"]})
    again: dict[str, Any] = json.loads(json.dumps(record, allow_nan=False))
    return again


def test_the_record_of_a_small_corpus() -> None:
    record = checked(judge(iter(CORPUS), JUDGED))
    assert record["data"]["recordings"] == 8
    assert (record["data"]["labelled"], record["data"]["failed"]) == (6, 1)
    assert record["data"]["hours"] == pytest.approx(70.0 / 3600.0)
    # c, e and g are answered otherwise than by the float pipeline: 4 of 7 agree.
    assert record["agreement"]["value"] == pytest.approx(4 / 7)
    assert record["classes"] == ["other", "cry"]
    assert record["device"]["confusion"] == [[1, 1], [1, 3]]
    assert record["float"]["confusion"] == [[2, 0], [0, 4]]
    assert record["device"]["accuracy"]["value"] == pytest.approx(4 / 6)
    assert record["device"]["recall"]["cry"]["value"] == 0.75
    assert record["float"]["accuracy"]["value"] == 1.0
    # F1 of cry 2*3/(4+4), of other 2*1/(2+2).
    assert record["device"]["macro_f1"]["value"] == pytest.approx((0.75 + 0.5) / 2)
    # Of the 8 pairs only cry 0.59 against animal 0.65 is the wrong way round.
    assert record["device"]["roc_auc"]["value"] == pytest.approx(7 / 8)
    assert record["float"]["roc_auc"]["value"] == 1.0


def test_drift_is_the_converters() -> None:
    record = judge(CORPUS, JUDGED)
    compared = [item for item in CORPUS if item.reference_scores]
    real = np.array([item.reference_scores for item in compared])
    int8 = np.array([item.scores for item in compared])
    expected = measure_drift(real, int8)
    drift = record["drift"]
    assert drift["mean"] == pytest.approx(expected.mean)
    assert (drift["p95"], drift["max"]) == pytest.approx((expected.p95, expected.maximum))
    assert drift["counts"] == list(expected.histogram)
    assert len(drift["counts"]) == len(drift["edges"]) + 1
    assert drift["worst"][0] == {"recording": "g.wav", "reference": 0.2, "device": 0.9}
    moved = sorted(clip_drift(real, int8), reverse=True)
    found = [abs(item["reference"] - item["device"]) for item in drift["worst"]]
    assert found == pytest.approx(moved)


def test_without_annotation_the_label_says_what_there_is_to_detect() -> None:
    """Four short cries are an event each, of which the device misses c; when they begin is not
    known. Two recordings of something else, 20 s, hold none, and the bird's is a false alarm.
    The unverified recording counts for nothing, and the broken one cannot."""
    events = judge(CORPUS, JUDGED)["events"]
    assert (events["true_events"], events["detected"], events["false_alarms"]) == (4, 3, 1)
    assert events["negative_hours"] == pytest.approx(20.0 / 3600.0)
    assert events["latency_s"] == {"p50": None, "p95": None}
    # All four are reached at 0.59 and below; the bird's 0.65 is a false alarm there.
    assert events["at_recall"]["threshold"] == 0.59
    assert events["at_recall"]["false_alarms_per_hour"] == pytest.approx(180.0)


def test_a_long_recording_says_too_little_by_its_label() -> None:
    long = replace(made("x.wav", "cry", 0.9), duration_s=36_000.0)
    assert judge([long], JUDGED)["events"] is None


def test_annotated_events_are_counted() -> None:
    annotated = [
        replace(CORPUS[0], true_events=[[0.5, 1.5]]),
        replace(CORPUS[2], true_events=[[4.0, 6.0]]),
    ]
    events = judge(annotated, JUDGED)["events"]
    assert (events["true_events"], events["detected"], events["misses"]) == (2, 1, 1)
    assert events["latency_s"] == {"p50": 1.5, "p95": 1.5}
    assert events["negative_hours"] == pytest.approx((20.0 - 2.0 - 3.0) / 3600.0)


def test_nothing_labelled_and_no_reference() -> None:
    record = checked(judge([made("a.wav", None, 0.9), made("b.wav", "", 0.1)], JUDGED))
    assert (record["device"], record["float"], record["events"]) == (None, None, None)
    assert record["agreement"]["value"] is None
    assert record["drift"]["max"] == 0.0
    assert record["data"]["labelled"] == 0


def test_an_empty_corpus() -> None:
    record = checked(judge([], JUDGED))
    assert record["data"]["recordings"] == 0


def random_corpus(count: int) -> Iterator[Answer]:
    rng = np.random.default_rng(7)
    for number in range(count):
        label = ("cry", "speech", "music", "unverified")[number % 4]
        score = float(np.clip(rng.normal(0.7 if label == "cry" else 0.3, 0.2), 0, 1))
        yield made(f"{number:05}.wav", label, score, float(np.clip(score + 0.01, 0, 1)))


def test_the_order_decides_nothing_but_the_points_that_are_drawn() -> None:
    one = judge(random_corpus(500), JUDGED, data_sha256="0" * 64)
    other = judge(reversed(list(random_corpus(500))), JUDGED, data_sha256="0" * 64)
    for record in (one, other):
        del record["scatter"]
    assert one == other


def test_a_figure_is_not_rounded_on_its_way_to_a_gate() -> None:
    """899 of 1000 is 0.899 and misses a bound of 0.9; rounded to per cents it would pass."""
    answers = [made(f"{i:04}.wav", "cry", 0.9 if i < 899 else 0.1, 0.9) for i in range(1000)]
    record = judge(answers, JUDGED)
    assert record["device"]["accuracy"]["value"] == 0.899
    assert record["device"]["accuracy"]["value"] < 0.9


@pytest.mark.parametrize("count", [0, 1, MAX_POINTS, MAX_POINTS + 1, 3 * MAX_POINTS + 7])
def test_points_are_chosen_evenly(count: int) -> None:
    chosen = EvenlyChosen(MAX_POINTS)
    for number in range(count):
        chosen.add([float(number), 0.0])
    numbers = [point[0] for point in chosen.values]
    assert min(count, MAX_POINTS // 2) <= len(numbers) <= MAX_POINTS
    assert len(set(np.diff(numbers))) <= 1
    if count:
        assert numbers[0] == 0
        assert numbers[-1] >= count - 1 - count / len(numbers)
