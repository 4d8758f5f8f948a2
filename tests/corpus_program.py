"""Evaluate a corpus in a process of its own, for tests that kill it or look at its memory.

``corpus_program.py CORPUS OUT WORKERS SHARD_MINUTES`` prints the accuracy records with the peak
memory in bytes of the largest worker and of this process, and the workers' processor time.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from babycry_bench.accuracy.answer import SystemSpec
from babycry_bench.corpus.evaluate import evaluate
from babycry_edge.models import bundled


def main(corpus: str, out: str, workers: str, shard_minutes: str) -> int:
    records = evaluate(
        Path(corpus),
        [SystemSpec.beside(bundled("cry.onnx"))],
        Path(out),
        workers=int(workers),
        shard_minutes=float(shard_minutes),
    )
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = resource.getrusage(resource.RUSAGE_SELF)
    result = {
        "records": records,
        "worker_peak": 1024 * theirs.ru_maxrss,
        "parent_peak": 1024 * ours.ru_maxrss,
        "worker_cpu_s": theirs.ru_utime + theirs.ru_stime,
    }
    sys.stdout.write(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
