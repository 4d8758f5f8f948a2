"""``python -m babycry_convert.zoo_training``: train the zoo."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from babycry_convert.zoo_training.systems import NAMES, REPORT_NAME, is_trained, train_system
from babycry_edge.errors import BabycryError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m babycry_convert.zoo_training",
        description="Train every system of the zoo on real recordings, a few minutes each.",
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder with manifest.csv"
    )
    parser.add_argument("--out", type=Path, default=Path("build/zoo"), help="one folder a system")
    parser.add_argument("--models", type=Path, help="folder with YAMNet's file (data/../models)")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--jobs", type=int, default=1, help="systems trained at a time")
    parser.add_argument("--reuse", action="store_true", help="keep the systems already trained")
    parser.add_argument("--share", type=float, default=1.0, help="of the steps: a quick look")
    options = parser.parse_args(arguments)
    wanted = [
        name
        for name in options.only or NAMES
        if not (options.reuse and is_trained(name, options.out))
    ]
    try:
        _train_all(wanted, options)
    except BabycryError as error:
        print(f"zoo_training: {error}", file=sys.stderr)
        return 2
    for name in options.only or NAMES:
        print(_summary(name, options.out))
    return 0


def _train_all(names: Sequence[str], options: argparse.Namespace) -> None:
    if options.jobs <= 1 or len(names) <= 1:
        for name in names:
            _train(name, options, options.jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        for done in [pool.submit(_train, name, options, 1) for name in names]:
            done.result()


def _train(name: str, options: argparse.Namespace, jobs: int) -> None:
    train_system(name, options.data, options.out, options.models, jobs, options.share)


def _summary(name: str, out: Path) -> str:
    report = json.loads((out / name / REPORT_NAME).read_text(encoding="utf-8"))
    held_out = report["held_out"]
    return (
        f"{name:18} {report['seconds']:6.0f} s  accuracy {held_out['accuracy']:.3f}  "
        f"macro-F1 {held_out['macro_f1']:.3f}  margin {held_out['margin']:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
