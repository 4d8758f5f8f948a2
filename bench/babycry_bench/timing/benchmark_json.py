"""What pytest-benchmark measured of the stages (``bench/suites/test_stages.py``), as records.

``pytest bench/suites/test_stages.py --benchmark-json FILE`` writes what is read here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import Any

from babycry_bench.timing.measure import Workload
from babycry_bench.timing.stage_record import stage_record
from babycry_edge.errors import BabycryError

_MS_PER_S = 1000.0


def extra_info(workload: Workload, warmup: int) -> dict[str, Any]:
    """What a benchmark of ``workload`` must keep beside its times, for :func:`stage_records`."""
    return {
        "models": [workload.model, *workload.also],
        "stage": workload.stage,
        "audio_s": [item.audio_s for item in workload.items],
        "warmup": warmup,
    }


def stage_records(content: dict[str, Any], source: str) -> list[dict[str, Any]]:
    """A stage record for each stage and model; benchmarks of anything else are left out.

    Args:
        content: of the JSON file; its times are seconds of single calls, the items in turn.
        source: the file's name, for messages.

    Raises:
        BabycryError: not pytest-benchmark's JSON, no stage in it, or no single times.
    """
    benchmarks = content.get("benchmarks") if isinstance(content, dict) else None
    if not isinstance(benchmarks, list):
        raise BabycryError(f"{source}: not the JSON of pytest-benchmark: it has no 'benchmarks'")
    records = [record for item in benchmarks for record in _records_of(item, source)]
    if not records:
        raise BabycryError(
            f"{source}: no stage was measured in it: "
            "run pytest bench/suites/test_stages.py --benchmark-json FILE"
        )
    return records


def _records_of(benchmark: Any, source: str) -> list[dict[str, Any]]:
    extra = benchmark.get("extra_info", {}) if isinstance(benchmark, dict) else {}
    if not {"models", "stage", "audio_s"} <= extra.keys():
        return []
    data: Sequence[float] = benchmark.get("stats", {}).get("data") or []
    if not data:
        raise BabycryError(
            f"{source}: {benchmark.get('name')} has no single times: "
            "write it with --benchmark-json, which keeps them"
        )
    return [
        stage_record(
            [seconds * _MS_PER_S for seconds in data],
            clock="wall",
            stage=extra["stage"],
            model=model,
            audio_s=list(islice(cycle(extra["audio_s"]), len(data))),
            warmup=extra.get("warmup", 0),
        )
        for model in extra["models"]
    ]
