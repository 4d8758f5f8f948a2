"""What two reports differ in beside time: builds, files, memory, parity, accuracy, gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from babycry_bench.reports.quantity_text import count, gate_value, milliseconds, size

_COLD_START_MATTERS = 0.2
"""Medians of a few processes: less than this is their noise."""


@dataclass(frozen=True)
class Fact:
    """One thing that a report states.

    Attributes:
        value: what.
        kind: how it is written: bytes, ms, share, count or text.
        better: -1 less is better, +1 more is better, 0 neither.
        tolerance: a relative change up to this is none.
        interval: around the value, where it is an estimate.
        shown: what people read, where it is more than the value.
    """

    value: Any
    kind: str = "text"
    better: int = 0
    tolerance: float = 0.0
    interval: tuple[float, float] | None = None
    shown: str = ""

    @property
    def text(self) -> str:
        """For people."""
        if self.shown:
            return self.shown
        if self.value is None:
            return "none"
        if self.kind == "bytes":
            return size(self.value)
        if self.kind == "ms":
            return milliseconds(self.value)
        if self.kind == "count":
            return count(self.value)
        if self.kind == "share":
            return f"{self.value:.4g}"
        return str(self.value)


FactKey = tuple[str, str, str]
"""Target, what the fact is of, what it is."""


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], threshold: float
) -> list[dict[str, Any]]:
    """Every fact that is another one, has gone or is new; ``worse`` is null where none is better.

    An estimate whose interval reaches that of the other one is listed, but neither worse nor
    better.
    """
    old, new = dict(_facts(before, threshold)), dict(_facts(after, threshold))
    listed = []
    for key in dict.fromkeys([*old, *new]):
        first, second = old.get(key), new.get(key)
        if first is not None and second is not None and _is_same(first, second):
            continue
        target, of, what = key
        listed.append(
            {
                "target": target,
                "of": of,
                "what": what,
                "before": None if first is None else first.value,
                "after": None if second is None else second.value,
                "before_text": "absent" if first is None else first.text,
                "after_text": "absent" if second is None else second.text,
                "worse": _is_worse(first, second),
            }
        )
    return listed


def _is_same(first: Fact, second: Fact) -> bool:
    if first.value == second.value:
        return True
    if not first.tolerance or not _are_numbers(first.value, second.value):
        return False
    low, high = sorted((first.value, second.value))
    return bool(low > 0 and high / low <= 1 + first.tolerance)


def _is_worse(first: Fact | None, second: Fact | None) -> bool | None:
    if first is None or second is None or not first.better:
        return None
    if not _are_numbers(first.value, second.value):
        return None
    if first.interval and second.interval and _overlap(first.interval, second.interval):
        return None
    return bool((second.value - first.value) * first.better < 0)


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, (bool, int, float)) for value in values)


def _overlap(first: tuple[float, float], second: tuple[float, float]) -> bool:
    return first[0] <= second[1] and second[0] <= first[1]


def _facts(report: Mapping[str, Any], threshold: float) -> Iterator[tuple[FactKey, Fact]]:
    for record in (report, *report.get("targets", [])):
        target = record["target"]
        yield (target, "", "measured"), Fact(True)
        for facts in (_build, _models, _parity):
            for of, what, fact in facts(record):
                yield (target, of, what), fact
        for of, what, fact in _memory(record, threshold):
            yield (target, of, what), fact
    for accuracy in report.get("accuracy", []):
        data = accuracy["data"]
        # Figures of other recordings are other figures: told apart by name and hash.
        of = f"{accuracy['model']} on {data['name']} {data['sha256'][:8]}"
        for what, fact in _accuracy(accuracy):
            yield (report["target"], of, what), fact
    for gate in report.get("gates", []):
        word = {True: "pass", False: "FAIL", None: "skipped"}[gate["passed"]]
        shown = f"{word} ({gate_value(gate['value'], gate['unit'])})"
        fact = Fact(gate["passed"], better=1, shown=shown)
        yield (report["target"], gate["name"], "gate"), fact


Facts = Iterator[tuple[str, str, Fact]]
"""What the fact is of, what it is, and the fact."""


def _build(record: Mapping[str, Any]) -> Facts:
    build = record["build"]
    names = ("babycry_edge", "git_commit", "compiler", "compiler_flags", "instruction_set")
    for name in (*names, "python"):
        yield "build", name, Fact(build[name])
    for name, version in build["packages"].items():
        yield "build", name, Fact(version)
    yield "machine", "governor", Fact(record["machine"]["governor"])


def _models(record: Mapping[str, Any]) -> Facts:
    for model in record["models"]:
        name = model["model"]
        sha256 = model["sha256"]
        yield name, "sha256", Fact(sha256, shown=f"{sha256[:12]}...")
        yield name, "file size", Fact(model["size_bytes"], "bytes", better=-1)
        engine = f"{model['engine']} {model['engine_version'] or ''}".strip()
        yield name, "engine", Fact(f"{engine}, threads: {model['threads']}")
        start = model.get("cold_start", {})
        if "total_ms" in start:
            fact = Fact(start["total_ms"], "ms", better=-1, tolerance=_COLD_START_MATTERS)
            yield name, "cold start", fact


def _memory(record: Mapping[str, Any], threshold: float) -> Facts:
    memory = record["memory"]
    for key, value in memory.items():
        if key != "stages":
            noise = threshold if key == "peak_rss_bytes" else 0.0
            what = key.removesuffix("_bytes").replace("_", " ")
            yield "memory", what, Fact(value, "bytes", better=-1, tolerance=noise)
    for stage in memory.get("stages", []):
        of = " ".join(part for part in (stage["stage"], stage.get("profile")) if part)
        for key in ("stack_bytes", "ram_bytes"):
            if key in stage:
                what = key.removesuffix("_bytes").replace("ram", "RAM")
                yield of, what, Fact(stage[key], "bytes", better=-1)


def _parity(record: Mapping[str, Any]) -> Facts:
    parity = record["parity"]
    for part in ("feature_hashes", "streaming"):
        for profile in parity.get(part, {}).get("profiles", []):
            of = f"{part.replace('_', ' ')}, {profile['profile']}"
            yield of, "mismatches", Fact(profile["mismatches"], "count", better=-1)
    for golden in parity.get("golden", []):
        yield golden.get("model", "?"), "golden check passed", Fact(golden.get("passed"), better=1)
    for scores in parity.get("scores", []):
        yield scores["model"], "score mismatches", Fact(scores["mismatches"], "count", better=-1)
    for found in parity.get("divergence", []):
        shown = f"{found['stage']} {found['where']}".strip()
        yield found["model"], "first divergence", Fact(found["stage"], shown=shown)


def _accuracy(accuracy: Mapping[str, Any]) -> Iterator[tuple[str, Fact]]:
    yield "agreement", _estimate(accuracy["agreement"])
    yield "mean score drift", Fact(accuracy["drift"]["mean"], "share", better=-1)
    quality = accuracy["device"]
    if quality is not None:
        for name in ("accuracy", "macro_f1", "roc_auc"):
            yield name.replace("_", " "), _estimate(quality[name])
        for label, recall in quality["recall"].items():
            yield f"recall of {label}", _estimate(recall)
    events = accuracy["events"]
    if events is not None:
        yield "false alarms per hour", _estimate(events["false_alarms_per_hour"], better=-1)
        yield "recall of events", _estimate(events["recall"])


def _estimate(interval: Mapping[str, Any], better: int = 1) -> Fact:
    ends = (interval["low"], interval["high"])
    around = None if None in ends else (float(ends[0]), float(ends[1]))
    return Fact(interval["value"], "share", better, interval=around)
