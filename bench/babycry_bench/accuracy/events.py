"""Events of long recordings: misses, false alarms an hour, and how late an alarm comes.

What counts, once and for all: an alarm is an event that the detector announced, however many
windows it lasts. It is right if it touches a true event, and false otherwise. A true event is
detected if an alarm touches it. So two alarms during one cry are no false alarm and one detection,
and one alarm over two cries detects both.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from babycry_bench.accuracy.intervals import poisson, wilson
from babycry_edge.metadata import ModelMetadata

Spans = Sequence[Sequence[float]]

#: Seconds by which an annotation may be off. It widens true events, here and nowhere else.
TOLERANCE_S = 0.5

#: The share of true events at which false alarms are compared between systems.
FIXED_RECALL = 0.9

#: Thresholds that are tried for ``FIXED_RECALL``.
THRESHOLDS = tuple(round(0.01 * step, 2) for step in range(1, 100))


@dataclass(frozen=True)
class Alarm:
    """An event as the detector announced it, in seconds of audio time."""

    start_s: float
    end_s: float
    announced_s: float


@dataclass(frozen=True)
class Matched:
    """One recording's alarms against its true events.

    ``latencies_s``: of each detected event, from its start to its first alarm; 0 where the alarm
    was already on. ``negative_s``: seconds in which an alarm is false.
    """

    true_events: int
    detected: int
    false_alarms: int
    negative_s: float
    latencies_s: tuple[float, ...]


def match(
    alarms: Sequence[Alarm], truth: Spans, duration_s: float, tolerance_s: float = TOLERANCE_S
) -> Matched:
    """Match alarms with the true events of one recording.

    Args:
        alarms: what was announced.
        truth: (start_s, end_s) of each true event; they may overlap.
        duration_s: of the recording.
        tolerance_s: a true event reaches so much farther on both sides.
    """
    spans = [(start - tolerance_s, end + tolerance_s) for start, end in truth]
    touched = _touched(alarms, spans)
    right = {id(alarm) for found in touched for alarm in found}
    latencies = [
        max(0.0, min(alarm.announced_s for alarm in found) - start)
        for (start, _), found in zip(truth, touched, strict=True)
        if found
    ]
    return Matched(
        true_events=len(spans),
        detected=len(latencies),
        false_alarms=sum(id(alarm) not in right for alarm in alarms),
        negative_s=duration_s - _covered(spans, duration_s),
        latencies_s=tuple(latencies),
    )


def _touched(alarms: Sequence[Alarm], spans: Sequence[tuple[float, float]]) -> list[list[Alarm]]:
    """The alarms that touch each span, found by bisection: a night holds a thousand of both."""
    ordered = sorted(alarms, key=lambda alarm: alarm.start_s)
    starts = [alarm.start_s for alarm in ordered]
    ends = list(accumulate((alarm.end_s for alarm in ordered), max))
    return [
        [
            alarm
            for alarm in ordered[bisect_right(ends, span[0]) : bisect_left(starts, span[1])]
            if _touches(alarm, span)
        ]
        for span in spans
    ]


def _touches(alarm: Alarm, span: tuple[float, float]) -> bool:
    """Whether they share any moment; ends that only meet do not."""
    return alarm.start_s < span[1] and alarm.end_s > span[0]


def _covered(spans: Sequence[tuple[float, float]], duration_s: float) -> float:
    """Seconds of the recording that lie in any span."""
    total, reached = 0.0, 0.0
    for start, end in sorted(spans):
        start, end = max(start, reached), min(end, duration_s)
        if end > start:
            total += end - start
            reached = end
    return total


@dataclass(frozen=True)
class EventRules:
    """How a detector makes events of window scores, in the terms of its metadata.

    ``step_s`` and ``window_s``: from a window to the next, and its length, as the detector reckons
    them; ``reach_s``: from a window's start until its last sample has arrived.
    """

    threshold: float
    release_threshold: float
    smoothing_windows: int
    min_duration_s: float
    step_s: float
    window_s: float
    reach_s: float

    @classmethod
    def of(cls, metadata: ModelMetadata, threshold: float | None = None) -> EventRules:
        """Those of a model file, or with ``threshold`` in place of its own."""
        config = metadata.frontend
        chosen = metadata.threshold if threshold is None else threshold
        hop_s = config.hop_length / config.sample_rate
        reach = config.samples_for(metadata.window_frames)
        if config.framing.startswith("center"):
            reach = (metadata.window_frames - 1) * config.hop_length + config.n_fft // 2
        return cls(
            threshold=chosen,
            release_threshold=metadata.release_threshold * chosen / metadata.threshold,
            smoothing_windows=metadata.smoothing_windows,
            min_duration_s=metadata.min_duration_s,
            step_s=metadata.hop_frames * hop_s,
            window_s=metadata.window_frames * hop_s,
            reach_s=reach / config.sample_rate,
        )

    def at(self, threshold: float) -> EventRules:
        """The same with another threshold; the release threshold moves in proportion."""
        release = self.release_threshold * threshold / self.threshold
        return EventRules(**{**vars(self), "threshold": threshold, "release_threshold": release})

    def announced_s(self, start_s: float) -> float:
        """When an event that starts at ``start_s`` is announced.

        With the window that makes it as long as ``min_duration_s``, once that one's last sample
        has arrived.
        """
        first = round(start_s / self.step_s)
        last = first
        while last * self.step_s + self.window_s - first * self.step_s < self.min_duration_s:
            last += 1
        return last * self.step_s + self.reach_s


def smoothed(scores: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """The mean of each window's score and the ``count - 1`` before it, as far as there are any."""
    total = np.zeros(len(scores))
    for back in range(count - 1, -1, -1):  # oldest first, as the detector adds
        total[back:] += scores[: len(scores) - back] if back else scores
    return np.asarray(total / np.minimum(np.arange(1, len(scores) + 1), count))


def alarms_of(smooth: npt.NDArray[np.float64], rules: EventRules, duration_s: float) -> list[Alarm]:
    """The events that a detector with ``rules`` announces.

    Args:
        smooth: :func:`smoothed` scores of all windows, in order.
        rules: thresholds and times.
        duration_s: of the recording; an event ends with it.
    """
    return _alarms(_active(smooth, rules), rules, duration_s)


def _active(smooth: npt.NDArray[np.float64], rules: EventRules) -> npt.NDArray[np.bool_]:
    """Whether an event is on at each window: from the threshold until below the release one."""
    on = smooth >= rules.threshold
    switches = np.where(on | (smooth < rules.release_threshold), np.arange(1, len(smooth) + 1), 0)
    last = np.maximum.accumulate(switches)  # the last window that switched, counted from 1
    return np.asarray(np.concatenate([[False], on])[last])


def _alarms(active: npt.NDArray[np.bool_], rules: EventRules, duration_s: float) -> list[Alarm]:
    edges = np.diff(np.concatenate([[False], active, [False]]).astype(np.int8))
    found = []
    for first, end in zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), strict=True):
        start_s = float(first) * rules.step_s
        end_s = float(end - 1) * rules.step_s + rules.window_s
        if end_s - start_s >= rules.min_duration_s:
            announced = min(rules.announced_s(start_s), duration_s)
            found.append(Alarm(start_s, min(end_s, duration_s), announced))
    return found


class EventSums:
    """Sums over recordings; their order does not matter."""

    def __init__(self, rules: EventRules) -> None:
        self._rules = rules
        self.recordings = 0
        self.true_events = self.detected = self.false_alarms = 0
        self._negative_s: list[float] = []
        self._latencies: list[float] = []
        self._swept_rules = [rules.at(threshold) for threshold in THRESHOLDS]
        self._swept_detected = np.zeros(len(THRESHOLDS), np.int64)
        self._swept_false = np.zeros(len(THRESHOLDS), np.int64)

    def add(
        self,
        alarms: Sequence[Alarm],
        window_scores: Sequence[float],
        truth: Spans,
        duration_s: float,
        located: bool = True,
    ) -> None:
        """Take one recording: what was announced, every window's score, and the true events.

        ``located``: whether the true events' times are known, so that there is a latency.
        """
        found = match(alarms, truth, duration_s)
        self.recordings += 1
        self.true_events += found.true_events
        self.detected += found.detected
        self.false_alarms += found.false_alarms
        self._negative_s.append(found.negative_s)
        self._latencies += found.latencies_s if located else ()
        self._sweep(np.asarray(window_scores, np.float64), truth, duration_s)

    def _sweep(self, scores: npt.NDArray[np.float64], truth: Spans, duration_s: float) -> None:
        """What the recording adds at each of ``THRESHOLDS``."""
        smooth = smoothed(scores, self._rules.smoothing_windows)
        before: tuple[bytes, Matched] | None = None
        for index, rules in enumerate(self._swept_rules):
            if not len(smooth) or rules.threshold > smooth.max():
                return  # and at every higher one
            active = _active(smooth, rules)
            state = active.tobytes()
            if before is None or before[0] != state:
                before = state, match(_alarms(active, rules, duration_s), truth, duration_s)
            self._swept_detected[index] += before[1].detected
            self._swept_false[index] += before[1].false_alarms

    def to_dict(self, recall: float = FIXED_RECALL) -> dict[str, object]:
        """The report's ``events``."""
        hours = math.fsum(self._negative_s) / 3600.0
        return {
            "true_events": self.true_events,
            "detected": self.detected,
            "misses": self.true_events - self.detected,
            "false_alarms": self.false_alarms,
            "negative_hours": hours,
            "false_alarms_per_hour": poisson(self.false_alarms, hours).to_dict(),
            "recall": wilson(self.detected, self.true_events).to_dict(),
            "at_recall": self._at(recall, hours),
            "latency_s": {
                "p50": _quantile(self._latencies, 50),
                "p95": _quantile(self._latencies, 95),
            },
        }

    def _at(self, recall: float, hours: float) -> dict[str, float | None]:
        """The highest threshold that reaches ``recall``, and the false alarms that it costs."""
        reached = self._swept_detected >= recall * self.true_events
        if not self.true_events or not reached.any():
            return {"recall": recall, "threshold": None, "false_alarms_per_hour": None}
        best = int(np.flatnonzero(reached)[-1])
        rate = float(self._swept_false[best]) / hours if hours > 0.0 else None
        return {
            "recall": recall,
            "threshold": THRESHOLDS[best],
            "false_alarms_per_hour": rate,
        }


def _quantile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(np.asarray(values), percent)) if values else None
