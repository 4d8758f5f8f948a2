"""Accuracy on data: the device against the float reference and against the true labels."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from babycry_bench.reports.html.figures import figure, interval, text
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.plots import Axis, Row, bar, dot, linear_axis, row_plot, scatter
from babycry_bench.reports.html.tables import cell, folded, head, number, table

_SYSTEMS = (("device", "device", "orange"), ("float", "float reference", "blue"))
#: So many fit into half the page.
_FEW_CLASSES = 4
_RATES = (("accuracy", "Accuracy"), ("macro_f1", "Macro-F1"), ("roc_auc", "ROC AUC"))


def accuracy(report: Place) -> str:
    """A part for each model."""
    return "".join(_model(record) for record in report.rows("accuracy"))


def _model(record: Place) -> str:
    return (
        f"<h3>{text(record['model'])}</h3>{_data(record)}{_rates(record)}"
        + '<div class="beside">'
        + scatter(
            f"Score of each recording, {record.value['model']}",
            record["scatter"],
            "float reference",
            "device",
        )
        + _drift(record)
        + "</div>"
        + _confusions(record)
        + _worst(record)
        + _failures(record)
        + _events(record)
    )


def _data(record: Place) -> str:
    data = record["data"]
    return (
        f"<p>{figure(data['recordings'], 'count')} recordings of {text(data['name'])}, "
        f"{figure(data['hours'])} hours, {figure(data['labelled'], 'count')} with a true label, "
        f"{figure(data['failed'], 'count')} unreadable. Against {text(record['reference'])}. "
        f"<small>Data <code>{text(data['sha256'])}</code></small></p>"
    )


def _rates(record: Place) -> str:
    """Agreement, accuracy, F1, AUC and recall with their intervals."""
    groups: list[tuple[str, Sequence[Row]]] = [
        ("Same answer as the float reference", [_rate(record["agreement"], "device", "orange")])
    ]
    lowest = [_low(record["agreement"])]
    for key, title in _RATES:
        groups.append((title, _both(record, (key,), lowest)))
    for name in record.value["classes"]:
        groups.append((f"Recall of {name}", _both(record, ("recall", name), lowest)))
    known = [value for value in lowest if value is not None] or [0.0]
    axis = Axis(max(0.0, min(0.9, min(known) - 0.02)), 1.0, "share")
    return row_plot(
        f"How often it is right, {record.value['model']}: with 95 % intervals",
        axis,
        groups,
        kind="rates",
    )


def _both(record: Place, keys: Sequence[str], lowest: list[float | None]) -> list[Row]:
    """The device's and the reference's figure at ``keys``; their low ends join ``lowest``."""
    rows = []
    for system, title, colour in _SYSTEMS:
        place = record.get(system)
        for key in keys:
            place = place.get(key) if place is not None else None
        if place is None or place.get("value") is None:
            continue
        lowest.append(_low(place))
        rows.append(_rate(place, title, colour))
    return rows


def _rate(place: Place, title: str, colour: str) -> Row:
    if place.get("value") is None:
        return Row(escape(title), interval(place, "share"), lambda axis: "")
    return Row(
        escape(title),
        interval(place, "share"),
        dot(place["value"], place.get("low"), place.get("high"), colour),
    )


def _low(place: Place) -> float | None:
    low = place.get("low") or place.get("value")
    return None if low is None else float(low.value)


def _drift(record: Place) -> str:
    drift = record["drift"]
    edges = drift.value["edges"]
    names = [
        f"below {edges[0]:g}" if edges else "all",
        *(f"{low:g} to {high:g}" for low, high in pairwise(edges)),
        *([f"{edges[-1]:g} and more"] if edges else []),
    ]
    rows = [
        Row(escape(name), figure(count, "count"), bar(count, "blue"))
        for name, count in zip(names, drift["counts"], strict=False)
    ]
    summary = (
        f'<p class="note">Mean {figure(drift["mean"], "score")}, 95th percentile '
        f"{figure(drift['p95'], 'score')}, largest {figure(drift['max'], 'score')}.</p>"
    )
    plot = row_plot(
        f"How far scores moved, {record.value['model']}: recordings",
        linear_axis(drift.value["counts"], "count"),
        [("", rows)],
    )
    return f"<div>{plot}{summary}</div>"


def _confusions(record: Place) -> str:
    tables = [
        _confusion(quality["confusion"], record.value["classes"], title)
        for key, title, _ in _SYSTEMS
        if (quality := record.get(key)) is not None
    ]
    kind = "beside" if len(record.value["classes"]) <= _FEW_CLASSES else "stacked"
    return f'<div class="{kind}">{"".join(tables)}</div>' if tables else ""


def _confusion(matrix: Place, classes: Sequence[str], title: str) -> str:
    """Shaded by the share of the true class: right answers in one colour, wrong ones in another."""
    rows = []
    for right, (name, line) in enumerate(zip(classes, matrix, strict=False)):
        total = sum(line.value) or 1
        cells = [
            f'<td class="n heat{" right" if column == right else ""}" '
            f'style="--share:{100 * count.value / total:.1f}%">{figure(count, "count")}</td>'
            for column, count in enumerate(line)
        ]
        rows.append([head(escape(str(name))), *cells])
    headings = ["true class", *(f">{name}" for name in classes)]
    return table(f"Confusion, {title}", headings, rows, "confusion")


def _worst(record: Place) -> str:
    rows = [
        [
            head(text(item["recording"])),
            number(figure(item["reference"], "score")),
            number(figure(item["device"], "score")),
        ]
        for item in record["drift"].rows("worst")
    ]
    return table("Recordings that moved most", ["Recording", ">Float", ">Device"], rows)


def _failures(record: Place) -> str:
    """Recordings that could not be read, and why."""
    rows = [
        [head(text(failure["recording"])), cell(text(failure["error"]))]
        for failure in record["data"].rows("failures")
    ]
    caption = "Recordings that could not be read"
    return folded(caption, table(caption, ["Recording", "Why"], rows))


def _events(record: Place) -> str:
    events = record.get("events")
    if events is None:
        return ""
    at = events["at_recall"]
    latency = events["latency_s"]
    per_hour = events["false_alarms_per_hour"]
    rows = [
        ("True events", figure(events["true_events"], "count")),
        ("Detected", figure(events["detected"], "count")),
        ("Missed", figure(events["misses"], "count")),
        ("Recall", interval(events["recall"], "share")),
        ("False alarms", figure(events["false_alarms"], "count")),
        ("Hours without an event", figure(events["negative_hours"])),
        ("False alarms an hour", interval(per_hour, "")),
        (
            f"False alarms an hour at a recall of {figure(at['recall'], 'share')}",
            f"{figure(at.get('false_alarms_per_hour'))} <small>threshold "
            f"{figure(at.get('threshold'))}</small>",
        ),
        ("Time to the announcement, p50", figure(latency.get("p50"), "s")),
        ("Time to the announcement, p95", figure(latency.get("p95"), "s")),
    ]
    return table(
        f"Events, {record.value['model']}",
        ["Measure", ">Value"],
        [[head(name), number(value)] for name, value in rows],
    )
