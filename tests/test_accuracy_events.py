"""Golden cases of the event metrics: inputs whose right answer can be said without a program."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babycry_bench.accuracy.events import (
    Alarm,
    EventRules,
    EventSums,
    alarms_of,
    match,
    smoothed,
)

#: A window of 80 ms every 80 ms, without smoothing: each score is a moment of its own.
FRAMES = EventRules(
    threshold=0.5,
    release_threshold=0.5,
    smoothing_windows=1,
    min_duration_s=0.0,
    step_s=0.08,
    window_s=0.08,
    reach_s=0.08,
)


def alarm(start_s: float, end_s: float, announced_s: float | None = None) -> Alarm:
    return Alarm(start_s, end_s, end_s if announced_s is None else announced_s)


def judged(scores: list[float], truth: list[tuple[float, float]], duration_s: float) -> EventSums:
    found = alarms_of(smoothed(np.array(scores), 1), FRAMES, duration_s)
    sums = EventSums(FRAMES)
    sums.add(found, scores, truth, duration_s)
    return sums


# ---- two metrics that are in use and count otherwise


def test_two_bursts_are_two_false_alarms() -> None:
    """Two bursts of 15 frames in an hour of 45,000 frames without any wake word.

    A user is disturbed twice. openWakeWord's get_false_positives means to group frames, but the
    slice that should clear a group has a negative length for every group past the first few
    frames, so nothing is cleared and all 30 frames count: 30 false alarms an hour.
    """
    scores = [0.0] * 45_000
    for start in (10_000, 30_000):
        scores[start : start + 15] = [0.9] * 15
    found = judged(scores, [], 3600.0).to_dict()
    assert found["false_alarms"] == 2
    assert found["negative_hours"] == pytest.approx(1.0)
    assert found["false_alarms_per_hour"]["value"] == pytest.approx(2.0)  # type: ignore[index]
    assert sum(score >= 0.5 for score in scores) == 30  # what is not to be counted


@pytest.mark.parametrize(
    ("late_s", "right"), [(0.0, True), (0.9, True), (1.1, False), (1.9, False), (2.1, False)]
)
def test_a_tolerance_widens_an_event_once(late_s: float, right: bool) -> None:
    """A true event from 10 s to 11 s, a tolerance of 1 s, an alarm that begins late_s after it.

    Up to 1 s it is the event's; later it is a false alarm and the event is missed. A tolerance
    that is put into the annotated spans when they are made and added again when they are compared,
    as MLPerf Tiny's streaming wake word allows (its runner adds a second to windows that are given
    to it), would still take the alarm 1.9 s late for right.
    """
    found = match([alarm(11.0 + late_s, 13.5)], [(10.0, 11.0)], 60.0, tolerance_s=1.0)
    assert found.detected == int(right)
    assert found.false_alarms == int(not right)
    # The same tolerance, once, in the time in which an alarm would be false: 60 - (1 + 1 + 1).
    assert found.negative_s == pytest.approx(57.0)


# ---- cases worked out by hand


def test_alarms_of_one_event_count_once() -> None:
    """One cry, two alarms while it lasts: detected once, after the first, and nothing false."""
    found = match([alarm(2, 3, 2.5), alarm(6, 7, 6.5)], [(1.0, 8.0)], 10.0, tolerance_s=0.0)
    assert (found.true_events, found.detected, found.false_alarms) == (1, 1, 0)
    assert found.latencies_s == (1.5,)
    assert found.negative_s == pytest.approx(3.0)


def test_one_alarm_over_two_events_detects_both() -> None:
    """The second cry begins while the alarm of the first is still on: no wait for it at all."""
    found = match([alarm(1, 9, 2.0)], [(1.0, 3.0), (6.0, 8.0)], 10.0, tolerance_s=0.0)
    assert (found.detected, found.false_alarms) == (2, 0)
    assert found.latencies_s == (1.0, 0.0)
    assert found.negative_s == pytest.approx(6.0)


def test_overlapping_true_events_are_not_subtracted_twice() -> None:
    """0-5 and 3-8 of 10 s leave 2 s of negative audio; two babies are two events."""
    found = match([alarm(4, 4.5)], [(3.0, 8.0), (0.0, 5.0)], 10.0, tolerance_s=0.0)
    assert (found.true_events, found.detected) == (2, 2)
    assert found.negative_s == pytest.approx(2.0)


def test_events_at_the_very_edges() -> None:
    """Tolerance does not reach outside the recording: 10 s less 0-1.5 and 8.5-10."""
    truth = [(0.0, 1.0), (9.0, 10.0)]
    found = match([alarm(0, 2, 2.0), alarm(8, 10, 10.0)], truth, 10.0, tolerance_s=0.5)
    assert (found.detected, found.false_alarms) == (2, 0)
    assert found.negative_s == pytest.approx(7.0)
    assert found.latencies_s == (2.0, 1.0)


def test_ends_that_only_meet_do_not_match() -> None:
    for meeting in (alarm(3, 5), alarm(6, 7)):
        found = match([meeting], [(5.0, 6.0)], 10.0, tolerance_s=0.0)
        assert (found.detected, found.false_alarms) == (0, 1)


def test_a_recording_that_is_one_event_has_no_negative_audio() -> None:
    """Without negative hours there is no rate, and not a rate of zero."""
    sums = judged([0.9] * 100, [(0.0, 8.0)], 8.0)
    found = sums.to_dict()
    assert (found["detected"], found["false_alarms"], found["negative_hours"]) == (1, 0, 0.0)
    assert found["false_alarms_per_hour"] == {
        "value": None,
        "low": None,
        "high": None,
        "method": "none",
    }
    assert found["at_recall"]["false_alarms_per_hour"] is None  # type: ignore[index]


def test_silence_that_is_annotated_as_empty() -> None:
    found = judged([0.0] * 450, [], 36.0).to_dict()
    assert (found["true_events"], found["misses"], found["false_alarms"]) == (0, 0, 0)
    assert found["recall"]["value"] is None  # type: ignore[index]
    assert found["latency_s"] == {"p50": None, "p95": None}
    assert found["false_alarms_per_hour"]["high"] == pytest.approx(3.6889 / 0.01, rel=1e-4)  # type: ignore[index]


def test_a_recording_without_a_window() -> None:
    sums = EventSums(FRAMES)
    sums.add([], [], [(0.0, 0.05)], 0.05)
    assert sums.to_dict()["misses"] == 1


def test_the_threshold_at_a_fixed_recall() -> None:
    """Ten cries with peaks 0.05, 0.15 ... 0.95; noise bursts of 0.32, 0.52 and 0.72.

    Nine of ten are found down to a threshold of 0.15, the second lowest peak. All three bursts
    are then false alarms, in 100 s less ten events of 0.08 s that are 0.5 s wider on both sides.
    """
    scores = np.zeros(1250)
    truth = []
    for number in range(10):
        at = 50 + 100 * number
        scores[at] = 0.05 + 0.1 * number
        truth.append((at * 0.08, (at + 1) * 0.08))
    for number, score in enumerate((0.32, 0.52, 0.72)):
        scores[95 + 100 * number] = score
    found = judged(scores.tolist(), truth, 100.0).to_dict()
    hours = (100.0 - 10 * 1.08) / 3600.0
    assert found["negative_hours"] == pytest.approx(hours)
    assert found["at_recall"]["threshold"] == 0.15  # type: ignore[index]
    assert found["at_recall"]["false_alarms_per_hour"] == pytest.approx(3 / hours)  # type: ignore[index]
    # At its own threshold of 0.5: 0.55 and above are detected, 0.52 and 0.72 are false.
    assert (found["detected"], found["misses"], found["false_alarms"]) == (5, 5, 2)


def test_a_recall_that_no_threshold_reaches() -> None:
    found = judged([0.0] * 100, [(1.0, 2.0)], 8.0).to_dict()
    assert found["at_recall"] == {"recall": 0.9, "threshold": None, "false_alarms_per_hour": None}


def test_latency_is_from_the_true_start_to_the_announcement() -> None:
    """Twenty cries announced 1, 2 ... 20 s after they began: p50 10.5, p95 19.05."""
    sums = EventSums(FRAMES)
    for late in range(1, 21):
        alarms = [alarm(10.0, 40.0, 10.0 + late)]
        sums.add(alarms, [0.0], [(10.0, 40.0)], 60.0)
    assert sums.to_dict()["latency_s"] == {"p50": 10.5, "p95": pytest.approx(19.05)}


# ---- the detector's own rules on window scores


def test_an_event_holds_until_the_release_threshold() -> None:
    """On at 0.8, still on at 0.5, off below 0.4; a dip to 0.5 does not make two alarms of one."""
    rules = EventRules(0.8, 0.4, 1, 0.0, step_s=0.5, window_s=2.0, reach_s=2.012)
    scores = np.array([0.1, 0.5, 0.8, 0.5, 0.9, 0.39, 0.5, 0.1])
    assert alarms_of(scores, rules, 60.0) == [Alarm(1.0, 4.0, 1.0 + 2.012)]


def test_an_event_shorter_than_the_minimum_is_not_announced() -> None:
    """A window of 2 s is 2 s long; 3 s need two windows more, and the third announces it."""
    rules = EventRules(0.5, 0.5, 1, 3.0, step_s=0.5, window_s=2.0, reach_s=2.012)
    assert alarms_of(np.array([0.9, 0.9, 0.1, 0.1]), rules, 60.0) == []
    assert alarms_of(np.array([0.1, 0.9, 0.9, 0.9, 0.1]), rules, 60.0) == [
        Alarm(0.5, 3.5, 0.5 + 1.0 + 2.012)
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1, width=16), min_size=1, max_size=40), st.integers(1, 5))
def test_smoothing_is_the_mean_of_the_last_scores(scores: list[float], count: int) -> None:
    expected = [np.mean(scores[max(0, i + 1 - count) : i + 1]) for i in range(len(scores))]
    assert smoothed(np.array(scores), count) == pytest.approx(expected)


def test_the_order_of_recordings_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    recordings = []
    for _ in range(12):
        scores = np.round(rng.random(200), 2)
        recordings.append((scores, [(2.0, 3.0), (7.0, 9.0)], 16.0))
    results = []
    for order in (recordings, recordings[::-1]):
        sums = EventSums(FRAMES)
        for scores, truth, duration_s in order:
            sums.add(alarms_of(scores, FRAMES, duration_s), scores.tolist(), truth, duration_s)
        results.append(sums.to_dict())
    assert results[0] == results[1]
