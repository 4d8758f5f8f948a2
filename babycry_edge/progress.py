"""A progress bar on stderr, where a person watches; silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from babycry_edge.extras import require

Advance = Callable[[], object]
Track = Callable[[str, int], Advance]
"""Announces a part of the work and its number of steps; gives back what to call after a step."""


@contextmanager
def progress_bar(extra: str) -> Iterator[Track]:
    """A bar that shows one part at a time and leaves nothing behind.

    Raises:
        BabycryError: rich is not installed, which the optional dependency set ``extra`` brings.
    """
    rich_progress = require("rich.progress", extra)
    console = require("rich.console", extra).Console(stderr=True)
    columns = (
        rich_progress.TextColumn("{task.description:<32}"),
        rich_progress.BarColumn(bar_width=40),
        rich_progress.TimeElapsedColumn(),
    )
    visible = sys.stderr.isatty()
    with rich_progress.Progress(
        *columns, console=console, transient=True, disable=not visible
    ) as progress:

        def track(title: str, steps: int) -> Advance:
            for task in progress.task_ids:
                progress.remove_task(task)
            task = progress.add_task(title, total=steps)
            # A part that was announced before another one may still report: nothing to show then.
            return lambda: progress.advance(task) if task in progress.task_ids else None

        yield track
