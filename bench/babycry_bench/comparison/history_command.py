"""``babycry-edge bench history``: how the figures moved from report to report."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from babycry_edge.extras import require


def add_history(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``history`` to ``babycry-edge bench``."""
    parser = verbs.add_parser(
        "history",
        help="how the figures moved over the reports in a folder",
        description="Reads every report in the folder, oldest first.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--json", metavar="OUT", help="write it as JSON; '-' is standard output")
    parser.add_argument(
        "--html", type=Path, metavar="OUT", help="the newest report as a page, with its history"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the history.

    Raises:
        BabycryError: the folder is absent or holds no report.
    """
    require("rich", "bench")
    from babycry_bench.comparison.history import print_history, read_history
    from babycry_bench.reports.html.page import render
    from babycry_bench.reports.outputs import to_json
    from babycry_edge.whole_file import write_whole

    history = read_history(args.folder)
    print_history(history, sys.stderr if args.json == "-" else sys.stdout)
    if args.html is not None:
        page = render(history.reports[-1], history=history.reports)
        write_whole(args.html, page.encode())
    if args.json == "-":
        sys.stdout.write(to_json(history.to_dict()))
    elif args.json is not None:
        write_whole(Path(args.json), to_json(history.to_dict()).encode())
    return 0
