"""Tables and lines for a terminal, at most 100 columns wide."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

MAX_COLUMNS = 100

Show = Callable[[RenderableType], None]


def columns_of(file: TextIO, width: int | None = None) -> int:
    """How wide to print: ``width``, or that of the terminal, and never more than the most."""
    if width is None:
        width = shutil.get_terminal_size().columns if file.isatty() else MAX_COLUMNS
    return min(width, MAX_COLUMNS)


@contextmanager
def shown_in(file: TextIO, width: int | None = None) -> Iterator[Show]:
    """What prints tables and texts to ``file``; colour only on a terminal, no blanks at the end."""
    columns = columns_of(file, width)
    console = Console(file=file, width=columns, highlight=False, emoji=False, markup=False)
    with console.capture() as capture:
        yield console.print
    for row in capture.get().splitlines():
        print(row.rstrip(), file=file)


def number_table(title: str, number_columns: Iterable[str]) -> Table:
    """A table of numbers; on a narrow terminal the titles wrap and the numbers stay whole."""
    table = Table(box=None, header_style="dim", padding=(0, 0, 0, 1))
    table.add_column(Text(title, style="bold not dim"), overflow="fold")
    for name in number_columns:
        table.add_column(name, justify="right", no_wrap=True, min_width=5)
    return table


def line(text: str, style: str = "") -> Padding:
    """One paragraph, a blank before it."""
    return Padding(Text(text, style=style), (0, 1))
