"""The table of speeds in ``docs/bench.md``, from the JSON that ``make speed`` writes.

``python -m babycry_bench.speed_table build/speed.json``, in the root of the repository, keeps the
JSON in ``bench/results`` in place of the last one and writes the table anew.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from babycry_bench.committed_results import replace_results

DOCS = Path("docs/bench.md")
START, END = "<!-- make speed writes this -->\n", "<!-- to here -->\n"


def speed_table(results: dict[str, Any]) -> str:
    """Markdown: a sentence about the machine, a row for each comparison, the start-up time.

    Args:
        results: of pytest-benchmark, with the ``extra_info`` of ``bench/suites``.
    """
    machine = results["machine_info"]
    found = [benchmark["extra_info"] for benchmark in results["benchmarks"]]
    lines = [
        f"On {machine['cpu']['brand_raw']} ({machine['instruction_set']}), {machine['system']}, "
        f"Python {machine['python_version']}, {results['datetime'][:10]}.",
        "",
        "| ours | median | beside | median | ratio | of the fastest rounds | bar |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(extra) for extra in found if "ratio" in extra]
    for extra in found:
        if "first_features_ms" in extra:
            took = f"{extra['first_features_ms']:.0f} ms"
            lines += ["", f"Import and first features in a fresh process: {took}."]
    return "\n".join(lines) + "\n"


def _row(extra: dict[str, Any]) -> str:
    bar = f"{extra['least']:g}" if extra["least"] is not None else ""
    bar = f"aim {extra['aim']:g}" if extra["aim"] is not None else bar
    return (
        f"| {extra['ours']} | {extra['ours_ms']:.3g} ms | {extra['peer']}: {extra['way']} "
        f"| {extra['peer_ms']:.3g} ms | {extra['ratio']:.3g} "
        f"| {extra['ratio_of_minima']:.3g} | {bar} |"
    )


def with_table(docs: str, table: str, start_mark: str = START) -> str:
    """``docs`` with the part between the two marks replaced.

    Raises:
        ValueError: the marks are not there.
    """
    before, start, rest = docs.partition(start_mark)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"no {start_mark.strip()} ... {END.strip()}")
    return before + start + table + end + after


def main(path: str) -> None:
    text = Path(path).read_text()
    results = json.loads(text)
    docs = with_table(DOCS.read_text(), speed_table(results))
    cpu = results["machine_info"]["cpu"]["brand_raw"]
    replace_results("speed", results["datetime"], cpu, text)
    DOCS.write_text(docs)


if __name__ == "__main__":
    main(sys.argv[1])
