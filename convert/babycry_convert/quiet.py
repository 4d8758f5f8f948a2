"""Keep the conversion libraries' progress reports and notes off the terminal."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from babycry_edge.engines.quiet import quiet_stderr


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back prints, warnings, log records below errors, and native notes on stderr."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet_stderr(), redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous)
