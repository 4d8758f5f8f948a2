"""``babycry-edge bench compare``: what changed between reports."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require


def add_compare(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``compare`` to ``babycry-edge bench``."""
    parser = verbs.add_parser(
        "compare",
        help="what changed between reports, and whether it is more than noise",
        description="Holds every report against the first one.",
    )
    parser.add_argument("reports", nargs="+", type=Path, metavar="JSON", help="two or more")
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="the smallest change of time that matters (default 0.05, five per cent)",
    )
    parser.add_argument(
        "--fail-on-slower", action="store_true", help="exit with 1 where a stage became slower"
    )
    parser.add_argument("--json", metavar="OUT", help="write it as JSON; '-' is standard output")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write it for a pull request")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare and show; exit status 1 only with --fail-on-slower.

    Raises:
        BabycryError: fewer than two reports, or one that cannot be read.
    """
    require("rich", "bench")
    from babycry_bench.comparison.compare import compare, comparison_markdown, print_comparison
    from babycry_bench.ingest import read_report
    from babycry_bench.reports.outputs import to_json
    from babycry_edge.whole_file import write_whole

    if len(args.reports) < 2:
        raise BabycryError("compare wants two reports or more")
    if not 0.0 <= args.threshold < 1.0:
        raise BabycryError(f"--threshold is a share from 0 to 1, not {args.threshold}")
    reports = [read_report(path) for path in args.reports]
    result = compare(reports, [str(path) for path in args.reports], threshold=args.threshold)
    print_comparison(result, sys.stderr if args.json == "-" else sys.stdout)
    if args.markdown is not None:
        write_whole(args.markdown, comparison_markdown(result).encode())
    if args.json == "-":
        sys.stdout.write(to_json(result))
    elif args.json is not None:
        write_whole(Path(args.json), to_json(result).encode())
    return int(args.fail_on_slower and bool(result["slower"]))
