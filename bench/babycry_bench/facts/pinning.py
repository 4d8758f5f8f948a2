"""One core for the whole run, so that the scheduler does not move it about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from babycry_edge.errors import BabycryError


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Keep this thread, and every thread and process that it starts meanwhile, on ``core``.

    None leaves everything as it is. Engines start their threads when a model is loaded: load it
    inside.

    Raises:
        BabycryError: this system has no pinning, or the process may not use that core.
    """
    if core is None:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise BabycryError(
            "this system cannot pin a process to a core: leave out the pinning, or use Linux"
        )
    usable = os.sched_getaffinity(0)
    if core not in usable:
        listed = ", ".join(str(index) for index in sorted(usable))
        raise BabycryError(f"core {core} cannot be used here: choose from {listed}")
    try:
        os.sched_setaffinity(0, {core})
    except OSError as error:
        raise BabycryError(
            f"core {core} cannot be pinned to: {error.strerror}: leave out the pinning"
        ) from None
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)
