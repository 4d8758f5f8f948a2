"""Cold start and memory of a model: medians over fresh processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

from babycry_bench.timing.percentiles import median
from babycry_edge.errors import BabycryError

# The parent's search path is handed over, so that the child measures the very same installation
# and never a package that happens to lie in the current directory.
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from babycry_bench.timing.coldstart_probe import main; main()"
)
_STEPS_TO_FIRST_SCORE = ("import_ms", "first_features_ms", "load_ms", "first_inference_ms")
_TIME_LIMIT_S = 300


def cold_start(
    model_path: Path,
    engine: str | None,
    repeats: int,
    on_repeat: Callable[[], object] = lambda: None,
    threads: int = 1,
) -> dict[str, float | int]:
    """Medians of ``repeats`` fresh processes: milliseconds of each step, bytes of memory.

    ``threads`` are those of one inference.

    ``total_ms`` is import to first score; ``process_ms`` also holds the interpreter's own start,
    the self-check and the exit. Files are warm in the page cache after the first repeat.

    Raises:
        BabycryError: the process failed; the message carries its last line.
    """
    runs = []
    for _ in range(repeats):
        runs.append(_run_once(model_path, engine, threads))
        on_repeat()
    medians: dict[str, float | int] = {key: median([run[key] for run in runs]) for key in runs[0]}
    for key in ("frontend_rss_bytes", "peak_rss_bytes"):
        medians[key] = int(medians[key])
    return {"repeats": repeats, **medians}


def _run_once(model_path: Path, engine: str | None, threads: int) -> dict[str, float]:
    command = [
        sys.executable,
        "-c",
        _START,
        json.dumps(sys.path),
        str(model_path.resolve()),
        engine or "",
        str(threads),
    ]
    start = perf_counter_ns()
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BabycryError(f"{model_path}: the cold-start process did not run: {error}") from None
    process_ms = (perf_counter_ns() - start) * 1e-6
    if result.returncode != 0:
        last_line = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise BabycryError(f"{model_path}: the cold-start process failed: {last_line}")
    laps: dict[str, float] = json.loads(result.stdout.strip().splitlines()[-1])
    laps["to_first_features_ms"] = laps["import_ms"] + laps["first_features_ms"]
    laps["total_ms"] = sum(laps[step] for step in _STEPS_TO_FIRST_SCORE)
    laps["process_ms"] = process_ms
    return laps
