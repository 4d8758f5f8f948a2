"""Every trained system of the zoo through the converter: accuracy, int8's cost, size, latency.

``make zoo`` trains the systems on real recordings, then runs ``python -m babycry_bench.zoo`` in
the root of the repository. It converts each checkpoint with its recipe as a user would, measures
one window on both engines, and writes ``bench/results/zoo-DATE-CPU.json`` and the table in
``docs/zoo.md``. Exit status: 0 all systems passed their gates, 1 one did not, 2 a fault.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from babycry_bench.committed_results import replace_results
from babycry_bench.facts.machine import describe_machine
from babycry_bench.speed_table import with_table
from babycry_bench.timing.measure import Effort, Item, Workload, measure
from babycry_edge.errors import BabycryError
from babycry_edge.model import Model
from babycry_edge.whole_file import write_whole

DOCS = Path("docs/zoo.md")
START = "<!-- make zoo writes this -->\n"
WORST_LAYERS = 3
_FOUND = ("float_operators", "arena_bytes")
_EFFORT = Effort(min_rounds=5, max_rounds=5, block_s=0.3, max_calls=200, precision=None)
_ENGINES = {".onnx": "onnx", ".tflite": "tflite"}


@dataclass(frozen=True)
class System:
    """A trained system: its recipe's name, its checkpoint and where its files go."""

    name: str
    checkpoint: Path
    folder: Path

    @property
    def report(self) -> Path:
        return self.folder / "converted" / f"{self.name}.report.json"

    def file(self, suffix: str) -> Path:
        return self.folder / "converted" / f"{self.name}{suffix}"


def find_systems(folder: Path, only: Sequence[str]) -> list[System]:
    """The systems that training left in ``folder``, by name.

    Raises:
        BabycryError: there are none, or one of ``only`` is missing.
    """
    found = {
        record.parent.name: System(
            record.parent.name,
            record.parent / json.loads(record.read_text())["checkpoint"],
            record.parent,
        )
        for record in sorted(folder.glob("*/training.json"))
    }
    missing = [name for name in only if name not in found]
    if missing or not found:
        raise BabycryError(f"{folder}: no trained {', '.join(missing) or 'system'}: run make zoo")
    return [found[name] for name in (only or found)]


def convert(system: System, cache: Path) -> int:
    """Convert one system in a process of its own; returns the command's exit status."""
    system.report.parent.mkdir(parents=True, exist_ok=True)
    log = system.folder / "convert.log"
    with log.open("w") as output:
        return subprocess.run(
            [
                *(str(Path(sysconfig.get_path("scripts"), "babycry-edge")), "convert"),
                *(str(system.checkpoint), "--recipe", system.name),
                *("--calibration", str(system.folder / "calibration.csv")),
                *("--held-out", str(system.folder / "held_out.csv")),
                *("-o", str(system.report.parent), "--cache", str(cache), "--jobs", "1"),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode


def latency(systems: Sequence[System]) -> dict[str, dict[str, float]]:
    """Median milliseconds of one window, ``{system: {"onnx": ms, "tflite": ms}}``, one thread."""
    workloads = []
    for system in systems:
        for suffix, engine in _ENGINES.items():
            if not system.file(suffix).is_file():
                continue
            model = Model.load(system.file(suffix))
            window = np.zeros((1, *model.metadata.window_shape), np.float32)
            samples = model.metadata.frontend.samples_for(model.metadata.window_frames)
            audio_s = samples / model.metadata.frontend.sample_rate
            call = _call(model, window)
            workloads.append(Workload(system.name, engine, [Item(call, audio_s)]))
    result: dict[str, dict[str, float]] = {}
    for timing in measure(workloads, _EFFORT):
        workload = timing.workload
        result.setdefault(workload.model, {})[workload.stage] = timing.p50
    return result


def _call(model: Model, window: Any) -> Any:
    return lambda: model.logits(window)


_HEADER = (
    *("system", "parameters", "MACs", "float accuracy", "int8 ONNX", "int8 TFLite"),
    *("agreement", "size KB", "ms a window"),
)


def zoo_table(record: dict[str, Any]) -> str:
    """Markdown: a sentence about the machine, then a row for each system.

    Args:
        record: as ``--publish`` keeps it in ``bench/results``.
    """
    machine = record["machine"]
    lines = [
        f"On {machine['cpu']}, one thread, {record['made']}. Accuracy on held-out clips of fold 4 "
        "(macro-F1 in brackets). Agreement, size and time: ONNX in onnxruntime / TFLite in LiteRT; "
        "agreement is the share of clips with the float network's answer.",
        "",
        f"| {' | '.join(_HEADER)} |",
        f"|{'---|' * len(_HEADER)}",
    ]
    lines += [f"| {' | '.join(_row(name, of))} |" for name, of in record["systems"].items()]
    return "\n".join(lines) + "\n"


def _row(name: str, of: dict[str, Any]) -> list[str]:
    report = of["conversion"]
    engines, network, times = report["engines"], report["network"], of["latency_ms"]
    sizes = {
        (item["format"], item["precision"]): f"{item['bytes'] / 1000:.0f}"
        for item in report["files"]
    }
    onnx = engines["onnx"]
    is_int8 = onnx["title"].startswith("int8")
    return [
        name,
        f"{network['parameters']:,}" if network else "",
        f"{network['macs'] / 1e6:.1f} M" if network else "",
        _quality(onnx["float"]),
        _quality(onnx["int8"]) if is_int8 else f"float: {_quality(onnx['int8'])}",
        _quality(engines["tflite"]["int8"]) if "tflite" in engines else "none",
        " / ".join(f"{engine['agreement']['value']:.3f}" for engine in engines.values()),
        " / ".join(sizes.get((form, "int8"), sizes.get((form, "float"), "")) for form in engines),
        " / ".join(f"{times[form]:.3g}" if form in times else "not written" for form in engines),
    ]


def _quality(figures: dict[str, Any]) -> str:
    return f"{figures['accuracy']['value']:.3f} ({figures['macro_f1']['value']:.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m babycry_bench.zoo")
    parser.add_argument("--out", type=Path, default=Path("build/zoo"), help="the trained systems")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2, help="conversions at a time")
    parser.add_argument("--reuse", action="store_true", help="keep conversions that are there")
    parser.add_argument("--publish", action="store_true", help="write bench/results and docs")
    options = parser.parse_args(arguments)
    try:
        systems = find_systems(options.out, options.only)
        failed = _convert_all(systems, options)
        record = _record(systems)
    except BabycryError as error:
        print(f"zoo: {error}", file=sys.stderr)
        return 2
    write_whole(options.out / "zoo.json", f"{json.dumps(record, indent=1)}\n".encode())
    print(zoo_table(record))
    if options.publish:
        _publish(record)
    for name in failed:
        print(f"zoo: {name} did not pass: see {options.out}/{name}/convert.log", file=sys.stderr)
    return 1 if failed else 0


def _convert_all(systems: Sequence[System], options: argparse.Namespace) -> list[str]:
    def run(system: System) -> int:
        if options.reuse and system.report.is_file():
            done = all(gate["passed"] for gate in json.loads(system.report.read_text())["gates"])
            return 0 if done else 1
        status = convert(system, options.out / "features")
        print(f"zoo: {system.name}: exit {status}", file=sys.stderr, flush=True)
        return status

    with ThreadPoolExecutor(options.jobs) as pool:
        statuses = list(pool.map(run, systems))
    return [system.name for system, status in zip(systems, statuses, strict=True) if status]


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """A conversion's report without what only its page needs: all but the worst layers, say."""
    kept = ("verdict", "gates", "checkpoint", "calibration", "network", "onnx_vs_tflite")
    layers = {form: ranking[:WORST_LAYERS] for form, ranking in report["layers"].items()}
    files = [
        {key: item[key] for key in ("name", "format", "precision", "bytes", "sha256", *_FOUND)}
        for item in report["files"]
    ]
    return {
        **{key: report[key] for key in kept},
        "engines": report["engines"],
        "files": files,
        "layers": layers,
        "versions": report["versions"],
    }


def _record(systems: Sequence[System]) -> dict[str, Any]:
    times = latency(systems)
    return {
        "schema_version": 1,
        "made": datetime.now(timezone.utc).date().isoformat(),
        "machine": describe_machine(),
        "systems": {
            system.name: {
                "training": json.loads((system.folder / "training.json").read_text()),
                "conversion": summary(json.loads(system.report.read_text())),
                "latency_ms": times.get(system.name, {}),
            }
            for system in systems
            if system.report.is_file()
        },
    }


def _publish(record: dict[str, Any]) -> None:
    text = f"{json.dumps(record, indent=1)}\n"
    replace_results("zoo", record["made"], record["machine"]["cpu"], text)
    DOCS.write_text(with_table(DOCS.read_text(), zoo_table(record), START))


if __name__ == "__main__":
    sys.exit(main())
