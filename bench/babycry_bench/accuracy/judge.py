"""All answers of one model to its accuracy record, in a single pass."""

from __future__ import annotations

import hashlib
import heapq
import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.accuracy.answer import Answer, Systems
from babycry_bench.accuracy.classification import (
    answer_of,
    class_of,
    classes_of,
    measure_quality,
)
from babycry_bench.accuracy.events import Alarm, EventRules, EventSums
from babycry_bench.accuracy.intervals import wilson
from babycry_convert.report.agreement import DRIFT_EDGES

#: Points of the scatter plot, at most.
MAX_POINTS = 2000

#: Recordings that are named for the largest drift.
MAX_WORST = 10

#: Seconds up to which a recording of the target counts as one event where none is annotated.
MAX_WHOLE_S = 30.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """What the answers are of.

    Attributes:
        model: the model's name in the report.
        labels: what its scores stand for.
        target: the label that is detected.
        threshold: the score from which it is.
        rules: how window scores become events.
        reference: the float pipeline in words; "" without one.
        data: the corpus's name.
    """

    model: str
    labels: tuple[str, ...]
    target: str
    threshold: float
    rules: EventRules
    reference: str = ""
    data: str = ""

    @classmethod
    def of(cls, systems: Systems, data: str) -> Judged:
        """The opened pipelines, on the corpus of that name."""
        metadata = systems.device.model.metadata
        return cls(
            model=systems.name,
            labels=metadata.labels,
            target=metadata.target,
            threshold=systems.device.threshold,
            rules=EventRules.of(metadata, systems.device.threshold),
            reference=systems.reference_name,
            data=data,
        )


def judge(
    answers: Iterable[Answer], judged: Judged, data_sha256: str | None = None
) -> dict[str, Any]:
    """The accuracy record of one model.

    Reads the answers once and keeps some numbers of each. Their order decides which recordings
    are drawn in the scatter plot, and nothing else but the last digits of no figure.

    Args:
        answers: of one model, in the order of the recordings' names.
        judged: what they are of.
        data_sha256: of the corpus; by default of the recordings' names, labels and lengths.
    """
    sums = _Sums(judged)
    for answer in answers:
        sums.add(answer)
    return sums.record(data_sha256)


class _System:
    """The answers of one pipeline to labelled recordings."""

    def __init__(self, size: int) -> None:
        self.confusion = np.zeros((size, size), np.int64)
        self._scores = (array("d"), array("d"))

    def add(self, truth: int, answered: int, is_target: bool, score: float) -> None:
        self.confusion[truth, answered] += 1
        self._scores[int(is_target)].append(score)

    def quality(self, classes: Sequence[str]) -> dict[str, Any] | None:
        if not self.confusion.sum():
            return None
        negative, positive = (np.array(scores, np.float64) for scores in self._scores)
        return measure_quality(classes, self.confusion, positive, negative).to_dict()


class _Sums:
    """Everything that is kept of the answers."""

    def __init__(self, judged: Judged) -> None:
        self._judged = judged
        self._classes = classes_of(judged.labels)
        self._target = judged.labels.index(judged.target)
        self._target_class = self._classes.index(judged.target)
        self._device, self._float = (_System(len(self._classes)) for _ in range(2))
        self._events = EventSums(judged.rules)
        self._drift = Drift()
        self._points = EvenlyChosen(MAX_POINTS)
        self._names = hashlib.sha256()
        self._durations = array("d")
        self._recordings = self._failed = self._labelled = 0
        self._compared = self._agreed = 0

    def add(self, answer: Answer) -> None:
        self._recordings += 1
        self._names.update(f"{answer.recording}\t{answer.label}\t{answer.duration_s!r}\n".encode())
        if answer.error:
            self._failed += 1
            return
        self._durations.append(answer.duration_s)
        truth = class_of(answer.label, self._judged.labels, self._judged.target)
        self._labelled += truth is not None
        ours = self._answered(answer.scores)
        self._keep(self._device, truth, ours, answer.scores)
        if answer.reference_scores:
            theirs = self._answered(answer.reference_scores)
            self._keep(self._float, truth, theirs, answer.reference_scores)
            self._compared += 1
            self._agreed += ours == theirs
            moved = (answer.scores[self._target], answer.reference_scores[self._target])
            self._drift.add(answer.recording, answer.scores, answer.reference_scores, moved)
            self._points.add([moved[1], moved[0]])
        self._add_events(answer, truth)

    def _answered(self, scores: Sequence[float]) -> int:
        return answer_of(scores, self._target, self._judged.threshold)

    def _keep(
        self, system: _System, truth: int | None, answered: int, scores: Sequence[float]
    ) -> None:
        if truth is not None:
            system.add(truth, answered, truth == self._target_class, scores[self._target])

    def _add_events(self, answer: Answer, truth: int | None) -> None:
        """Annotated events; without them, what the label says.

        A recording of anything but the target holds no event. A short one of the target is one
        event from end to end, of which nobody knows when it begins; a long one says too little.
        """
        spans = answer.true_events
        located = spans is not None
        if spans is None and truth is not None:
            if truth != self._target_class:
                spans = []
            elif answer.duration_s <= MAX_WHOLE_S:
                spans = [[0.0, answer.duration_s]]
        if spans is None:
            return
        alarms = [Alarm(start, end, announced) for start, end, _, announced in answer.events]
        self._events.add(alarms, answer.window_scores, spans, answer.duration_s, located)

    def record(self, data_sha256: str | None) -> dict[str, Any]:
        judged = self._judged
        return {
            "model": judged.model,
            "reference": judged.reference,
            "data": {
                "name": judged.data,
                "sha256": data_sha256 or self._names.hexdigest(),
                "recordings": self._recordings,
                "labelled": self._labelled,
                "hours": math.fsum(self._durations) / 3600.0,
                "failed": self._failed,
            },
            "classes": list(self._classes),
            "agreement": wilson(self._agreed, self._compared).to_dict(),
            "drift": self._drift.to_dict(),
            "scatter": self._points.values,
            "device": self._device.quality(self._classes),
            "float": self._float.quality(self._classes),
            "events": self._events.to_dict() if self._events.recordings else None,
        }


class Drift:
    """How far each recording's score moved, the greatest of its labels."""

    def __init__(self) -> None:
        self._moved = array("d")
        self._worst: list[tuple[float, str, float, float]] = []

    def add(
        self,
        recording: str,
        device: Sequence[float],
        reference: Sequence[float],
        target: tuple[float, float],
    ) -> None:
        """Take a recording's scores; ``target``: the target's, of the device and the reference."""
        moved = max(abs(ours - theirs) for ours, theirs in zip(device, reference, strict=True))
        self._moved.append(moved)
        heapq.heappush(self._worst, (moved, recording, *target))
        if len(self._worst) > MAX_WORST:
            heapq.heappop(self._worst)

    def to_dict(self) -> dict[str, Any]:
        """As the report has it; all 0 without any recording."""
        moved: Floats = np.array(self._moved, np.float64)
        counts, _ = np.histogram(moved, bins=[*DRIFT_EDGES, np.inf])
        count = max(1, len(moved))
        return {
            "mean": math.fsum(self._moved) / count,
            "p95": float(np.percentile(moved, 95)) if len(moved) else 0.0,
            "max": float(moved.max(initial=0.0)),
            "edges": list(DRIFT_EDGES[1:]),
            "counts": [int(number) for number in counts],
            "worst": [
                {"recording": name, "reference": theirs, "device": ours}
                for _, name, ours, theirs in sorted(
                    self._worst, key=lambda item: (-item[0], item[1])
                )
            ],
        }


class EvenlyChosen:
    """At most ``limit`` of a stream's items, evenly spread, without knowing its length."""

    def __init__(self, limit: int) -> None:
        self.values: list[list[float]] = []
        self._limit = limit
        self._seen, self._step = 0, 1

    def add(self, item: list[float]) -> None:
        """Take the next item; every ``step``-th is kept, a step that doubles when it must."""
        if self._seen % self._step == 0:
            if len(self.values) == self._limit:
                self.values = self.values[::2]
                self._step *= 2
            if self._seen % self._step == 0:
                self.values.append(item)
        self._seen += 1
