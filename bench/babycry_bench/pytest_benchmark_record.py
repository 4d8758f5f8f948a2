"""pytest-benchmark's JSON as a record: its benchmarks are stages by the clock on the wall.

A benchmark says in ``extra_info`` which stage it timed (``stage``, ``model``, ``profile``,
``layer``, ``audio_s``); one that does not is a stage "benchmark" with its name as the profile.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import Any

from babycry_bench.schema.validate import SCHEMA_FILE
from babycry_bench.stage_record import stage_record
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
            stages.append(_stage(benchmark, name, data, f"{source}: {name}"))
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
        "parity": {},
        "memory": {},
        "warnings": warnings,
    }


def _data(benchmark: dict[str, Any]) -> list[float] | None:
    """Seconds of each round; None where the file does not have them."""
    stats = benchmark.get("stats")
    data = stats.get("data") if isinstance(stats, dict) else None
    if not isinstance(data, list) or not data:
        return None
    are_numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in data)
    return data if are_numbers and all(map(math.isfinite, data)) else None


def _stage(benchmark: dict[str, Any], name: str, data: list[float], source: str) -> dict[str, Any]:
    said = benchmark.get("extra_info")
    said = said if isinstance(said, dict) else {}
    names = json.loads(SCHEMA_FILE.read_text())["$defs"]["stage"]["properties"]["stage"]["enum"]
    stage = said.get("stage") if said.get("stage") in names else OTHER_STAGE
    audio_s = said.get("audio_s")
    is_length = isinstance(audio_s, (int, float)) and not isinstance(audio_s, bool)
    layer = _text(said.get("layer"))
    if stage == "layer" and layer is None:
        stage = OTHER_STAGE
    try:
        return stage_record(
            [1000.0 * seconds for seconds in data],
            clock="wall",
            stage=stage,
            model=_text(said.get("model")),
            profile=name if stage == OTHER_STAGE else _text(said.get("profile")),
            layer=layer if stage == "layer" else None,
            audio_s=audio_s if is_length and 0 < audio_s < math.inf else None,
        )
    except BabycryError as error:
        raise BabycryError(f"{source}: {error}") from None


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
