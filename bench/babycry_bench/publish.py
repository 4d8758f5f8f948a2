"""A report as committed results, and as what README and docs show of it.

``python -m babycry_bench.publish REPORT.json`` in the source tree. The report of ``make bench``
goes to ``bench/results/bench-*.json`` and into ``README.md``, that of ``make bench-targets`` to
``bench/results/targets-*.json`` and into ``docs/bench-boards.md``.
"""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

from babycry_bench.committed_results import replace_results
from babycry_bench.ingest import read_report
from babycry_bench.reports.terminal import print_report
from babycry_bench.speed_table import with_table
from babycry_bench.targets_table import targets_table
from babycry_edge.errors import BabycryError

README = Path("README.md")
BOARDS = Path("docs/bench-boards.md")
TARGETS_START = "<!-- babycry_bench.publish writes this -->\n"
SHOWN = re.compile(r"(?<=\$ make bench\n).*?(?=\n\n\$ )", re.DOTALL)

Report = dict[str, Any]


def publish(path: Path) -> None:
    """Write everything that a report is shown in.

    Raises:
        BabycryError: it cannot be read, or did not pass.
    """
    report = without_folders(read_report(path))
    if not report["passed"]:
        raise BabycryError(f"{path}: a gate failed: only reports that pass are published")
    kind = "targets" if report["targets"] else "bench"
    text = json.dumps(report, indent=1) + "\n"
    replace_results(kind, str(report["created"]), report["machine"]["cpu"], text)
    if kind == "targets":
        docs = BOARDS.read_text(encoding="utf-8")
        docs = with_table(docs, targets_table(report), TARGETS_START)
        BOARDS.write_text(docs, encoding="utf-8")
        return
    page = README.read_text(encoding="utf-8")
    README.write_text(SHOWN.sub(lambda _: shown(report), page), encoding="utf-8")


def shown(report: Report) -> str:
    """What ``make bench`` prints of it."""
    file = io.StringIO()
    print_report(report, file, Path("build/bench.html"))
    return file.getvalue().strip("\n")


def without_folders(report: Report) -> Report:
    """Model files by their names: where they lay is nobody's business."""
    for record in (report, *report["targets"]):
        for model in record["models"]:
            model["path"] = Path(model["path"]).name if model["path"] else None
    return report


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
