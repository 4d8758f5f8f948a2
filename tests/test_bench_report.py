"""The report on the screen."""

import io
from pathlib import Path
from typing import Any

import pytest

from sample_report import gate, model, report, stage

pytest.importorskip("rich", reason="pip install 'babycry-edge[bench]'")

from babycry_bench.gates.places import ABSENT
from babycry_bench.gates.verdict import NO_BASELINE
from babycry_bench.reports.terminal import print_report

Record = dict[str, Any]


def printed(document: Record, width: int = 100, page: Path | None = None) -> str:
    file = io.StringIO()
    print_report(document, file, page, width)
    return file.getvalue()


def flat(text: str) -> str:
    """``text`` on one line, as if nothing had been wrapped."""
    return " ".join(text.split())


def with_models(names: list[str], milliseconds: float) -> Record:
    document = report()
    document["models"] = [model(name, "onnxruntime") for name in names]
    document["stages"] = [
        stage(title, milliseconds, model=name, audio_s=7.0)
        for name in names
        for title in ("frontend_hop", "frontend_window", "frontend_clip", "network", "pipeline")
    ]
    document["accuracy"] = [{**document["accuracy"][0], "model": name} for name in names]
    return document


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize(
    "names", [["cry.onnx", "cry.tflite"], ["n" * 70 + ".onnx", "m" * 70], ["a", "b", "c", "d", "e"]]
)
@pytest.mark.parametrize("milliseconds", [0.0001, 12345.678])
def test_the_tables_fit_the_terminal(width: int, names: list[str], milliseconds: float) -> None:
    document = with_models(names, milliseconds)
    document["machine"]["cpu"] = (
        "A Processor With A Name As Long As Vendors Like Them (R) (TM) " * 2
    )
    document["targets"][0]["target"] = "riscv64-a-board-of-a-vendor-with-a-name"
    document["warnings"] = ["words " * 40, "x" * 150]
    text = printed(document, width)
    assert max(map(len, text.splitlines())) <= width


def test_a_width_beyond_100_columns_is_not_used() -> None:
    assert max(map(len, printed(report(), 200).splitlines())) <= 100


@pytest.mark.parametrize("width", [80, 100])
def test_numbers_stay_whole_on_a_narrow_terminal(width: int) -> None:
    text = printed(with_models(["cry.onnx", "cry.tflite"], 123.456), width)
    assert text.count("123.456") == 5 * 2


def test_every_section_is_there_in_order() -> None:
    text = printed(report())
    titles = [
        "Latency", "Targets", "Cold start and footprint", "Energy", "Accuracy on recordings",
        "Gates", "note: ", "failed: ", "FAILED",
    ]  # fmt: skip
    places = [text.index(f" {title}") for title in titles]
    assert places == sorted(places)


def test_emulated_counts_are_instructions_and_never_time() -> None:
    text = printed(report())
    (board,) = (line for line in text.splitlines() if "cortex-m4f" in line)
    assert "33500 instr" in board
    assert "ms" not in board
    assert " us" not in board
    document = report()
    document["stages"] = document["targets"][1]["stages"]
    text = printed({**document, "targets": []})
    assert "p50 instr" in text
    assert "p50 ms" not in text
    assert "RTF" not in text


def test_a_target_is_one_line_with_parity_flash_ram_and_stack() -> None:
    lines = printed(report()).splitlines()
    (board,) = (line for line in lines if "cortex-m4f" in line)
    assert "exact (2)" in board
    assert board.split()[-8:] == ["47", "KiB", "60", "KiB", "57", "KiB", "1204", "B"]
    (linux,) = (line for line in lines if "aarch64-a53" in line)
    assert "exact (3)" in linux
    assert "9.1 M instr" in linux


def test_a_target_is_one_line_on_80_columns_as_well() -> None:
    lines = printed(report(), 80).splitlines()
    (header,) = (line for line in lines if line.startswith(" Targets"))
    assert header.split()[-5:] == ["hop", "inference", "flash", "RAM", "stack"]
    (board,) = (line for line in lines if "cortex-m4f" in line)
    assert board.split()[-6:] == ["47", "KiB", "60", "KiB", "1204", "B"]


def test_a_target_that_differs_says_so_and_in_what() -> None:
    document = report()
    document["targets"][1]["parity"]["streaming"]["profiles"][0]["mismatches"] = 3
    document["targets"][0]["parity"] = {}
    lines = printed(document).splitlines()
    board = next(number for number, line in enumerate(lines) if "cortex-m4f" in line)
    assert "DIFFERS: streaming" in lines[board]
    assert lines[board + 1].split() == ["3"]
    assert "not checked" in next(line for line in lines if "aarch64-a53" in line)


def test_working_memory_and_stack_are_those_of_the_front_end_that_is_shown() -> None:
    document = report()
    document["targets"][1]["memory"]["stages"] = [
        {"stage": "frontend_clip", "profile": "babycry", "stack_bytes": 1, "ram_bytes": 1},
        {"stage": "frontend_hop", "profile": "librosa", "stack_bytes": 2, "ram_bytes": 2},
        {"stage": "frontend_hop", "profile": "babycry", "stack_bytes": 333, "ram_bytes": 4444},
    ]
    (board,) = (line for line in printed(document).splitlines() if "cortex-m4f" in line)
    assert board.split()[-4:] == ["4444", "B", "333", "B"]


def test_of_many_layers_the_slowest_are_shown() -> None:
    text = printed(report())
    shown = [line.split()[1] for line in text.splitlines() if line.startswith("   layer")]
    assert shown == ["0", "1", "2"]
    assert "(3 faster layers)" in text


def test_accuracy_comes_with_its_intervals() -> None:
    text = printed(report())
    assert "94.8 % [92.8, 95.8]" in text
    assert "4.00 [1.50, 8.70]" in text
    assert "9 of 120" in text
    assert "1200 recordings, 1191 labelled, 2.2 h, 1 could not be read" in flat(text)


def test_accuracy_without_labels_has_no_rows_for_them() -> None:
    document = report()
    document["accuracy"][0].update(device=None, float=None, events=None)
    text = printed(document)
    assert "same answer as the float pipeline" in text
    assert "macro-F1" not in text
    assert "events" not in text


def test_every_failed_gate_is_named_with_value_and_bound_before_the_verdict() -> None:
    document = report()
    document["gates"] = [gate("int8 vs float", "cry.onnx", 0.2, "<=", 0.1, False)]
    *_, failed, verdict = printed(document).splitlines()
    assert failed == " failed: int8 vs float (cry.onnx): 0.2, bound <= 0.1"
    assert verdict == " FAILED  0 checks passed, 1 failed, 0 skipped"


def test_a_gate_that_failed_for_want_of_a_value_says_so() -> None:
    document = report()
    absent = gate("int8 vs float", "", None, "<=", 0.1, False)
    document["gates"] = [{**absent, "reason": "the report has nothing there"}]
    assert "failed: int8 vs float: the report has nothing there" in printed(document)


def test_the_diverging_layer_is_named() -> None:
    text = flat(printed(report()))
    assert "cry.tflite diverges at layer blocks.3.pointwise: " in text
    assert "cry.onnx diverges" not in text


@pytest.mark.parametrize(
    ("operator", "values", "shown", "hidden"),
    [
        ("<=", (0.0125, 0.0375), "0.0375", "0.0125"),
        (">=", (138.2, 121.5), "122", "138"),
    ],
)
def test_the_worst_value_of_a_gate_is_shown(
    operator: str, values: tuple[float, float], shown: str, hidden: str
) -> None:
    document = report()
    document["accuracy"] = []
    document["parity"]["divergence"] = []
    document["gates"] = [gate("g", str(n), v, operator, 120.0, True) for n, v in enumerate(values)]
    (line,) = (line for line in printed(document).splitlines() if line.startswith("   g "))
    assert shown in line.split()
    assert hidden not in line


def test_a_skipped_gate_is_shown_with_its_reason() -> None:
    document = report()
    document["gates"] = [gate("librosa", "", None, "<=", 0.1, None)]
    document["passed"] = True
    text = printed(document)
    assert "1 gates skipped: librosa not installed" in text
    assert text.splitlines()[-1] == " PASSED  0 checks passed, 0 failed, 1 skipped"


def test_warnings_of_targets_are_shown_with_their_name() -> None:
    document = report()
    document["targets"][1]["warnings"] = ["the line was noisy"]
    assert "note: cortex-m4f: the line was noisy" in printed(document)


def test_the_last_line_is_the_path_of_the_page_whole() -> None:
    page = Path("a folder", "x" * 120, "report.html")
    assert printed(report(), page=page).splitlines()[-1] == f" report: {page}"


def test_the_smallest_report_can_be_shown() -> None:
    document = report()
    for name in ("energy", "accuracy"):
        del document[name]
    document.update(models=[], stages=[], targets=[], gates=[], warnings=[], created=None)
    document["machine"] = dict.fromkeys(document["machine"], None)
    document["parity"], document["memory"] = {}, {}
    assert printed(document).splitlines()[-1].startswith(" FAILED")


def test_no_line_ends_in_blanks_and_none_has_colour_codes_in_a_file() -> None:
    text = printed(report())
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "\x1b" not in text


def test_names_in_brackets_are_no_markup() -> None:
    document = report()
    document["warnings"] = ["[bold]loud[/bold] :warning:"]
    document["targets"][0]["target"] = "[red]board"
    text = printed(document)
    assert "[bold]loud[/bold] :warning:" in text
    assert "[red]board" in text


def test_gates_that_nobody_asked_for_are_a_note_and_no_lines() -> None:
    shown = report()
    shown["gates"] = [
        {**shown["gates"][3], "gate": "no slower", "skipped": NO_BASELINE},
        {**shown["gates"][3], "gate": "agreement", "skipped": ABSENT},
        shown["gates"][2],
    ]
    text = flat(printed(shown))
    assert "no slower" not in text
    assert "agreement" not in text
    assert f"1 gates skipped: {ABSENT}" in text
    assert f"1 gates skipped: {NO_BASELINE}" in text
    assert "1 checks passed, 0 failed, 2 skipped" in text
