"""Keep a native library's start-up notes off stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send file descriptor 2 to the null device meanwhile.

    Native code writes there directly, past ``sys.stderr``. What another thread writes at the same
    time is lost too, so this wraps only the loading of a library or a model.
    """
    try:
        saved = os.dup(2)
    except OSError:  # no stderr at all, as in a daemon
        yield
        return
    try:
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
