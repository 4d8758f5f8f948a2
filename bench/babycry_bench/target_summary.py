"""One target in a few words: whether its answers are right, what it counts, what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from babycry_bench.quantity_text import NOTHING, duration, size

Record = Mapping[str, Any]


@dataclass(frozen=True)
class TargetSummary:
    """Texts for one line of a table; ``differs`` is None where nothing was checked."""

    name: str
    differs: bool | None
    parity: str
    hop: str
    network: str
    flash: str
    ram: str
    stack: str


def summarize(record: Record) -> TargetSummary:
    """The line of one record. Figures are the first front-end's and the first network's."""
    memory = record["memory"]
    findings = list(_findings(record["parity"]))
    wrong = [text for text, is_right in findings if not is_right]
    checked = ", ".join(dict.fromkeys(text for text, _ in findings))
    return TargetSummary(
        name=record["target"],
        differs=bool(wrong) if findings else None,
        parity=f"DIFFERS: {', '.join(wrong)}" if wrong else checked or "not checked",
        hop=_median_of(record, "frontend_hop"),
        network=_median_of(record, "network"),
        flash=size(memory.get("flash_bytes")),
        ram=size(memory.get("ram_bytes", memory.get("peak_rss_bytes"))),
        stack=size(memory.get("stack_bytes")),
    )


def _findings(parity: Record) -> Iterator[tuple[str, bool]]:
    """What was checked, and whether it is right."""
    for part, name in (("feature_hashes", "features"), ("streaming", "stream")):
        profiles = parity.get(part, {}).get("profiles")
        if profiles is not None:
            wrong = sum(profile["mismatches"] for profile in profiles)
            yield f"{name} {wrong}" if wrong else name, not wrong
    golden = [found for found in parity.get("golden", []) if "passed" in found]
    if golden:
        yield "golden", all(found["passed"] for found in golden)
    scores = parity.get("scores", [])
    if scores:
        wrong = sum(found["mismatches"] for found in scores)
        yield f"scores {wrong}" if wrong else "scores", not wrong
    for found in parity.get("divergence", []):
        if found["stage"] != "none":
            yield f"{found['stage']} {found['where']}".rstrip(), False


def _median_of(record: Record, name: str) -> str:
    for stage in record["stages"]:
        if stage["stage"] == name:
            return duration(stage["p50"], stage["unit"])
    return NOTHING


def divergence_lines(report: Record) -> list[str]:
    """A sentence for every model whose answer leaves the reference's, here or on a target."""
    lines = []
    for record in (report, *report["targets"]):
        target = "" if record is report else f"{record['target']}: "
        for found in record["parity"].get("divergence", []):
            if found["stage"] != "none":
                where = f"{found['stage']} {found['where']}".rstrip()
                lines.append(f"{target}{found['model']} diverges at {where}: {found['detail']}")
    return lines
