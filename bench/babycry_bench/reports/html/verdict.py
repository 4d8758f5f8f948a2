"""The top of the page: passed or failed, what failed, and where the answer first goes astray."""

from __future__ import annotations

from html import escape

from babycry_bench.reports.html.figures import NONE, bound, counted, figure, length, ratio, text
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.tables import cell, folded, head, mark, number, table
from babycry_bench.reports.html.words import records, target_name

_LOST = {
    "audio": "in the audio",
    "features": "in the features",
    "layer": "in the layer",
    "score": "in the score",
    "event": "in the events",
}
_WORDS = {True: "pass", False: "fail", None: "skip"}
_SIGNS = {"<=": "\u2264", ">=": "\u2265", "==": "=", "<": "<", ">": ">"}


def title(report: Place) -> str:
    """The heading and a line on what this is."""
    build = report["build"]
    commit = build.get("git_commit")
    names = ", ".join(target_name(record) for record in records(report))
    return (
        "<header><h1>Bench report</h1>"
        f'<p class="lead">babycry-edge {text(build["babycry_edge"])}'
        + (f", commit <code>{text(commit)}</code>" if commit else "")
        + f"; {created(report)}. Targets: {names}.</p></header>"
    )


def created(record: Place) -> str:
    """When a record was made, in UTC."""
    moment = record.get("created")
    if moment is None:
        return "no date"
    words = text(moment)
    return f'<time datetime="{words}">{words.replace("T", " ").replace("Z", " UTC")}</time>'


def verdict(report: Place) -> str:
    """The box that says whether it passed."""
    gates = report["gates"]
    passed = bool(report.value["passed"])
    failed = [gate for gate in gates if gate.value["passed"] is False]
    kind, word = ("passed", "PASSED") if passed else ("failed", "FAILED")
    sentence = (
        f"Of {length(gates)} gates: {counted(gates, True)} passed, {counted(gates, False)} "
        f"failed, {counted(gates, None)} not measured."
    )
    items = "".join(
        f"<li>{text(gate['name'])}: <strong>{gate_value(gate)}</strong>, "
        f"must be {gate_bound(gate)}{_baseline(gate)}</li>"
        for gate in failed
    )
    failures = f'<ul class="failures">{items}</ul>' if items else ""
    return (
        f'<section id="verdict" class="verdict {kind}" aria-labelledby="verdict-title">'
        f'<h2 id="verdict-title"><span class="word">{word}</span></h2>'
        f"{_strip(gates)}<p>{sentence}</p>{failures}{_first_divergences(report)}</section>"
    )


def gate_value(gate: Place) -> str:
    """What was found, or why nothing was."""
    if gate.get("value"):
        return figure(gate["value"], str(gate.value["unit"]))
    return text(gate["reason"]) if gate.get("reason") else "nothing found"


def gate_bound(gate: Place) -> str:
    """What it must be."""
    sign = _SIGNS.get(gate.value["operator"], escape(str(gate.value["operator"])))
    return f"{sign}\u00a0{bound(gate['bound'], str(gate.value['unit']))}"


def _baseline(gate: Place) -> str:
    """The value of the report that a gate is relative to."""
    baseline = gate.get("baseline")
    return f" (baseline {figure(baseline, str(gate.value['unit']))})" if baseline else ""


def _strip(gates: Place) -> str:
    """The verdicts as a strip of three colours."""
    verdicts = [gate.value["passed"] for gate in gates]
    parts = "".join(
        f'<i class="{kind}" style="flex-grow:{verdicts.count(passed)}"></i>'
        for kind, passed in (("bad", False), ("wait", None), ("good", True))
        if verdicts.count(passed)
    )
    return f'<div class="strip" aria-hidden="true">{parts}</div>' if parts else ""


def _divergences(report: Place) -> list[tuple[Place, Place]]:
    """Record and divergence of every model that was traced."""
    return [
        (record, divergence)
        for record in records(report)
        for divergence in record["parity"].rows("divergence")
    ]


def _first_divergences(report: Place) -> str:
    parts = []
    for record, divergence in _divergences(report):
        stage = divergence.value["stage"]
        if stage == "none":
            continue
        where = divergence.value["where"]
        parts.append(
            f'<div class="divergence"><h3>First divergence: {_LOST.get(stage, escape(stage))}'
            + (f" <code>{escape(where)}</code>" if where else "")
            + f"</h3><p>{text(divergence['model'])} on {target_name(record)}: "
            f"{text(divergence['detail']).rstrip('.')}.</p>{chain(divergence)}</div>"
        )
    return "".join(parts)


def chain(divergence: Place) -> str:
    """The stages in order, each with its verdict, value and bound."""
    links = []
    first = divergence.value["stage"]
    for stage in divergence.rows("stages"):
        name, passed = stage.value["stage"], stage.value["passed"]
        kind = {True: "good", False: "bad", None: "wait"}[passed]
        unit = str(stage.value["unit"])
        here = ' aria-current="step"' if name == first else ""
        links.append(
            f'<li class="{kind}"{here}><b>{escape(name)}</b> {mark(passed, "holds", "BREAKS")}'
            f'<span class="of">{figure(stage.get("value"), unit)}'
            + (f"; bound {bound(stage.get('bound'))}" if stage.get("bound") else "")
            + "</span></li>"
        )
    return f'<ol class="chain">{"".join(links)}</ol>' if links else ""


def divergence_table(report: Place) -> str:
    """Every model's stages, those that hold too."""
    rows = []
    for record, divergence in _divergences(report):
        for stage in divergence.rows("stages"):
            unit = str(stage.value["unit"])
            rows.append(
                [
                    head(f"{text(divergence['model'])}, {target_name(record)}"),
                    cell(text(stage["stage"])),
                    number(figure(stage.get("value"), unit)),
                    number(bound(stage.get("bound"), unit)),
                    cell(mark(stage.value["passed"], "holds", "BREAKS", "not judged")),
                    cell(text(stage.get("worst"))),
                ]
            )
    headings = ["Model", "Stage", ">Value", ">Bound", "Verdict", "Worst"]
    return table("Device against reference, stage by stage", headings, rows)


def warnings(report: Place) -> str:
    """Warnings of every target."""
    items = [
        f"<li>{target_name(record)}: {text(warning)}</li>"
        for record in records(report)
        for warning in record.rows("warnings")
    ]
    if not items:
        return ""
    return (
        '<aside class="warnings" aria-labelledby="warnings-title">'
        f'<h2 id="warnings-title">Warnings</h2><ul>{"".join(items)}</ul></aside>'
    )


def _headroom(gate: Place) -> str:
    """How much of a bound is used, as a bar."""
    value, bound = gate.value["value"], gate.value["bound"]
    numbers = all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (value, bound))
    if not numbers or bound == 0 or value < 0 or gate.value["passed"] is None:
        return NONE
    sign = gate.value["operator"]
    if sign in ("<=", "<"):
        part, whole = gate["value"], gate["bound"]
    elif sign in (">=", ">") and value > 0:
        part, whole = gate["bound"], gate["value"]
    else:
        return NONE
    used = part.value / whole.value
    if used < 0:
        return NONE
    kind = "good" if gate.value["passed"] else "bad"
    return (
        f'<span class="room"><i class="{kind}" style="width:{min(100.0, 100.0 * used):.1f}%"></i>'
        f"</span><small>{ratio(part, whole, 'share')}</small>"
    )


def gate_table(report: Place) -> str:
    """Every gate, failed ones first; script adds sorting and a filter."""
    gates = sorted(
        report["gates"], key=lambda gate: {False: 0, None: 1, True: 2}[gate.value["passed"]]
    )
    rows = []
    for gate in gates:
        passed = gate.value["passed"]
        value = (
            f'<span class="soft">{text(gate["skipped"])}</span>'
            if passed is None and gate.get("skipped")
            else gate_value(gate)
        )
        rows.append(
            [
                f'<td class="mark" data-verdict="{_WORDS[passed]}">{mark(passed)}</td>',
                head(f"{text(gate['name'])}<br><code>{text(gate['path'])}</code>"),
                number(value),
                number(gate_bound(gate)),
                number(figure(gate.get("baseline"), str(gate.value["unit"]))),
                cell(_headroom(gate)),
            ]
        )
    headings = ["Verdict", "Gate", ">Value", ">Bound", ">Baseline", "Share of bound"]
    return table("Every gate", headings, rows, "gates")


def divergence_fold(report: Place) -> str:
    """The table of stages, folded."""
    return folded("Every stage of every model", divergence_table(report))
