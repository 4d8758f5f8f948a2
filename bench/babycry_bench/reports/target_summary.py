"""One target in a few words: whether its answers are right, what it counts, what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from babycry_bench.reports.quantity_text import NOTHING, duration, size

Record = Mapping[str, Any]


@dataclass(frozen=True)
class TargetSummary:
    """Texts for one line of a table.

    Attributes:
        name: of the target.
        differs: whether an answer is another one than here; None where nothing was checked.
        parity: the verdict, with the number of parts that were checked, or what differs.
        frontend: whose hop, working memory and stack the line gives.
        hop: one hop of the front-end, in the unit of its clock.
        inference: one window of the first network.
        flash: of the firmware.
        ram: static RAM of the firmware; the peak of a process.
        working_ram: what that front-end asks its caller for.
        stack: deepest use.
    """

    name: str
    differs: bool | None
    parity: str
    frontend: str
    hop: str
    inference: str
    flash: str
    ram: str
    working_ram: str
    stack: str

    @property
    def figures(self) -> list[str]:
        """All but name and parity, in the order of ``COLUMNS``."""
        return [
            self.frontend, self.hop, self.inference, self.flash, self.ram, self.working_ram,
            self.stack,
        ]  # fmt: skip


PROFILE = "babycry"
"""The front-end of the bundled detector: of targets without a model its figures are shown."""

COLUMNS = ("front-end", "hop", "inference", "flash", "RAM", "work RAM", "stack")


def summarize(record: Record) -> TargetSummary:
    """The line of one record. Figures are those of the front-end ``PROFILE``, else the first one's,
    and of the first network."""
    memory = record["memory"]
    findings = list(_findings(record["parity"]))
    wrong = [text for text, is_right in findings if not is_right]
    exact = f"exact ({len(findings)})"
    hop = _first(record["stages"], "frontend_hop", PROFILE) or _first(
        record["stages"], "frontend_hop"
    )
    network = _first(record["stages"], "network")
    used = _first(memory.get("stages", []), "frontend_hop", (hop or {}).get("profile"))
    working_ram = (used or {}).get("ram_bytes", memory.get("frontend_ram_bytes"))
    return TargetSummary(
        name=record["target"],
        differs=bool(wrong) if findings else None,
        parity=f"DIFFERS: {', '.join(wrong)}" if wrong else exact if findings else "not checked",
        frontend=NOTHING if hop is None else hop["profile"] or hop["model"] or NOTHING,
        hop=_median_of(hop),
        inference=_median_of(network),
        flash=size(memory.get("flash_bytes")),
        ram=size(memory.get("ram_bytes", memory.get("peak_rss_bytes"))),
        working_ram=size(working_ram),
        stack=size((used or memory).get("stack_bytes")),
    )


def _first(stages: Sequence[Record], name: str, profile: str | None = None) -> Record | None:
    """The first of ``stages`` with this name, and with this profile if one is given."""
    for stage in stages:
        if stage["stage"] == name and profile in (None, stage.get("profile", profile)):
            return stage
    return None


def _median_of(stage: Record | None) -> str:
    return NOTHING if stage is None else duration(stage["p50"], stage["unit"])


def _findings(parity: Record) -> Iterator[tuple[str, bool]]:
    """What was checked, and whether it is right."""
    for part, name in (("feature_hashes", "features"), ("streaming", "streaming")):
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
