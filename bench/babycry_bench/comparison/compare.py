"""Reports held against each other: what became faster or slower, and what else changed.

A stage is slower where the rounds of both runs differ by more than chance (Mann-Whitney U, with
Holm's correction for testing as many stages) and the ratio of their medians, with its whole 95 %
interval, lies beyond the smallest change that matters. Counts of an emulator have no noise: there,
one per mille is a change.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from babycry_bench.comparison.changes import changes
from babycry_bench.comparison.significance import (
    holm,
    mann_whitney,
    p_of_intervals,
    ratio_interval,
    smallest_p,
)
from babycry_bench.comparison.text import comparison_markdown, print_comparison
from babycry_bench.facts.same_machine import machine_difference
from babycry_edge.errors import BabycryError

__all__ = ["compare", "comparison_markdown", "print_comparison"]

THRESHOLD = 0.05
SIGNIFICANCE = 0.05
COUNT_THRESHOLD = 0.001
"""Of clocks without noise."""

_COUNTED = "instructions (emulated)"
_KEY_FIELDS = ("target", "model", "profile", "stage", "layer", "clock")
_ALIKE = 0.03
_FEWEST_ALIKE = 4

Key = tuple[Any, ...]
Record = dict[str, Any]


def compare(
    reports: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    significance: float = SIGNIFICANCE,
) -> Record:
    """Every report against the first one.

    Args:
        reports: two or more, checked.
        names: of the reports, for people; usually the files.
        threshold: the smallest change of a time that matters, a share.
        significance: how often a run may be told apart from itself by chance, over all stages.

    Returns:
        ``slower`` and ``faster``: how many stages, those left out whose machines differ;
        ``comparisons``: for each further report its ``stages``, each with ``verdict`` (faster,
        slower, no difference, not known), ``ratio`` of the medians ``before`` and ``after`` (of the
        rounds; p50 where there are none) and ``ratio_interval``; ``not_compared`` and ``changes``
        of everything else.

    Raises:
        BabycryError: fewer than two reports, or a threshold that is no share.
    """
    if len(reports) < 2 or len(reports) != len(names):
        raise BabycryError("compare wants two reports or more, each with a name")
    if not 0.0 <= threshold < 1.0:
        raise BabycryError(f"the threshold is a share from 0 to 1, not {threshold}")
    comparisons = [
        _pair(reports[0], report, name, threshold, significance)
        for report, name in zip(reports[1:], names[1:], strict=True)
    ]
    return {
        "kind": "comparison",
        "schema_version": 1,
        "threshold": threshold,
        "significance": significance,
        "reports": [_described(report, name) for report, name in zip(reports, names, strict=True)],
        "comparisons": comparisons,
        "slower": sum(comparison["slower"] for comparison in comparisons),
        "faster": sum(comparison["faster"] for comparison in comparisons),
    }


def _described(report: Mapping[str, Any], name: str) -> Record:
    return {
        "name": name,
        "created": report["created"],
        "babycry_edge": report["build"]["babycry_edge"],
        "git_commit": report["build"]["git_commit"],
        "cpu": report["machine"]["cpu"],
        "passed": report.get("passed"),
    }


@dataclass
class _Stage:
    """The same stage in two reports, and what became of it."""

    key: Key
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    machine_difference: str | None
    threshold: float
    medians: tuple[float, float] = (0.0, 0.0)
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    smallest_p: float = 0.0
    method: str = "none"

    @property
    def is_beyond_threshold(self) -> bool:
        return self.ratio is not None and _is_beyond(self.ratio, self.threshold)

    @property
    def is_surely_beyond_threshold(self) -> bool:
        return self.interval is not None and (
            self.interval[0] > 1 + self.threshold or self.interval[1] < 1 / (1 + self.threshold)
        )

    def verdict(self, significance: float) -> tuple[str, str]:
        """The verdict, and why it is not known."""
        if self.ratio is None:
            return "not known", "a time of zero has no ratio"
        if not self.is_beyond_threshold:
            return "no difference", ""
        changed = "slower" if self.ratio > 1 else "faster"
        if self.method == "counts":
            return changed, ""
        if self.p_adjusted is None:
            return "not known", "neither rounds nor an interval of p50 are recorded"
        if self.p_adjusted < significance:
            if self.is_surely_beyond_threshold:
                return changed, ""
            return "not known", "more than noise, but perhaps less than the threshold"
        if self.smallest_p >= significance:
            return "not known", "too few rounds to tell a difference from noise"
        return "not known", "beyond the threshold, but within the noise of the rounds"


@dataclass
class _Stages:
    """All stages that both reports have, and those that cannot be compared."""

    matched: list[_Stage] = field(default_factory=list)
    apart: list[Record] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _pair(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    name: str,
    threshold: float,
    significance: float,
) -> Record:
    stages = _match(before, after, threshold)
    for stage in stages.matched:
        _test(stage)
    # Layers are many and say where, not whether: they do not make it harder for the stages.
    for of_layers in (False, True):
        _adjust([s for s in stages.matched if (s.before["stage"] == "layer") == of_layers])
    records = [_stage_record(stage, significance) for stage in stages.matched]
    counted = [record for record in records if record["same_machine"]]
    return {
        "report": name,
        "warnings": [*stages.warnings, *_all_alike(counted, threshold)],
        "slower": sum(record["verdict"] == "slower" for record in counted),
        "faster": sum(record["verdict"] == "faster" for record in counted),
        "stages": records,
        "not_compared": stages.apart,
        "changes": changes(before, after, threshold),
    }


def records_of(report: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """This machine's record, then those of the other targets."""
    yield report
    yield from report.get("targets", [])


def _match(before: Mapping[str, Any], after: Mapping[str, Any], threshold: float) -> _Stages:
    found = _Stages()
    old, new = _keyed(before), _keyed(after)
    differences: dict[str, str] = {}
    for key, (stage, machine) in new.items():
        if key not in old:
            continue
        is_counted = stage["clock"] == _COUNTED
        difference = None if is_counted else machine_difference(old[key][1], machine)
        if difference is not None:
            differences[key[0]] = difference
        bound = COUNT_THRESHOLD if is_counted else threshold
        found.matched.append(_Stage(key, old[key][0], stage, difference, bound))
    for target, difference in differences.items():
        found.warnings.append(
            f"{target}: not the same machine ({difference}): what became slower or faster there "
            "is the machine's doing as well, and does not count"
        )
    for here, there, word in ((old, new, "only in the first report"), (new, old, "new here")):
        clocks = {key[:-1]: key[-1] for key in there}
        for key in here:
            if key in there:
                continue
            other = clocks.get(key[:-1])
            if other is not None and here is old:
                continue
            reason = word if other is None else f"another clock: {other} before"
            found.apart.append({**_named(key), "reason": reason})
    return found


def _keyed(
    report: Mapping[str, Any],
) -> dict[Key, tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Every stage of every target, with the machine that it was measured on."""
    stages: dict[Key, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for record in records_of(report):
        for stage in record["stages"]:
            key = (record["target"], *(stage.get(name) for name in _KEY_FIELDS[1:]))
            stages.setdefault(key, (stage, record["machine"]))
    return stages


def _named(key: Key) -> Record:
    return dict(zip(_KEY_FIELDS, key, strict=True))


def _test(stage: _Stage) -> None:
    """Fill in the ratio, its interval and the p-value, by the best that both records allow."""
    before, after = stage.before, stage.after
    old, new = (_usable_rounds(record) for record in (before, after))
    stage.medians = before["p50"], after["p50"]
    if before["clock"] == _COUNTED:
        stage.method, stage.ratio = "counts", _ratio(*stage.medians)
        stage.interval = None if stage.ratio is None else (stage.ratio, stage.ratio)
    elif min(len(old), len(new)) >= 2:
        stage.medians = median(old), median(new)
        stage.method, stage.ratio = "rounds", _ratio(*stage.medians)
        stage.interval = ratio_interval(old, new, zlib.crc32(repr(stage.key).encode()))
        stage.p_value = mann_whitney(old, new)
        stage.smallest_p = smallest_p(len(old), len(new))
    else:
        stage.ratio = _ratio(*stage.medians)
        ends = (before["p50_interval"], after["p50_interval"])
        if stage.ratio and all(end is not None and end[0] > 0 for end in ends):
            stage.method = "intervals of p50"
            stage.p_value, stage.interval = p_of_intervals(
                before["p50"], ends[0], after["p50"], ends[1]
            )


def _usable_rounds(record: Mapping[str, Any]) -> list[float]:
    return [value for value in record["rounds"] if math.isfinite(value) and value > 0]


def _ratio(before: float, after: float) -> float | None:
    if before == after:
        return 1.0
    return after / before if before > 0 and after > 0 else None


def _is_beyond(ratio: float, threshold: float) -> bool:
    """Whether ``ratio`` is off one by more than a share, upwards or, as far, downwards."""
    return max(ratio, 1 / ratio) > 1 + threshold


def _adjust(stages: list[_Stage]) -> None:
    tested = [stage for stage in stages if stage.p_value is not None]
    adjusted = holm([stage.p_value for stage in tested if stage.p_value is not None])
    for stage, p_adjusted in zip(tested, adjusted, strict=True):
        stage.p_adjusted = p_adjusted
        stage.smallest_p *= len(tested)


def _stage_record(stage: _Stage, significance: float) -> Record:
    verdict, reason = stage.verdict(significance)
    record = {
        **_named(stage.key),
        "unit": stage.before["unit"],
        "before": stage.medians[0],
        "after": stage.medians[1],
        "before_p50": stage.before["p50"],
        "after_p50": stage.after["p50"],
        "before_interval": stage.before["p50_interval"],
        "after_interval": stage.after["p50_interval"],
        "ratio": stage.ratio,
        "ratio_interval": None if stage.interval is None else list(stage.interval),
        "p_value": stage.p_value,
        "p_adjusted": stage.p_adjusted,
        "method": stage.method,
        "same_machine": stage.machine_difference is None,
        "verdict": verdict,
    }
    return {**record, "reason": reason} if reason else record


def _all_alike(records: list[Record], threshold: float) -> list[str]:
    """A warning where every timed stage moved by the same share: the clock may have moved."""
    ratios = [
        record["ratio"]
        for record in records
        if record["ratio"] and record["clock"] != _COUNTED and record["stage"] != "layer"
    ]
    if len(ratios) < _FEWEST_ALIKE:
        return []
    middle = median(ratios)
    if not _is_beyond(middle, threshold) or any(_is_beyond(r / middle, _ALIKE) for r in ratios):
        return []
    return [
        f"all {len(ratios)} timed stages moved alike ({100 * (middle - 1):+.0f} %): this may be "
        "the machine (clock, governor, other work) and not the build: measure both again"
    ]
