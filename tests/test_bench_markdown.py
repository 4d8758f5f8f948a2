"""The report as a comment on a pull request."""

import re
from typing import Any

import pytest

from babycry_bench.comparison.compare import compare
from babycry_bench.reports.markdown import render_markdown
from babycry_bench.reports.markdown_table import escaped, table
from sample_report import gate, report


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table behind ``heading``, header first, its rule left out."""
    lines = text[text.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    found = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return [found[0], *found[2:]]


def test_the_verdict_comes_first_then_what_failed() -> None:
    text = render_markdown(report())
    assert text.startswith("## babycry-edge bench: FAILED\n\n2 checks passed, **1 failed**")
    failed, latency = text.index("### Failed"), text.index("### Latency")
    assert failed < latency
    assert "- **first divergence (cry.tflite)**: 'layer', bound == 'none'" in text[failed:latency]
    assert "cry.tflite diverges at layer blocks.3.pointwise" in text[failed:latency]


def test_a_report_that_passed_has_no_list_of_failures() -> None:
    document = report()
    document["gates"] = [gate("g", "", 0, "==", 0, True)]
    document["parity"]["divergence"] = []
    text = render_markdown({**document, "passed": True})
    assert text.startswith("## babycry-edge bench: PASSED\n")
    assert "### Failed" not in text


@pytest.mark.parametrize(
    ("heading", "columns"),
    [
        ("### Latency", 8), ("### Targets", 9), ("### Cold start", 5), ("### Accuracy", 2),
        ("<details>", 4),
    ],
)  # fmt: skip
def test_every_row_of_a_table_has_its_columns(heading: str, columns: int) -> None:
    document = report()
    document["models"][0]["model"] = "a|b\nc"
    document["targets"][0]["target"] = "board | two"
    document["gates"][0]["name"] = "g | h"
    found = rows(render_markdown(document), heading)
    assert {len(row) for row in found} == {columns}
    assert len(found) > 1


def test_emulated_counts_are_instructions() -> None:
    (board,) = (
        row for row in rows(render_markdown(report()), "### Targets") if row[0] == "cortex-m4f"
    )
    assert board[1:4] == ["exact (2)", "babycry", "33500 instr"]
    assert board[5:] == ["47 KiB", "60 KiB", "57 KiB", "1204 B"]


def test_without_targets_and_recordings_there_are_no_tables_of_them() -> None:
    document = report()
    document["targets"] = []
    del document["accuracy"]
    text = render_markdown(document)
    assert "### Targets" not in text
    assert "### Accuracy" not in text


def test_a_comparison_stands_before_the_figures() -> None:
    after = report()
    for stage in after["stages"]:
        if stage["stage"] == "pipeline":
            stage["p50"] *= 1.2
            stage["rounds"] = [value * 1.2 for value in stage["rounds"]]
    text = render_markdown(after, compare([report(), after], ["base.json", "this run"]))
    place = text.index("### 2 stages slower")
    assert text.index("### Failed") < place < text.index("### Latency")
    assert "this run (2026-11-21T11:05:00Z, 0123abc) against base.json" in text


def test_warnings_close_the_comment() -> None:
    assert render_markdown(report()).endswith("- CPU governor is 'powersave': timings may wander\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", r"a\|b"),
        ("two\nlines", "two lines"),
        ("`code` *bold* _it_", r"\`code\` \*bold\* \_it\_"),
        ("<script>", r"\<script\>"),
        ("R&D &lt;", "R&amp;D &amp;lt;"),
        ("[link](x) #1 @a", r"\[link\](x) \#1 @a"),
        ("back\\slash|", r"back\\slash\|"),
    ],
)
def test_escaping(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_a_table_without_rows_is_a_header() -> None:
    empty: list[list[Any]] = []
    assert table(("a", "b"), empty) == "| a | b |\n|---|---:|"
