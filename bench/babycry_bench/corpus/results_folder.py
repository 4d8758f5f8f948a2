"""The folder of a corpus's results: one evaluation at a time, no leftovers of a killed one."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from babycry_edge.errors import BabycryError

_LOCK = ".lock"


@contextmanager
def results_folder(wanted: Path | None) -> Iterator[Path]:
    """``wanted``, made if it is absent, for this process alone; None: one that is removed after.

    Raises:
        BabycryError: it cannot be made or written, or another evaluation is at work there.
    """
    if wanted is None:
        with tempfile.TemporaryDirectory(prefix="babycry-corpus-") as folder:
            yield Path(folder)
        return
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        lock = (wanted / _LOCK).open("w")
    except OSError as error:
        raise BabycryError(
            f"{wanted}: no folder to write results to ({error.strerror}): give another one"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BabycryError(
                f"{wanted}: another evaluation is at work there: wait for it, or give "
                "another folder"
            ) from None
        for part in wanted.glob(".*.part"):
            part.unlink(missing_ok=True)
        yield wanted
