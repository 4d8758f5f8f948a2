"""The report of every emulated target as the table in ``docs/bench-boards.md``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from babycry_bench.reports.markdown_table import table
from babycry_bench.reports.quantity_text import NOTHING, duration, size
from babycry_bench.reports.target_summary import summarize

PROFILE = "babycry"
COLUMNS = (
    "target",
    "parity",
    f"one hop, {PROFILE}",
    "inference, TFLite",
    "inference, ONNX",
    "flash",
    "static RAM",
    "stack",
)

Record = Mapping[str, Any]


def targets_table(report: Record) -> str:
    """The table of ``report`` with the date and the machine that emulated."""
    rows = [_row(record) for record in report["targets"]]
    machine, created = report["machine"], str(report["created"])[:10]
    emulators = sorted({_version(record["machine"]["emulator"]) for record in report["targets"]})
    return (
        f"{created}, {', '.join(emulators)} on {machine['cpu']}. Counts are instructions, medians "
        "of the calls; those of Python targets include Python's own.\n\n"
        f"{table(COLUMNS, rows)}\n"
    )


def _row(record: Record) -> list[str]:
    memory = record["memory"]
    hop = _stage(record, "frontend_hop", PROFILE)
    return [
        record["target"],
        summarize(record).parity,
        _count(hop),
        *(_count(_network(record, suffix)) for suffix in (".tflite", ".onnx")),
        size(memory.get("flash_bytes")),
        size(memory.get("ram_bytes")),
        size(memory.get("stack_bytes")),
    ]


def _stage(record: Record, name: str, profile: str) -> Record | None:
    """That of the profile; of a model, whose front-end is the profile's, the first."""
    stages = [stage for stage in record["stages"] if stage["stage"] == name]
    named = [stage for stage in stages if stage["profile"] == profile]
    return next(iter(named or [stage for stage in stages if stage["model"]]), None)


def _network(record: Record, suffix: str) -> Record | None:
    stages = (stage for stage in record["stages"] if stage["stage"] == "network")
    return next((stage for stage in stages if str(stage["model"]).endswith(suffix)), None)


def _count(stage: Record | None) -> str:
    return NOTHING if stage is None else duration(stage["p50"], stage["unit"])


def _version(emulator: str | None) -> str:
    """Without the command and the core: "qemu 7.2.22"."""
    found = re.search(r"\d+(\.\d+)+", emulator or "")
    return f"qemu {found[0]}" if found else "no emulator"
