"""The report as one page of HTML that needs nothing beside itself: no network, no other file.

Every figure carries the place in the report that it comes from, and the report lies in the page as
JSON. The page is whole without script; script sorts and filters the table of gates and offers the
JSON as a download. The page forbids itself the network, and any script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from babycry_bench.reports.html import (
    accuracy,
    latency,
    measured,
    parity,
    targets,
    verdict,
)
from babycry_bench.reports.html.comparison import comparison as comparison_of
from babycry_bench.reports.html.history import condensed, plots
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.tables import section
from babycry_convert.page_style import STYLE

Record = Mapping[str, Any]


def render(
    report: Record,
    history: Sequence[Record] = (),
    comparison: Record | None = None,
) -> str:
    """The page of a report.

    Args:
        report: of the schema's kind "report". All its text is escaped.
        history: earlier reports; this one may be among them.
        comparison: from :func:`babycry_bench.comparison.compare.compare`.
    """
    report, history, comparison = _plain([report, list(history), comparison])
    here = Place(report)
    runs = condensed(history, report)
    embedded = {"report": report, "history": runs, "comparison": comparison}
    title = f"{'Passed' if report['passed'] else 'FAILED'}: bench of {report['target']}"
    sections = _sections(here, Place(runs, "history"), Place(comparison, "comparison"))
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}{_resource('page.css')}</style>\n"
        "</head>\n<body>\n<main>\n"
        + "\n".join((verdict.title(here), verdict.verdict(here), verdict.warnings(here)))
        + _contents(sections)
        + "\n".join(section(name, title, html) for name, title, html in sections)
        + "\n</main>\n"
        + "".join(_json(name, value) for name, value in embedded.items() if value)
        + f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _plain(value: Any) -> Any:
    """As JSON has it: lists for tuples, null for what is no number."""
    return json.loads(json.dumps(value), parse_constant=lambda _: None)


def _sections(report: Place, runs: Place, compared: Place) -> list[tuple[str, str, str]]:
    """Name, title and content of every section that has any, in the order of reading."""
    every = [
        (
            "measured",
            "What was measured",
            measured.machine(report) + measured.models(report) + measured.others(report),
        ),
        ("targets", "Targets side by side", targets.side_by_side(report) + targets.costs(report)),
        ("latency", "Latency", latency.distributions(report)),
        ("shares", "Where the work goes", latency.shares(report) + latency.layers(report)),
        ("load", "Load on the device", latency.load(report)),
        ("start", "Cold start", latency.cold_start(report)),
        ("memory", "Memory", targets.memory(report)),
        ("energy", "Energy", targets.energy(report)),
        ("parity", "Parity", parity.parity(report)),
        ("accuracy", "Accuracy on data", accuracy.accuracy(report)),
        ("gates", "Gates", verdict.gate_table(report)),
        ("history", "History", plots(runs)),
        (
            "comparison",
            "Comparison",
            comparison_of(compared) if compared.value is not None else "",
        ),
        ("data", "Data", _DATA),
    ]
    return [part for part in every if part[2]]


_DATA = (
    '<p id="download">Every figure above comes from the JSON that lies at the end of this page\'s '
    "source; each carries its place in it.</p>"
)


def _contents(sections: Sequence[tuple[str, str, str]]) -> str:
    links = "".join(
        f'<li><a href="#{name}">{escape(title)}</a></li>' for name, title, _ in sections
    )
    return f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n'


def _json(name: str, value: Any) -> str:
    """Data that no tag inside it can end."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return f'<script type="application/json" id="{name}-json">{text}</script>\n'


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
