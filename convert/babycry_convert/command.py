"""The subcommand ``babycry-edge convert``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

if TYPE_CHECKING:
    from babycry_convert.conversion import Conversion

_DESCRIPTION = """\
Takes a trained checkpoint (PyTorch state dict, TorchScript, .pt2, safetensors, ONNX, Keras,
SavedModel, TFLite, scikit-learn) to float ONNX, int8 ONNX, float TFLite and int8 TFLite files, each
with its whole pipeline and a golden self-check, and writes a report of what int8 cost and where.
With a checkpoint alone it lists the recipes that fit and says why the others do not.
Exit status: 0 written, 1 a gate failed and no model was written, 2 a file or an option is at fault.
"""


def add_command(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``convert`` to the command line of ``babycry-edge``."""
    parser = subparsers.add_parser(
        "convert",
        help="a trained checkpoint to int8 ONNX and TFLite, with a report",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--recipe", metavar="R", help="a .toml file, or the name of a shipped one")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="DIR",
        help="recordings: a folder (with one sub-folder a label, or flat) or a manifest.csv",
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="DIR",
        help="recordings to judge by, as above (default: a quarter of the calibration recordings)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="OUT", help="folder of the files")
    parser.add_argument("--name", help="the files' name (default: the recipe's)")
    parser.add_argument(
        "--arch", metavar="PACKAGE.MODULE:CLASS", help="your own network for a state dict"
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="open pickles, which can run any code: only for files that you made",
    )
    parser.add_argument(
        "--unrolled", action="store_true", help="TFLite without a loop for recurrent networks"
    )
    parser.add_argument(
        "--accept-loss", action="store_true", help="write the models even when a gate fails"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="folder of computed features, to go on from"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes that compute features"
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON on standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Convert, or list the recipes that fit; returns the exit status.

    Raises:
        BabycryError: a file or an option is at fault, or a library is missing.
    """
    if args.recipe is None:
        return _list_recipes(args)
    for name, value in (("--calibration", args.calibration), ("-o", args.output)):
        if value is None:
            raise BabycryError(f"convert with a recipe also needs {name}: see convert --help")
    if args.jobs < 1:
        raise BabycryError(f"--jobs must be 1 or more, not {args.jobs}")
    require("torch", "convert")
    from babycry_convert.conversion import Order, convert_checkpoint
    from babycry_convert.recipe import load_recipe
    from babycry_edge.progress import progress_bar

    recipe = load_recipe(args.recipe)
    order = Order(
        checkpoint=args.checkpoint,
        recipe=recipe,
        calibration=args.calibration,
        held_out=args.held_out,
        output=args.output,
        name=args.name or recipe.name,
        arch_class=args.arch,
        trust_pickle=args.trust_pickle,
        recurrence="unrolled" if args.unrolled else recipe.recurrence.form,
        accept_loss=args.accept_loss,
        cache=args.cache,
        jobs=args.jobs,
    )
    with progress_bar("convert") as track:
        conversion = convert_checkpoint(order, track)
    _show(conversion, args.json)
    return 0 if conversion.written else 1


def _show(conversion: Conversion, as_json: bool) -> None:
    report = conversion.report
    if as_json:
        print(json.dumps(report, indent=1))
        return
    for gate in report["gates"]:
        verdict = "pass" if gate["passed"] else "FAIL"
        value = f"{gate['name']}: {gate['value']:.4f} (bound {gate['bound']})"
        print(f"{verdict}  {value}")
    for note in conversion.notes:
        print(f"note: {note}")
    for path in conversion.files:
        print(f"{path}  {path.stat().st_size / 1024:.0f} KiB")
    print(f"report: {conversion.page}")
    if not conversion.written:
        print(
            "babycry-edge: a gate failed and no model was written: see the report, or give "
            "--accept-loss",
            file=sys.stderr,
        )


def _list_recipes(args: argparse.Namespace) -> int:
    """What fits the checkpoint, and why the rest does not."""
    require("torch", "convert")
    from babycry_convert.fitting import misfits
    from babycry_convert.readers import find_reader
    from babycry_convert.recipe import load_recipe, recipe_names

    kind = find_reader(args.checkpoint)
    recipes = [load_recipe(name) for name in recipe_names()]
    reasons = misfits(recipes, args.checkpoint, args.trust_pickle)
    fitting = [name for name, reason in reasons.items() if reason is None]
    if args.json:
        print(json.dumps({"checkpoint": str(args.checkpoint), "kind": kind, "recipes": reasons}))
        return 0
    print(f"{args.checkpoint}: {kind.replace('_', ' ')}")
    for name in fitting:
        print(f"  fits          {name}: {load_recipe(name).description}")
    for name, reason in reasons.items():
        if reason is not None:
            print(f"  does not fit  {name}: {reason}")
    if fitting:
        print(f"next: babycry-edge convert {args.checkpoint} --recipe {fitting[0]} ", end="")
    else:
        print(
            "write a recipe of your own: babycry-edge convert CHECKPOINT --recipe R.toml ", end=""
        )
    print("--calibration DIR -o OUT")
    return 0
