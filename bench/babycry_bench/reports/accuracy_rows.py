"""Accuracy on recordings as rows of a table, one column for each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from babycry_bench.reports.quantity_text import NOTHING, interval_text

Record = Mapping[str, Any]


def accuracy_rows(accuracy: Sequence[Record]) -> list[list[str]]:
    """Title and one cell for each of ``accuracy``; rows that no model has are left out."""
    rows = [[title, *(cell(one) for one in accuracy)] for title, cell in _ROWS]
    return [row for row in rows if any(cell != NOTHING for cell in row[1:])]


def data_line(accuracy: Record) -> str:
    """What recordings the figures are of, and what they are compared with."""
    data = accuracy["data"]
    failed = f", {data['failed']} could not be read" if data["failed"] else ""
    return (
        f"{data['name']}: {data['recordings']} recordings, {data['labelled']} labelled, "
        f"{data['hours']:.3g} h{failed}; reference: {accuracy['reference']}"
    )


def _quality(system: str, name: str, *, as_percent: bool = True) -> Callable[[Record], str]:
    def cell(accuracy: Record) -> str:
        quality = accuracy[system]
        return interval_text(None if quality is None else quality[name], as_percent=as_percent)

    return cell


def _events(make: Callable[[Record], str]) -> Callable[[Record], str]:
    return lambda accuracy: NOTHING if accuracy["events"] is None else make(accuracy["events"])


def _drift(accuracy: Record) -> str:
    drift = accuracy["drift"]
    return f"{drift['mean']:.4f}, {drift['p95']:.4f}, {drift['max']:.3f}"


def _misses(events: Record) -> str:
    return f"{events['misses']} of {events['true_events']}"


def _latency(events: Record) -> str:
    ends = (events["latency_s"]["p50"], events["latency_s"]["p95"])
    return NOTHING if None in ends else f"{ends[0]:.2f} s, {ends[1]:.2f} s"


def _at_recall(events: Record) -> str:
    found = events["at_recall"]
    if found["false_alarms_per_hour"] is None:
        return NOTHING
    return f"{found['false_alarms_per_hour']:.2f} at {100 * found['recall']:.0f} %"


_ROWS: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("same answer as the float pipeline", lambda one: interval_text(one["agreement"])),
    ("accuracy", _quality("device", "accuracy")),
    ("accuracy of the float pipeline", _quality("float", "accuracy")),
    ("macro-F1", _quality("device", "macro_f1")),
    ("macro-F1 of the float pipeline", _quality("float", "macro_f1")),
    ("ROC AUC", _quality("device", "roc_auc")),
    ("score drift: mean, p95, max", _drift),
    ("events: recall", _events(lambda events: interval_text(events["recall"]))),
    ("events: misses", _events(_misses)),
    (
        "events: false alarms an hour",
        _events(lambda events: interval_text(events["false_alarms_per_hour"], as_percent=False)),
    ),
    ("events: false alarms at recall", _events(_at_recall)),
    ("events: latency p50, p95", _events(_latency)),
)
