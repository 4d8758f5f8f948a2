"""The subcommand ``babycry-edge bench``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babycry_bench.comparison.compare_command import add_compare
from babycry_bench.comparison.history_command import add_history
from babycry_bench.other_targets import EMULATED
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

if TYPE_CHECKING:
    from babycry_bench.accuracy.answer import SystemSpec
    from babycry_bench.other_targets import OtherTargets
    from babycry_bench.report import Report
    from babycry_bench.run import Plan
    from babycry_edge.progress import Track

_DESCRIPTION = """\
Measures a detector on this machine and on others: latency of each stage, cold start, memory; and
proves parity: the C front-end against librosa, int8 against float, every target against this one,
every file's golden self-check. Exit status: 0 all gates passed, 1 a gate failed, 2 a file, an
option or a board is at fault.
"""


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``bench`` to the command line of ``babycry-edge``."""
    parser = subparsers.add_parser(
        "bench",
        help="latency and parity of a model, here and on other targets",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_measured(parser.add_argument_group("what is measured"))
    _add_data(parser.add_argument_group("accuracy on recordings"))
    _add_targets(parser.add_argument_group("other targets"))
    _add_results(parser.add_argument_group("results"))
    parser.set_defaults(run=run)
    verbs = parser.add_subparsers(title="reports on the disk", metavar="")
    add_compare(verbs)
    add_history(verbs)


def _add_measured(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--model",
        action="append",
        type=Path,
        metavar="M",
        help=".onnx or .tflite file; repeat for several (default: both bundled models)",
    )
    group.add_argument("--engine", metavar="E", help="onnxruntime, litert or tflite-runtime")
    group.add_argument(
        "--threads",
        type=_numbers,
        default=(1,),
        metavar="N,...",
        help="threads of an inference, 1,2 for both (default 1)",
    )
    group.add_argument(
        "--float", action="store_true", help="measure the float file beside each model, too"
    )
    group.add_argument("--pin", type=int, metavar="CORE", help="stay on this core")
    group.add_argument(
        "--quick", action="store_true", help="every check, but fewer repetitions of the timings"
    )


def _add_data(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data",
        type=Path,
        metavar="DIR|CSV",
        help="a folder of recordings, or a manifest.csv with path, label and perhaps events",
    )
    group.add_argument(
        "--reference",
        choices=("librosa", "torchaudio", "ours"),
        help="front-end of the float pipeline that the device is compared with (default: librosa "
        "where it has every axis of the model's)",
    )
    group.add_argument(
        "--answers",
        type=Path,
        metavar="DIR",
        help="keep every recording's answers as Parquet; a killed run goes on from there",
    )
    group.add_argument("--workers", type=int, metavar="N", help="processes (default: the cores)")
    group.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler: tcp://HOST:8786")


def _add_targets(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--build", metavar="TARGET", help="only make the program for a Linux board without Python"
    )
    group.add_argument("-o", "--output", type=Path, metavar="DIR", help="where --build puts it")
    group.add_argument(
        "--ingest",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="add what that program, or pytest-benchmark, wrote",
    )
    group.add_argument(
        "--ssh",
        action="append",
        default=[],
        metavar="HOST",
        help="build for that board, copy, run and fetch",
    )
    group.add_argument(
        "--serial",
        action="append",
        default=[],
        metavar="PORT",
        help="a microcontroller with the bench firmware on this serial port",
    )
    group.add_argument(
        "--emulate",
        action="append",
        default=[],
        choices=("all", *EMULATED),
        metavar="TARGET",
        help=f"in the source tree: all, {', '.join(EMULATED)}",
    )


def _add_results(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--gate", type=Path, metavar="TOML", help="gates of your own in place of the default ones"
    )
    group.add_argument(
        "--baseline", type=Path, metavar="JSON", help="the report that relative gates refer to"
    )
    group.add_argument(
        "--json", metavar="OUT", help="write the report as JSON; '-' is standard output"
    )
    group.add_argument("--html", type=Path, metavar="OUT", help="write it as one HTML page")
    group.add_argument("--markdown", type=Path, metavar="OUT", help="write it for a pull request")
    group.add_argument("--junit", type=Path, metavar="OUT", help="write the gates as JUnit XML")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a list of numbers like 1,2")
    return tuple(dict.fromkeys(numbers))


def run(args: argparse.Namespace) -> int:
    """Run the bench, show the report, write the files; the exit status is the verdict.

    Raises:
        BabycryError: a model, a recording, a board or an output file is at fault, or a library is
            not installed. What was measured until then is reported all the same.
    """
    if args.build is not None:
        return _build(args)
    require("rich", "bench")
    # Only now, so that the other subcommands do not wait for what the bench needs.
    from babycry_bench.gates.table import DEFAULT_TABLE, read_gates
    from babycry_bench.ingest import distinct, read_report
    from babycry_bench.other_targets import collect, read_files
    from babycry_bench.reports.outputs import Outputs
    from babycry_bench.reports.terminal import print_report
    from babycry_bench.run import judge_report, measure_here
    from babycry_edge.progress import progress_bar

    plan, left_out = _plan(args)
    outputs = Outputs(args.json, args.html, args.markdown, args.junit)
    outputs.check()
    gates = read_gates(args.gate or DEFAULT_TABLE)
    baseline = None if args.baseline is None else read_report(args.baseline)
    targets = _targets(args)
    ingested = read_files(targets)
    specs = _specs(args, plan)
    with progress_bar("bench") as track:
        report = measure_here(plan, track)
        records, failures = collect(targets, track)
        report.targets = distinct([*ingested, *records])
        failures += _judge_recordings(args, specs, report, track)
    report.warnings += [*left_out, *failures]
    judge_report(report, gates, baseline)
    print_report(report.to_dict(), sys.stderr if args.json == "-" else sys.stdout, args.html)
    outputs.write(report.to_dict(), _comparison(args, baseline, report.to_dict()))
    if failures:
        raise BabycryError("; ".join(failures))
    return 0 if report.passed else 1


def _plan(args: argparse.Namespace) -> tuple[Plan, list[str]]:
    """The run, and a line for each bundled model that no engine here can run."""
    from babycry_bench.model_choice import choose_models
    from babycry_bench.run import Plan

    paths, left_out = choose_models(args.model, args.engine, args.float)
    engines = [args.engine] if args.engine else []
    make = Plan.quick if args.quick else Plan
    return make(paths, engines, threads=args.threads, pin_core=args.pin), left_out


def _targets(args: argparse.Namespace) -> OtherTargets:
    from babycry_bench.other_targets import OtherTargets

    emulated = EMULATED if "all" in args.emulate else tuple(dict.fromkeys(args.emulate))
    if emulated and not Path("csrc/ports").is_dir():
        raise BabycryError("--emulate builds out of the source tree: run it in a clone's folder")
    return OtherTargets(args.ingest, args.ssh, args.serial, emulated)


def _comparison(
    args: argparse.Namespace, baseline: dict[str, Any] | None, report: dict[str, Any]
) -> dict[str, Any] | None:
    """What changed since the baseline, if one was given."""
    if baseline is None:
        return None
    from babycry_bench.comparison.compare import compare

    return compare([baseline, report], [args.baseline.name, "this run"])


def _specs(args: argparse.Namespace, plan: Plan) -> list[SystemSpec]:
    """With --data: each model with its float pipeline; what is wrong shows before the work."""
    if args.data is None:
        return []
    from babycry_bench.model_choice import accuracy_specs

    require("pyarrow", "corpus")
    if not args.data.exists():
        raise BabycryError(f"{args.data}: no such folder or manifest")
    return accuracy_specs(plan.model_paths, args.engine, args.reference)


def _judge_recordings(
    args: argparse.Namespace, specs: list[SystemSpec], report: Report, track: Track
) -> list[str]:
    """With --data: the accuracy records; a line where the recordings could not be judged."""
    if not specs:
        return []
    from babycry_bench.corpus.evaluate import evaluate

    try:
        report.accuracy = evaluate(
            args.data, specs, args.answers, workers=args.workers, dask=args.dask, track=track
        )
    except BabycryError as error:
        return [f"--data: {error}"]
    return []


def _build(args: argparse.Namespace) -> int:
    from babycry_bench.linux.build import build_bundle

    if args.output is None:
        raise BabycryError("--build wants a folder for the program: add -o DIR")
    program = build_bundle(args.build, args.output, args.model or ())
    print(f"{program}: copy its folder to the board, run it there, and --ingest what it writes")
    return 0
