"""pytest-benchmark's JSON as a record: its benchmarks are stages by the clock on the wall.

Those of ``bench/suites/test_stages.py`` say in ``extra_info`` which stage of which models they
timed (:mod:`babycry_bench.timing.benchmark_json`); any other is a stage "benchmark" with its name
as the profile.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import Any

from babycry_bench.timing.benchmark_json import stage_records
from babycry_bench.timing.stage_record import stage_record
from babycry_edge.errors import BabycryError

OTHER_STAGE = "benchmark"

_MEND = "write it with pytest --benchmark-json=FILE"


def is_pytest_benchmark(document: Any) -> bool:
    """Whether the JSON is pytest-benchmark's."""
    return isinstance(document, dict) and {"machine_info", "benchmarks"} <= document.keys()


def record_of_benchmarks(document: dict[str, Any], source: str, target: str) -> dict[str, Any]:
    """The record; benchmarks without the single times are left out, and a warning says so.

    Raises:
        BabycryError: a part is missing or of another kind, or no benchmark is left.
    """
    benchmarks = document["benchmarks"]
    machine_info = document["machine_info"]
    if not isinstance(benchmarks, list) or not isinstance(machine_info, dict):
        raise BabycryError(f"{source}: not pytest-benchmark's JSON: {_MEND}")
    stages, warnings = [], []
    for index, benchmark in enumerate(benchmarks):
        if not isinstance(benchmark, dict):
            raise BabycryError(f"{source}: benchmarks[{index}]: no object: {_MEND}")
        name = _text(benchmark.get("name")) or f"benchmarks[{index}]"
        data = _data(benchmark)
        if data is None:
            warnings.append(f"{name} left out: without the single times; {_MEND}")
        else:
            stages += _stages(benchmark, name, data, source)
    if not stages:
        raise BabycryError(f"{source}: no benchmark with its single times: {_MEND}")
    return {
        "schema_version": 2,
        "kind": "record",
        "target": target,
        "created": _created(document.get("datetime")),
        "build": _build(machine_info, document.get("commit_info")),
        "machine": _machine(machine_info),
        "models": [],
        "stages": stages,
        "parity": {"feature_hashes": {"skipped": "pytest-benchmark tells times alone"}},
        "memory": {},
        "warnings": warnings,
    }


def _data(benchmark: dict[str, Any]) -> list[float] | None:
    """Seconds of each round; None where the file does not have them."""
    stats = benchmark.get("stats")
    data = stats.get("data") if isinstance(stats, dict) else None
    if not isinstance(data, list) or not data:
        return None
    return data if all(_is_number(value) for value in data) else None


def _stages(
    benchmark: dict[str, Any], name: str, data: list[float], source: str
) -> list[dict[str, Any]]:
    extra = benchmark.get("extra_info")
    try:
        if isinstance(extra, dict) and _names_a_stage(extra):
            return stage_records({"benchmarks": [benchmark]}, source)
        times_ms = [1000.0 * seconds for seconds in data]
        return [stage_record(times_ms, clock="wall", stage=OTHER_STAGE, profile=name)]
    except BabycryError as error:
        reason = str(error).removeprefix(f"{source}: ")
        raise BabycryError(f"{source}: {name[:60]}: {reason}") from None


def _names_a_stage(extra: dict[str, Any]) -> bool:
    """Whether ``extra_info`` is that of a stage, every part of it."""
    models, audio_s, warmup = extra.get("models"), extra.get("audio_s"), extra.get("warmup", 0)
    return (
        isinstance(extra.get("stage"), str)
        and isinstance(models, list)
        and all(model is None or isinstance(model, str) for model in models)
        and isinstance(audio_s, list)
        and bool(audio_s)
        and all(_is_number(seconds) for seconds in audio_s)
        and _is_number(warmup)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _created(text: Any) -> str | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _build(machine_info: dict[str, Any], commit_info: Any) -> dict[str, Any]:
    isa = _text(machine_info.get("instruction_set"))
    commit = commit_info.get("id") if isinstance(commit_info, dict) else None
    return {
        "babycry_edge": "unknown",
        "git_commit": _text(commit),
        "compiler": None,
        "compiler_flags": None,
        "instruction_set": isa or "unknown",
        "instruction_sets": [isa] if isa else [],
        "python": _text(machine_info.get("python_version")),
        "packages": {},
    }


def _machine(machine_info: dict[str, Any]) -> dict[str, Any]:
    cpu = machine_info.get("cpu")
    cpu = cpu if isinstance(cpu, dict) else {}
    cores = cpu.get("count")
    is_count = isinstance(cores, int) and not isinstance(cores, bool) and cores > 0
    system = [_text(machine_info.get(key)) for key in ("system", "release")]
    unknown = {
        "frequency_mhz": None,
        "temperature_c": None,
        "throttled": None,
        "load_average_1min": None,
    }
    return {
        "kind": "machine",
        "emulator": None,
        "cpu": _text(cpu.get("brand_raw")),
        "architecture": _text(machine_info.get("machine")) or "unknown",
        "cores": cores if is_count else None,
        "cores_usable": None,
        "pinned_core": None,
        "governor": None,
        "clock_hz": None,
        "memory_bytes": None,
        "operating_system": " ".join(part for part in system if part) or None,
        "before": unknown,
        "after": dict(unknown),
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
