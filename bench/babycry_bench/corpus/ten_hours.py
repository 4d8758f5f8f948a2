"""How fast and in what memory ten hours of recordings are evaluated, beside one hour.

``python -m babycry_bench.corpus.ten_hours`` in the source tree makes the recordings in a temporary
folder (1.3 GB), evaluates each corpus in a fresh process, and writes ``bench/results`` and the
table in ``docs/bench-accuracy.md``.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from babycry_bench.accuracy.answer import SystemSpec
from babycry_bench.committed_results import replace_results
from babycry_bench.corpus.evaluate import evaluate
from babycry_bench.corpus.synthesise import CorpusShape, synthesise
from babycry_bench.facts.machine import describe_machine
from babycry_bench.report import now
from babycry_bench.reports.markdown_table import table
from babycry_bench.reports.quantity_text import size
from babycry_bench.speed_table import with_table
from babycry_edge.models import bundled

DOCS = Path("docs/bench-accuracy.md")
START = "<!-- babycry_bench.corpus.ten_hours writes this -->\n"
WORKERS = 2
SHARD_MINUTES = 30.0
CORPORA = ((1.0, 6), (10.0, 60), (1.0, 1), (10.0, 1))  # hours, recordings

Record = Mapping[str, Any]


def run(corpus: Path, out: Path) -> dict[str, Any]:
    """Evaluate in this process, which does nothing else: figures and peak memory in bytes."""
    start = time.perf_counter()
    spec = SystemSpec.beside(bundled("cry.onnx"))
    (record,) = evaluate(corpus, [spec], out, workers=WORKERS, shard_minutes=SHARD_MINUTES)
    seconds = time.perf_counter() - start
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    hours = record["data"]["hours"]
    return {
        "recordings": record["data"]["recordings"],
        "hours": hours,
        "seconds": seconds,
        "times_real_time": 3600.0 * hours / seconds,
        "worker_cpu_s": workers.ru_utime + workers.ru_stime,
        "worker_peak_bytes": 1024 * workers.ru_maxrss,
        "parent_peak_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "results_bytes": sum(path.stat().st_size for path in out.iterdir()),
    }


def measure_all(folder: Path) -> dict[str, Any]:
    """Every corpus of ``CORPORA``, one after the other."""
    runs, machine = [], describe_machine()
    for number, (hours, recordings) in enumerate(CORPORA):
        corpus, out = folder / f"corpus{number}", folder / f"out{number}"
        synthesise(corpus, CorpusShape(recordings, 3600.0 * hours / recordings))
        command = [sys.executable, "-m", "babycry_bench.corpus.ten_hours", str(corpus), str(out)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        runs.append(json.loads(done.stdout))
        print(f"{hours:g} h in {recordings}: {runs[-1]['seconds']:.1f} s", file=sys.stderr)
    return {
        "schema_version": 1,
        "what": "a corpus by cry.onnx, against librosa and the float network",
        "created": now(),
        "machine": {key: machine[key] for key in ("cpu", "cores", "operating_system")},
        "workers": WORKERS,
        "shard_minutes": SHARD_MINUTES,
        "runs": runs,
    }


def corpus_table(results: Record) -> str:
    """The figures with date and machine."""
    columns = (
        "corpus", "time", "times real time", "peak of a worker", "peak of the parent", "results"
    )  # fmt: skip
    rows: Sequence[Sequence[str]] = [
        [
            f"{run['hours']:.0f} h in {run['recordings']}",
            f"{run['seconds']:.1f} s",
            f"{run['times_real_time']:.0f}",
            size(run["worker_peak_bytes"]),
            size(run["parent_peak_bytes"]),
            size(run["results_bytes"]),
        ]
        for run in results["runs"]
    ]
    machine = results["machine"]
    return (
        f"{machine['cpu']}, {results['workers']} workers, {results['created'][:10]}, start-up "
        f"included.\n\n{table(columns, rows)}\n"
    )


def main(arguments: Sequence[str]) -> None:
    if arguments:
        corpus, out = map(Path, arguments)
        out.mkdir()
        print(json.dumps(run(corpus, out)))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = measure_all(Path(folder))
    docs = with_table(DOCS.read_text(encoding="utf-8"), corpus_table(results), START)
    text = json.dumps(results, indent=1) + "\n"
    replace_results("ten-hours", results["created"], results["machine"]["cpu"], text)
    DOCS.write_text(docs, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
