"""The bench's page: every figure is the JSON's, in a browser too; nothing in a name is markup."""

from __future__ import annotations

import copy
import html
import json
import math
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import sample_report
from babycry_bench.reports.html.figures import shown, trimmed
from babycry_bench.reports.html.page import render
from babycry_bench.reports.html.place import Place
from babycry_bench.reports.html.plots import Axis, linear_axis, log_axis
from chromium_page import Page, chromium_page

INJECTION = "<img src=x onerror=alert(1)>\"'&amp;</script><script>alert(2)</script>"
VOID = {"meta", "link", "br", "img", "input"}
#: What a unit's word means, by the unit of the report.
FACTORS = {
    "ms": {"ns": 1e-6, "\u00b5s": 1e-3, "ms": 1.0, "s": 1e3},
    "s": {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0},
    "instructions": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
    "cycles": {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9},
    "bytes": {"B": 1.0, "KiB": 1024.0, "MiB": 1024.0**2, "GiB": 1024.0**3},
    "Hz": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6},
    "J": {"\u00b5J": 1e-6, "mJ": 1e-3, "J": 1.0},
    "share": {"%": 0.01},
}


class Elements(HTMLParser):
    """Every element with its attributes and the text inside it; and that tags match."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        text: list[str] = []
        self.found.append((tag, {name: value or "" for name, value in attrs}, text))
        if tag not in VOID:
            self._open.append((tag, text))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}, []))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, text in self._open:
            text.append(data)


def past(report: dict[str, Any], runs: int = 5) -> list[dict[str, Any]]:
    """Earlier runs, each slower than the next."""
    earlier = []
    for number in range(runs):
        run = copy.deepcopy(report)
        run["created"] = f"2026-11-{10 + number}T09:00:00Z"
        for record in (run, *run["targets"]):
            for stage in record["stages"]:
                stage["p50"] *= 1.5 - 0.1 * number
        earlier.append(run)
    return earlier


def comparison() -> dict[str, Any]:
    """One stage that became slower, one change."""
    stage = {
        "target": "this machine",
        "model": "cry.onnx",
        "profile": None,
        "stage": "network",
        "layer": None,
        "clock": "wall",
        "unit": "ms",
        "before": 0.103,
        "after": 0.124,
        "before_interval": [0.1, 0.105],
        "after_interval": [0.12, 0.126],
        "ratio": 1.2039,
        "ratio_interval": [1.18, 1.23],
        "p_value": 0.0001,
        "p_adjusted": 0.0004,
        "method": "rounds",
        "same_machine": True,
        "verdict": "slower",
    }
    change = {
        "target": "this machine",
        "of": "cry.onnx",
        "what": "file size",
        "before": 114_793,
        "after": 120_000,
        "before_text": "112 KiB",
        "after_text": "117 KiB",
        "worse": True,
    }
    pair = {
        "report": "new.json",
        "warnings": ["all stages moved alike"],
        "slower": 1,
        "faster": 0,
        "stages": [stage],
        "not_compared": [],
        "changes": [change],
    }
    return {
        "kind": "comparison",
        "schema_version": 1,
        "reports": [{"name": "old.json"}, {"name": "new.json"}],
        "comparisons": [pair],
        "slower": 1,
        "faster": 0,
    }


def crowded() -> dict[str, Any]:
    """Many targets, a board that counts cycles, many gates, classes and layers, long names."""
    report = sample_report.report()
    for name in ("armv7-a7", "cortex-m7", "cortex-m55", "a-board-with-quite-a-long-name.local"):
        board = sample_report.emulated_board()
        board["target"] = name
        board["memory"]["flash_bytes"] += 9_000 * len(name)
        report["targets"].append(board)
    board["machine"].update(kind="board", emulator=None, clock_hz=80_000_000)
    board["stages"] = [
        sample_report.stage("frontend_hop", 61_000.0, profile="babycry", clock="cycles"),
        sample_report.stage("network", 31_000_000.0, model="m", clock="cycles", audio_s=0.48),
    ]
    board["parity"]["feature_hashes"] = sample_report.hashes(2)
    for number in range(30):
        report["stages"].append(
            sample_report.stage(
                "layer",
                0.001 * (number + 1),
                model="cry.tflite",
                audio_s=0.48,
                layer=f"{number} " + "functional_1/a_long_scope/" * 4 + "conv",
                operator="DEPTHWISE_CONV_2D",
            )
        )
        report["gates"].append(
            sample_report.gate("features equal", f"profile {number}", 0, "==", 0, True)
        )
    report["gates"].append(
        {
            **sample_report.gate("process memory", "", 310_000_000, "<=", 268_435_456, False),
            "unit": "bytes",
            "baseline": 60_000_000,
        }
    )
    accuracy = report["accuracy"][0]
    many = copy.deepcopy(accuracy)
    many["model"] = "many.tflite"
    many["classes"] = [f"class number {k}" for k in range(9)]
    for system in ("device", "float"):
        many[system]["confusion"] = [
            [300 if row == column else row * column for column in range(9)] for row in range(9)
        ]
        many[system]["recall"] = {
            name: sample_report.interval(0.9 + 0.01 * k) for k, name in enumerate(many["classes"])
        }
    unlabelled = copy.deepcopy(accuracy)
    unlabelled.update(model="unlabelled.onnx", device=None, float=None, events=None)
    report["accuracy"] += [many, unlabelled]
    return report


def test_what_only_some_reports_hold_is_shown() -> None:
    report = sample_report.report()
    report["targets"][1]["memory"]["stages"][0].update(profile="whisper", ram_bytes=23_456)
    report["accuracy"][0]["data"]["failures"] = [{"recording": "b.wav", "error": "cut short"}]
    report["gates"][1].update(value=None, reason="the baseline has no such place")
    report["stages"].append(sample_report.stage("benchmark", 1.0, profile="test_fft"))
    page = Elements(render(report))
    paths = check_figures(page)
    assert "targets[1].memory.stages[0].ram_bytes" in paths
    text = "".join(page.found[0][2])
    for words in ("whisper", "cut short", "the baseline has no such place", "test_fft"):
        assert words in text


def hostile(node: Any) -> Any:
    """The same report with markup in every string that is free text."""
    kept = {"stage", "clock", "unit", "kind", "operator", "created", "method", "format"}
    if isinstance(node, dict):
        return {
            key: value
            if key in kept and not isinstance(value, (dict, list))
            else {f"{k}{INJECTION}": v for k, v in value.items()}
            if key in ("packages", "operators")
            else hostile(value)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [hostile(value) for value in node]
    return f"{node}{INJECTION}" if isinstance(node, str) else node


def documents(page: Elements) -> dict[str, Any]:
    """The data inside the page by the name that paths begin with; the report's is empty."""
    return {
        attributes["id"].removesuffix("-json"): json.loads("".join(text))
        for tag, attributes, text in page.found
        if tag == "script" and attributes.get("type") == "application/json"
    }


def look_up(data: dict[str, Any], path: str) -> Any:
    """The value at a path, worked out without the page's own code."""
    first = re.match(r"history\b|comparison\b", path)
    node = data[first[0]] if first else data["report"]
    rest = path[first.end() :] if first else path
    position = 0
    while position < len(rest):
        part = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]|\[(\"(?:[^\"\\]|\\.)*\")\]").match(
            rest, position
        )
        assert part is not None, path
        word, index, quoted = part.groups()
        node = node[word if word else int(index) if index else json.loads(quoted)]
        position = part.end()
    return node


def expected_value(data: dict[str, Any], attributes: dict[str, str]) -> Any:
    if "data-sum" in attributes:
        return added_up(data, attributes["data-sum"])
    value = look_up(data, attributes["data-path"])
    if "data-count" in attributes:
        wanted = attributes["data-count"]
        if wanted == "all":
            return len(value)
        return sum(gate["passed"] is json.loads(wanted) for gate in value)
    if "data-over" in attributes:
        value = value / look_up(data, attributes["data-over"])
    if "data-whole" in attributes:
        value = value / added_up(data, attributes["data-whole"])
    return value


def added_up(data: dict[str, Any], terms: str) -> float:
    """The sum of quotients that a figure names."""
    pairs = [term.split(" / ") for term in terms.split(" + ")]
    return float(sum(look_up(data, first) / look_up(data, second) for first, second in pairs))


def unit_at(data: dict[str, Any], path: str) -> str:
    """The unit of the number at a path, as the schema has it."""
    last = re.split(r"[.\[]", path)[-1]
    owner = re.match(r".*(?:stages|points|gates)\[\d+\]", path)
    if owner and "parity" not in path and "memory" not in path:
        record = look_up(data, owner[0])
        within = path[len(owner[0]) + 1 :]
        if re.match(r"(p\d|max|quantiles|rounds|before|after|value|bound|baseline)", within):
            return str(record["unit"])
        if within.startswith("ratio"):
            return ""
    if path.startswith("accuracy") and re.search(
        r"\.(agreement|accuracy|macro_f1|roc_auc|recall)\b", path
    ):
        return "share"
    ends = {
        "_ms": "ms",
        "_s": "s",
        "seconds": "s",
        "_bytes": "bytes",
        "_hz": "Hz",
        "_mhz": "MHz",
        "joules": "J",
        "joules_per_audio_s": "J",
        "duty_cycle": "share",
        "cpu_share": "share",
    }
    if re.search(r"latency_s\.p\d+$", path):
        return "s"
    return next(
        (ends[end] for end in sorted(ends, key=len, reverse=True) if last.endswith(end)), ""
    )


def number_in(text: str, unit: str) -> tuple[float, float]:
    """The number that a figure's words mean, and the step of its last digit."""
    number, _, word = text.replace("\u202f", "").partition("\u00a0")
    assert re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", number), text
    mantissa, _, exponent = number.partition("e")
    digits = len(mantissa.partition(".")[2])
    factor = FACTORS[unit][word] if unit in FACTORS and number != "0" else 1.0
    return float(number) * factor, factor * 10.0 ** (int(exponent or 0) - digits)


def check_figures(page: Elements) -> set[str]:
    """Every figure's value is the JSON's, and its words say that value; the paths."""
    data = documents(page)
    paths = set()
    for tag, attributes, text in page.found:
        if "data-value" not in attributes:
            continue
        path = attributes.get("data-path") or attributes["data-sum"].split(" / ")[0]
        words = "".join(text)
        paths.add(path)
        value = json.loads(attributes["data-value"])
        expected = expected_value(data, attributes)
        if isinstance(expected, float):
            assert value == pytest.approx(expected, rel=1e-12)
        else:
            assert value == expected
        if tag != "span":
            continue
        if isinstance(value, bool):
            assert words == ("yes" if value else "no")
        elif isinstance(value, str):
            assert words == value
        else:
            is_share = "data-whole" in attributes or words.endswith("%")
            meant, step = number_in(words, "share" if is_share else unit_at(data, path))
            assert math.isclose(meant, value, rel_tol=1e-9, abs_tol=0.51 * step), (path, words)
    return paths


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium_page(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture(
    scope="module", params=["sample", "crowded", "hostile", "bare"], ids=lambda name: str(name)
)
def page(request: pytest.FixtureRequest) -> str:
    report = crowded() if request.param == "crowded" else sample_report.report()
    if request.param == "hostile":
        report = hostile(report)
        return render(report, past(report), hostile(comparison()))
    if request.param == "bare":
        for key in ("accuracy", "energy"):
            del report[key]
        report.update(targets=[], models=[], stages=[], memory={}, parity={}, gates=[], passed=True)
        return render(report)
    return render(report, past(report), comparison())


def test_every_figure_is_that_of_the_json(page: str) -> None:
    check_figures(Elements(page))


def test_what_a_signature_needs_is_there() -> None:
    report = sample_report.report()
    page = Elements(render(report, past(report), comparison()))
    paths = check_figures(page)
    for index, stage in enumerate(report["stages"]):
        for key in ("p50", "p50_interval", "quantiles", "max"):
            place = f"stages[{index}].{key}"
            shown_here = any(path == place or path.startswith(f"{place}[") for path in paths)
            assert shown_here or (stage["stage"] == "layer" and key not in ("p50",)), place
    for target, record in enumerate(report["targets"]):
        for index in range(len(record["stages"])):
            assert f"targets[{target}].stages[{index}].p50" in paths
        for key in ("flash_bytes", "ram_bytes", "stack_bytes", "peak_rss_bytes"):
            assert (f"targets[{target}].memory.{key}" in paths) == (key in record["memory"])
    for index, gate in enumerate(report["gates"]):
        assert (f"gates[{index}].value" in paths) == (gate["value"] is not None)
    for part in ("agreement.value", "device.accuracy.low", "float.roc_auc.value", "drift.p95"):
        assert f"accuracy[0].{part}" in paths
    for part in ("misses", "false_alarms_per_hour.high", "latency_s.p95", "at_recall.threshold"):
        assert f"accuracy[0].events.{part}" in paths
    assert "accuracy[0].device.confusion[1][0]" in paths
    assert "accuracy[0].device.recall.cry.value" in paths
    assert "history[0].points[0].p50" in paths
    assert "comparison.comparisons[0].stages[0].ratio" in paths
    assert "energy.joules" in paths


COLUMNS = {
    "p50": r"p50",
    "p50 (95 % interval)": r"p50|p50_interval\[[01]\]",
    "p90": r"p90",
    "p95": r"p95",
    "p99": r"p99",
    "max": r"max",
    "Calls": r"count",
    "Warm-up": r"warmup",
    "New audio": r"audio_s",
    "RTF p50": r"real_time_factor\.p50",
    "RTF p95": r"real_time_factor\.p95",
    "RTF max": r"real_time_factor\.max",
    "Duty cycle": r"duty_cycle",
    "CPU share": r"cpu_share",
    "Flash": r"flash_bytes",
    "Static RAM": r"ram_bytes",
    "Stack": r"stack_bytes",
    "Process memory": r"peak_rss_bytes",
    "Threads": r"threads",
    "Size": r"size_bytes",
    "Lowest SNR": r"min_snr_db",
    "Largest error": r"max_error_db",
    "Windows": r"windows",
    "Differ": r"mismatches",
    "At most": r"max_difference",
    "Score error": r"max_score_error",
    "Tolerance": r"tolerance",
    "Energy": r"joules",
    "Over": r"seconds",
    "Before": r"before",
    "After": r"after",
    "Float": r"reference",
    "Device": r"device",
}


def test_every_figure_stands_under_its_heading_and_beside_its_name() -> None:
    page = render(crowded(), past(crowded()), comparison())
    data = documents(Elements(page))
    checked = set()
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        headings = [
            html.unescape(text) for text in re.findall(r'<th scope="col"[^>]*>(.*?)</th>', table)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL):
            cells = re.findall(r"<t[hd][^>]*>.*?</t[hd]>", row, re.DOTALL)
            assert len(cells) == len(headings)
            words = html.unescape(re.sub(r"<[^>]+>", "", cells[0]))
            for heading, cell in zip(headings, cells, strict=True):
                for path in re.findall(r'data-path="(.*?)"', cell):
                    if heading in COLUMNS:
                        assert re.search(rf"(^|\.)({COLUMNS[heading]})$", path), (heading, path)
                        checked.add(heading)
                    own = html.unescape(re.sub(r"<[^>]+>", "", cell))
                    check_row(data, f"{words} {own}", path)
    assert checked == set(COLUMNS)
    for row in re.findall(r'<div class="row">.*?</div>', page, re.DOTALL):
        name = re.sub(r"<[^>]+>", "", row[: row.index('<span class="value">')])
        if "data-share" in row:  # whose front-end may have been measured without the model
            name += "babycry"
        for path in re.findall(r'data-path="(.*?)"', row):
            check_row(data, html.unescape(name), html.unescape(path))


def check_row(data: dict[str, Any], words: str, path: str) -> None:
    """A row that shows a figure of a stage, model or target names it."""
    stage = re.match(r"(.*?stages\[\d+\])\.", path)
    if stage and "memory" not in path and "parity" not in path:
        record = look_up(data, stage[1])
        if record["stage"] == "layer":
            assert record["layer"][-12:] in words
        else:
            assert (record["model"] or record["profile"]) in words, (path, words)
    target = re.match(r"(targets\[\d+\])\.memory", path)
    if target:
        assert look_up(data, target[1])["target"] in words


def test_the_verdict_comes_first_and_names_what_failed() -> None:
    page = render(sample_report.report())
    verdict = page[page.index('id="verdict"') : page.index('id="measured"')]
    text = re.sub(r"<[^>]+>", "", verdict)
    assert "FAILED" in text and "PASSED" not in text
    assert "first divergence (cry.tflite): layer, must be" in text
    assert "First divergence: in the layer blocks.3.pointwise" in text
    assert "3.1 %" in text
    assert "CPU governor" in text


def test_a_passed_report_says_so() -> None:
    report = sample_report.report()
    report["gates"] = [gate for gate in report["gates"] if gate["passed"] is not False]
    report["parity"]["divergence"] = report["parity"]["divergence"][:1]
    report["passed"] = True
    page = render(report)
    assert ">PASSED<" in page and "FAILED" not in page and "First divergence:" not in page


def test_counts_of_an_emulator_never_share_an_axis_with_time() -> None:
    page = render(crowded())
    data = documents(Elements(page))
    for plot in re.findall(r"<figure.*?</figure>", page, re.DOTALL):
        units = {
            look_up(data, path.rpartition(".")[0])["unit"]
            for path in re.findall(r'data-path="([^"]*stages\[\d+\]\.p50)"', plot)
        }
        assert len(units) <= 1
        if units == {"instructions"}:
            title = plot[: plot.index("</figcaption>")]
            assert "instructions, emulated" in title
            assert re.search(r"\d\u00a0(ns|\u00b5s|ms|s)\b", plot) is None


def test_nothing_of_the_page_comes_from_elsewhere(page: str) -> None:
    elements = Elements(page)
    scripts = [a for tag, a, _ in elements.found if tag == "script" and "type" not in a]
    assert len(scripts) == 1
    for tag, attributes, _ in elements.found:
        assert tag not in {"img", "iframe", "object", "embed", "base", "form", "image", "use"}
        assert not any(name.startswith("on") for name in attributes), attributes
        for name in ("src", "href", "srcset", "action", "data"):
            assert attributes.get(name, "#")[:1] == "#" or attributes[name] == "data:,"
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style and "@import" not in style


def test_a_document_is_embedded_whole() -> None:
    report = hostile(sample_report.report())
    page = render(report)
    assert documents(Elements(page))["report"] == report


def test_what_is_no_number_becomes_null() -> None:
    report = sample_report.report()
    report["gates"][2]["value"] = math.nan
    page = render(report)
    assert "NaN" not in page and "nothing found" in page


def test_every_plot_and_table_has_a_title() -> None:
    page = Elements(render(crowded(), past(crowded()), comparison()))
    for tag, attributes, text in page.found:
        if tag in ("caption", "figcaption", "h1", "h2", "h3", "th", "summary"):
            assert "".join(text).strip(), (tag, attributes)
        if tag == "svg":
            assert attributes.get("aria-hidden") == "true" or attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
    levels = [int(tag[1]) for tag, _, _ in page.found if tag in ("h1", "h2", "h3")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [attributes["id"] for _, attributes, _ in page.found if "id" in attributes]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.0217, "ms", "21.7 \u00b5s"),
        (0.0006, "ms", "600 ns"),
        (1234.5, "ms", "1.23 s"),
        (41_000.0, "instructions", "41.0 k"),
        (9_123_456.0, "instructions", "9.12 M"),
        (117.0, "instructions", "117"),
        (48_300, "bytes", "47.2 KiB"),
        (512, "bytes", "512 B"),
        (0.948, "share", "94.8 %"),
        (1.0, "share", "100 %"),
        (3e-6, "dB", "3.00e-6 dB"),
        (1200, "count", "1\u202f200"),
        (0, "bytes", "0"),
        (True, "", "yes"),
        (float("nan"), "ms", "\u2013"),
    ],
)
def test_figures_in_words(value: Any, unit: str, words: str) -> None:
    assert shown(value, unit).replace("\u00a0", " ") == words


def test_a_bound_has_no_zeros_behind_it() -> None:
    assert trimmed(0.5, "") == "0.5"
    assert trimmed(120.0, "dB") == "120\u00a0dB"
    assert trimmed(268_435_456, "bytes") == "256\u00a0MiB"


def test_places_name_themselves() -> None:
    place = Place({"a": [{"b c": 1}]})
    assert place["a"][0]["b c"].path == 'a[0]["b c"]'
    assert place["a"][0]["b c"].value == 1
    assert place.get("missing") is None and place.rows("missing") == []


def test_axes_have_round_marks_and_hold_their_values() -> None:
    axis = linear_axis([0.0, 58_112.0], "bytes")
    assert [tick / 1024 for tick in axis.ticks()] == [0, 20, 40]
    assert log_axis([0.0006, 2.6], "ms").ticks() == pytest.approx([0.001, 0.01, 0.1, 1.0])
    assert Axis(1.0, 100.0, "ms", log=True).at(10.0) == 50.0
    assert Axis(0.0, 10.0, "").at(20.0) == 100.0
    for low, high in ((1e-5, 1e4), (3.0, 4.0), (0.9, 1.1), (7.0, 7.0)):
        ticks = log_axis([low, high], "").ticks()
        assert 2 <= len(ticks) <= 7


def test_marks_stand_where_their_figures_are() -> None:
    points = [[0.25, 0.5], [1.0, 0.0]]
    report = sample_report.report()
    report["accuracy"][0]["scatter"] = points
    page = Elements(render(report))
    start = next(
        index
        for index, (_, attributes, _) in enumerate(page.found)
        if attributes.get("data-path") == "accuracy[0].scatter"
    )
    marks = [(a["cx"], a["cy"]) for _, a, _ in page.found[start + 1 : start + 3]]
    assert marks == [("25.000%", "50.000%"), ("100.000%", "100.000%")]
    shares = [float(a["data-share"]) for _, a, _ in page.found if "data-share" in a]
    costs = [0.21 / 7, 0.35 / 7, 0.0006 / 0.02, 0.103 / 0.48, 0.011 / 7]
    assert shares[:5] == pytest.approx([cost / sum(costs) for cost in costs], abs=1e-6)


def test_the_browser_shows_the_json_and_asks_for_nothing(
    browser: Page, page: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    for width in (320, 390, 1280):
        browser.look(width)
        browser.open(file)
        assert browser.complaints == []
        # Chromium itself names the page's own icon, which is empty.
        assert [u for u in browser.requests if not u.startswith("data:")] == [file.as_uri()]
        wide = browser.evaluate("document.documentElement.scrollWidth")
        assert wide <= browser.evaluate("document.documentElement.clientWidth")
        assert browser.evaluate("document.body.scrollHeight") > 400
    dumped = Elements(browser.evaluate("document.documentElement.outerHTML"))
    written = Elements(page)
    figures = [a for _, a, _ in written.found if "data-path" in a]
    assert sorted(a["data-path"] for _, a, _ in dumped.found if "data-path" in a) == sorted(
        a["data-path"] for a in figures
    )
    check_figures(dumped)


def test_gates_can_be_filtered_and_sorted(browser: Page, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(render(crowded()), encoding="utf-8")
    browser.look(1280)
    browser.open(file)
    visible = "[...document.querySelectorAll('table.gates tbody tr')].filter(r => !r.hidden)"
    assert browser.evaluate(f"{visible}.length") == 35
    select = "document.querySelector('.controls select')"
    browser.evaluate(f"{select}.value = 'fail'; {select}.dispatchEvent(new Event('change'))")
    assert browser.evaluate(f"{visible}.map(r => r.cells[0].textContent)") == ["FAIL", "FAIL"]
    browser.evaluate(f"{select}.value = ''; {select}.dispatchEvent(new Event('change'))")
    words = "document.querySelector('.controls input')"
    browser.evaluate(f"{words}.value = 'profile 7'; {words}.dispatchEvent(new Event('input'))")
    assert browser.evaluate(f"{visible}.length") == 1
    browser.evaluate(f"{words}.value = ''; {words}.dispatchEvent(new Event('input'))")
    browser.evaluate("document.querySelectorAll('.gates .sort')[2].click()")
    values = browser.evaluate(
        f"{visible}.map(r => r.cells[2].querySelector('[data-value]')?.dataset.value)"
    )
    numbers = [float(v) for v in values if v and not v.startswith('"')]
    assert numbers == sorted(numbers) and len(numbers) == 32
    heading = "document.querySelectorAll('.gates thead th')[2].getAttribute('aria-sort')"
    assert browser.evaluate(heading) == "ascending"
    assert browser.complaints == []


def test_the_json_can_be_saved(browser: Page, tmp_path: Path) -> None:
    report = hostile(sample_report.report())
    file = tmp_path / "report.html"
    file.write_text(render(report), encoding="utf-8")
    browser.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.open(file)
    browser.evaluate("document.querySelector('#download + button').click()")
    saved = tmp_path / "bench.json"
    for _ in range(200):
        if saved.exists():
            break
        time.sleep(0.05)
    assert json.loads(saved.read_text(encoding="utf-8")) == report
    assert browser.complaints == []


def test_a_script_inside_a_report_would_not_run(browser: Page, tmp_path: Path) -> None:
    """The page's own policy, should an escape ever be forgotten."""
    page = render(sample_report.report())
    leaky = page.replace("<main>", "<main><script>window.ran = 1</script><img src=x onerror=f()>")
    file = tmp_path / "report.html"
    file.write_text(leaky, encoding="utf-8")
    browser.open(file)
    assert browser.evaluate("typeof window.ran") == "undefined"
    assert browser.evaluate("document.querySelectorAll('.controls').length") == 1
    assert len(browser.complaints) >= 2


def test_words_stand_out_from_the_paper(browser: Page, tmp_path: Path) -> None:
    """Contrast of all text at least 4.5 to 1 (WCAG AA), in light and dark."""
    file = tmp_path / "report.html"
    file.write_text(render(crowded(), past(crowded()), comparison()), encoding="utf-8")
    for dark in (False, True):
        browser.look(1280, dark=dark)
        browser.open(file)
        browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        low = browser.evaluate(_CONTRAST)
        assert low == []


_CONTRAST = """
(() => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const pixel = colours => {
    context.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      context.fillStyle = colour;
      context.fillRect(0, 0, 1, 1);
    }
    return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(v => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const seen = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const low = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('script, title, .sr')) continue;
    const style = getComputedStyle(element);
    const ink = element.closest('svg') ? style.fill : style.color;
    const papers = [];
    for (let e = element; e; e = e.parentElement)
      papers.unshift(getComputedStyle(e).backgroundColor);
    const key = [ink, ...papers].join();
    if (!seen.has(key)) {
      const [a, b] = [light(pixel([...papers, ink])), light(pixel(papers))];
      seen.set(key, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    if (seen.get(key) < 4.5)
      low.push(`${element.tagName}.${element.className}: ${seen.get(key).toFixed(2)}`);
  }
  return low.slice(0, 10);
})()
"""
