"""The subcommand ``babycry-edge bench``."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require


@dataclass(frozen=True)
class BundledModel:
    """A model that ships with the runtime, and the packages of which one can run it."""

    name: str
    engines: dict[str, str]
    extra: str


BUNDLED_MODELS = (
    BundledModel("cry.onnx", {"onnxruntime": "onnxruntime"}, "onnx"),
    BundledModel(
        "cry.tflite", {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}, "tflite"
    ),
)

_DESCRIPTION = """\
Measures a detector on this machine: latency of each stage, cold start, memory; and proves parity:
the C front-end against librosa, int8 against float, ONNX against TFLite, every file's golden
self-check. Exit status: 0 all gates passed, 1 a gate failed, 2 a file or an option is at fault.
"""


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bench`` to the command line of ``babycry-edge``."""
    parser = subparsers.add_parser(
        "bench",
        help="latency and parity of a model on this machine",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model",
        action="append",
        type=Path,
        metavar="M",
        help=".onnx or .tflite file; repeat for several (default: both bundled models)",
    )
    parser.add_argument("--engine", metavar="E", help="onnxruntime, litert or tflite-runtime")
    parser.add_argument(
        "--quick", action="store_true", help="every check, but fewer repetitions of the timings"
    )
    parser.add_argument(
        "--json", metavar="OUT", help="write the report as JSON; '-' is standard output"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the bench, show the report, write the JSON; the exit status is the verdict.

    Raises:
        BabycryError: a model or an output file is at fault, or rich is not installed.
    """
    require("rich", "bench")
    # Only now, so that the other subcommands do not wait for what the bench needs.
    from babycry_bench.report_terminal import print_report
    from babycry_bench.run import Plan, run_bench
    from babycry_edge.progress import progress_bar
    from babycry_edge.whole_file import write_whole

    paths, left_out = _model_paths(args)
    output = _checked_output(args.json)
    engines = [args.engine] if args.engine else []
    plan = Plan.quick(paths, engines) if args.quick else Plan(paths, engines)
    with progress_bar("bench") as track:
        report = run_bench(plan, track)
    report.warnings += left_out
    print_report(report, sys.stderr if args.json == "-" else sys.stdout)
    if args.json == "-":
        sys.stdout.write(report.to_json())
    elif output is not None:
        write_whole(output, report.to_json().encode())
    return 0 if report.passed else 1


def _model_paths(args: argparse.Namespace) -> tuple[list[Path], list[str]]:
    """The files to measure, and a line for each bundled one that no engine here can run."""
    if args.model:
        for path in args.model:
            if not path.is_file():
                raise BabycryError(f"{path}: no such file")
        return list(args.model), []
    from babycry_edge.models import bundled

    wanted = [model for model in BUNDLED_MODELS if args.engine in (None, *model.engines)]
    if not wanted:
        engines = [engine for model in BUNDLED_MODELS for engine in model.engines]
        raise BabycryError(f"engine '{args.engine}' is unknown: choose from {', '.join(engines)}")
    runnable = [model for model in wanted if _is_runnable(model)]
    left_out = [
        f"{model.name} left out, no engine for it: pip install 'babycry-edge[{model.extra}]'"
        for model in wanted
        if model not in runnable
    ]
    if not runnable:
        raise BabycryError(left_out[0])
    return [bundled(model.name) for model in runnable], left_out


def _is_runnable(model: BundledModel) -> bool:
    return any(importlib.util.find_spec(package) for package in model.engines.values())


def _checked_output(name: str | None) -> Path | None:
    """The JSON file's path; a missing folder is refused before the minute of work, not after."""
    if name is None or name == "-":
        return None
    path = Path(name)
    if not path.parent.is_dir():
        raise BabycryError(f"{path}: the folder {path.parent} does not exist: make it first")
    return path
