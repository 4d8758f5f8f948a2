"""Latency: distributions, shares of the pipeline, load, layers, cold start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from babycry_bench.reports.html.figures import (
    attributes,
    figure,
    part,
    ratio,
    share,
    text,
    total,
)
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.plots import (
    ROW_HEIGHT,
    Axis,
    Row,
    bar,
    box,
    linear_axis,
    log_axis,
    row_plot,
    sparkline,
)
from babycry_bench.reports.html.tables import cell, folded, head, number, table
from babycry_bench.reports.html.words import (
    CLOCKS,
    COLD_START,
    QUANTITIES,
    STAGES,
    UNITS,
    records,
    stage_colour,
    stage_title,
    subject,
    target_name,
)

_MOST_LAYERS = 12
_LONGEST_NAME = 30
_READING = (
    "Box: the middle half of all calls; thick line: nine in ten; upright stroke: the median; dot: "
    "the slowest."
)
#: What a pipeline does one after the other; of the front-end the first that was measured.
_PARTS = (
    ("capture",),
    ("resample",),
    ("frontend_hop", "frontend_window", "frontend_clip"),
    ("network",),
    ("smoothing",),
)
_START_COLOURS = ("grey", "blue", "orange", "purple")


def distributions(report: Place) -> str:
    """A plot for each target that has a clock; tables of this machine and of the others."""
    plots: list[str] = []
    own: list[str] = []
    others: list[str] = []
    for record in records(report):
        stages = [stage for stage in record.rows("stages") if stage.value["stage"] != "layer"]
        for unit in UNITS:
            measured = [stage for stage in stages if stage.value["unit"] == unit]
            if not measured:
                continue
            if unit != "instructions":  # those stand in one plot above, side by side
                plots.append(_distribution(record, measured, unit))
            caption = f"{record.value['target']}: {QUANTITIES[unit]} of one call"
            rows = own if record is report else others
            rows.append(_stage_table(caption, measured, unit))
    note = f'<p class="note">{_READING}</p>' if plots else ""
    return (
        note
        + "".join(plots)
        + folded("Figures of this machine's stages", "".join(own))
        + folded("Figures of the other targets' stages", "".join(others))
    )


def _distribution(record: Place, stages: Sequence[Place], unit: str) -> str:
    groups = []
    for name, title in STAGES.items():
        rows = [
            Row(subject(stage), _p50(stage, unit), box(stage, stage_colour(stage)))
            for stage in stages
            if stage.value["stage"] == name
        ]
        groups.append((title, rows))
    values = [v for stage in stages for v in (*stage.value["quantiles"], stage.value["max"])]
    clocks = ", ".join(dict.fromkeys(CLOCKS[stage.value["clock"]] for stage in stages))
    title = f"{record.value['target']}: {QUANTITIES[unit]} of one call ({clocks})"
    return row_plot(title, log_axis(values, unit), groups, kind="rates")


def _stage_table(caption: str, stages: Sequence[Place], unit: str) -> str:
    rows = [
        [
            head(f"{escape(stage_title(stage))} <small>{subject(stage)}</small>"),
            number(_p50(stage, unit)),
            *(number(figure(stage[key], unit)) for key in ("p90", "p95", "p99", "max")),
            number(figure(stage["count"], "count")),
            number(figure(stage["warmup"], "count")),
            number(figure(stage.get("audio_s"), "s")),
            cell(sparkline(stage["rounds"])),
        ]
        for stage in stages
    ]
    headings = [
        "Stage",
        ">p50 (95 % interval)",
        ">p90",
        ">p95",
        ">p99",
        ">max",
        ">Calls",
        ">Warm-up",
        ">New audio",
        "Medians over the run",
    ]
    return table(caption, headings, rows)


def _p50(stage: Place, unit: str) -> str:
    words = figure(stage["p50"], unit)
    ends = stage.get("p50_interval")
    if ends is None:
        return words
    return (
        f'{words} <small class="range">{figure(ends[0], unit)} to {figure(ends[1], unit)}</small>'
    )


def shares(report: Place) -> str:
    """Each pipeline as one bar: what a second of audio costs in each stage."""
    groups: dict[str, list[tuple[str, list[Place]]]] = {}
    for record in records(report):
        for who, parts in _pipelines(record):
            unit = parts[0].value["unit"]
            groups.setdefault(unit, []).append(
                (f"{target_name(record)} <small>{who}</small>", parts)
            )
    plots = []
    for unit in UNITS:
        if unit not in groups:
            continue
        rows = [_share_row(name, parts, unit) for name, parts in groups[unit]]
        axis = Axis(0.0, 1.0, "share")
        plots.append(
            row_plot(
                f"A second of audio, stage by stage: {QUANTITIES[unit]}",
                axis,
                [("", rows)],
                "Each stage's median over the new audio that one call answers for; at the right "
                "their sum.",
            )
        )
    return "".join(plots)


def _pipelines(record: Place) -> list[tuple[str, list[Place]]]:
    """The parts of the pipeline of every model of a record that has more than one part."""
    stages = [stage for stage in record.rows("stages") if stage.value.get("audio_s")]
    found = []
    for model in dict.fromkeys(s.value["model"] for s in stages if s.value["model"] is not None):
        profile = _profile(record, model)
        found_parts = (_part(stages, names, model, profile) for names in _PARTS)
        parts = [stage for stage in found_parts if stage is not None]
        if len(parts) > 1 and len({stage.value["unit"] for stage in parts}) == 1:
            found.append((escape(str(model)), parts))
    return found


def _part(
    stages: Sequence[Place], names: Sequence[str], model: str, profile: str | None
) -> Place | None:
    """A model's own stage, or one that was measured without a model in the model's profile."""
    for name in names:
        named = [stage for stage in stages if stage.value["stage"] == name]
        for stage in named:
            if stage.value["model"] == model:
                return stage
        for stage in named:
            if stage.value["model"] is None and profile in (None, stage.value["profile"]):
                return stage
    return None


def _profile(record: Place, model: str) -> str | None:
    """The front-end profile that a model file asks for, where it says so."""
    for described in record.rows("models"):
        if described.value["model"] == model:
            frontend = described.value["metadata"].get("frontend")
            return frontend.get("profile") if isinstance(frontend, dict) else None
    return None


def _part_title(stage: Place) -> str:
    return stage_title(stage).split(",")[0]


def _stack(parts: Sequence[Place]) -> Callable[[Axis], str]:
    terms = [(stage["p50"], stage["audio_s"]) for stage in parts]

    def draw(axis: Axis) -> str:
        marks, start = [], 0.0
        for stage, term in zip(parts, terms, strict=True):
            width = share(term, terms)
            marks.append(
                f'<rect class="{stage_colour(stage)}" x="{axis.at(start)}%" '
                f'width="{100 * width:.3f}%" y="3" height="{ROW_HEIGHT - 6}" '
                f'data-share="{width:.6f}"{attributes(stage["p50"])}>'
                f"<title>{escape(_part_title(stage))}</title></rect>"
            )
            start += width
        return "".join(marks)

    return draw


def _share_row(name: str, parts: Sequence[Place], unit: str) -> Row:
    terms = [(stage["p50"], stage["audio_s"]) for stage in parts]
    items = "".join(
        f'<li><i class="swatch {stage_colour(stage)}"></i>{escape(_part_title(stage))} '
        f"{ratio(*term, unit)} <small>{part(term, terms)}</small></li>"
        for stage, term in zip(parts, terms, strict=True)
    )
    return Row(name, total(terms, unit), _stack(parts), f'<ul class="parts">{items}</ul>')


def load(report: Place) -> str:
    """Real-time factor, duty cycle and share of the machine, where there is time."""
    rows: list[list[str]] = []
    pipeline_rows: list[list[str]] = []
    for record in records(report):
        for stage in record.rows("stages"):
            factor = stage.get("real_time_factor")
            if factor is None or stage.value["stage"] == "layer":
                continue
            chosen = pipeline_rows if stage.value["stage"] == "pipeline" else rows
            chosen.append(
                [
                    head(
                        f"{escape(stage_title(stage))} <small>{subject(stage)}, "
                        f"{target_name(record)}</small>"
                    ),
                    *(number(figure(factor[key])) for key in ("p50", "p95", "max")),
                    number(figure(stage.get("duty_cycle"), "share")),
                    number(figure(stage.get("cpu_share"), "share")),
                ]
            )
    headings = ["Stage", ">RTF p50", ">RTF p95", ">RTF max", ">Duty cycle", ">CPU share"]
    caption = "Real-time factor, duty cycle and share of the processor"
    stages = f"{caption}, stage by stage"
    note = (
        '<p class="note">Real-time factor: computing time over audio time; 0.01 is one per cent of '
        "a core. Duty cycle: mean share of real time at work. CPU share: of all cores. Emulated "
        "targets have none of these.</p>"
    )
    pipelines = [
        (record, stage)
        for record in records(report)
        for stage in record.rows("stages")
        if stage.value["stage"] == "pipeline" and stage.get("duty_cycle")
    ]
    duty = [stage.value["duty_cycle"] for _, stage in pipelines]
    plot = row_plot(
        "Share of real time in which the whole pipeline is at work",
        linear_axis(duty, "share"),
        [
            (
                "",
                [
                    Row(
                        f"{target_name(record)} <small>{subject(stage)}</small>",
                        figure(stage["duty_cycle"], "share"),
                        bar(stage["duty_cycle"], "ink"),
                    )
                    for record, stage in pipelines
                ],
            )
        ],
    )
    if not rows and not pipeline_rows:
        return ""
    return (
        plot
        + table(caption, headings, pipeline_rows)
        + folded(stages, table(stages, headings, rows))
        + note
    )


def layers(report: Place) -> str:
    """The slowest layers of every model whose engine tells, by median."""
    parts = []
    for record in records(report):
        every = [stage for stage in record.rows("stages") if stage.value["stage"] == "layer"]
        for model in dict.fromkeys(stage.value["model"] for stage in every):
            own = [stage for stage in every if stage.value["model"] == model]
            own.sort(key=lambda stage: -stage.value["p50"])
            for unit in UNITS:
                ranking = [stage for stage in own if stage.value["unit"] == unit]
                parts.append(_layer_plot(record, model, ranking, unit))
    return "".join(parts)


def _short(stage: Place) -> str:
    """A layer's name; of a long one its place in the network and its end."""
    name = str(stage.value["layer"])
    if len(name) <= _LONGEST_NAME:
        return escape(name)
    place, space, rest = name.partition(" ")
    first = f"{place} " if space and len(place) < 6 else ""
    end = (rest or name)[len(first) + 1 - _LONGEST_NAME :]
    return f'<span class="cut" title="{escape(name)}">{escape(first)}\u2026{escape(end)}</span>'


def _layer_plot(record: Place, model: str | None, ranking: Sequence[Place], unit: str) -> str:
    rows = [
        Row(
            f"{_short(stage)} <small>{text(stage.get('operator'))}</small>",
            figure(stage["p50"], unit),
            bar(stage["p50"], "orange"),
        )
        for stage in ranking
    ]
    axis = linear_axis([stage.value["p50"] for stage in ranking], unit)
    is_cut = len(rows) > _MOST_LAYERS or any(
        len(str(stage.value["layer"])) > _LONGEST_NAME for stage in ranking
    )
    who = f"{model or 'network'} on {record.value['target']}"
    title = f"Slowest layers of {who}: {QUANTITIES[unit]}"
    rest = table(
        f"All layers of {who}",
        ["Layer", "Operator", ">p50", ">p95", ">max"],
        [
            [
                head(text(stage["layer"])),
                cell(text(stage.get("operator"))),
                *(number(figure(stage[key], unit)) for key in ("p50", "p95", "max")),
            ]
            for stage in ranking
        ],
    )
    return row_plot(title, axis, [("", rows[:_MOST_LAYERS])], kind="layers") + (
        folded(f"All layers of {who}", rest) if is_cut else ""
    )


def cold_start(report: Place) -> str:
    """From the start of a process to the first score: a bar of steps, and the figures."""
    starts = [
        (record, model, model["cold_start"])
        for record in records(report)
        for model in record.rows("models")
        if model.get("cold_start")
    ]
    rows, totals = [], []
    for record, model, start in starts:
        steps = [start[key] for key in COLD_START if start.get(key)]
        totals.append(sum(step.value for step in steps))
        value = figure(start.get("total_ms"), "ms")
        name = f"{text(model['model'])} <small>{target_name(record)}</small>"
        rows.append(Row(name, value, _steps(start)))
    plot = row_plot(
        "From an empty process to the first score",
        linear_axis(totals, "ms"),
        [("", rows)],
        legend=list(zip(_START_COLOURS, COLD_START.values(), strict=True)),
    )
    keys = list(dict.fromkeys(key for _, _, start in starts for key in start.value))
    figures = [
        [
            head(f"{text(model['model'])} <small>{target_name(record)}</small>"),
            *(number(figure(start.get(key), _start_unit(key))) for key in keys),
        ]
        for record, model, start in starts
    ]
    caption = "Cold start, medians of fresh processes"
    return plot + folded(
        caption, table(caption, ["Model", *(_start_head(k) for k in keys)], figures)
    )


def _steps(start: Place) -> Callable[[Axis], str]:
    def draw(axis: Axis) -> str:
        marks, at = [], 0.0
        for key, colour in zip(COLD_START, _START_COLOURS, strict=True):
            step = start.get(key)
            if step is None:
                continue
            first, last = axis.at(at), axis.at(at + step.value)
            marks.append(
                f'<rect class="{colour}" x="{first}%" width="{last - first:.3f}%" y="3" '
                f'height="{ROW_HEIGHT - 6}"{attributes(step)}/>'
            )
            at += step.value
        return "".join(marks)

    return draw


def _start_unit(key: str) -> str:
    return "ms" if key.endswith("_ms") else "bytes" if key.endswith("_bytes") else "count"


def _start_head(key: str) -> str:
    words = key.removesuffix("_ms").removesuffix("_bytes").replace("_", " ")
    return f">{words.replace('rss', 'memory')}"
