"""One line for what an engine says when it cannot load or run a model."""

from __future__ import annotations

from babycry_edge.errors import BabycryError


def refusal(engine: str, action: str, error: Exception) -> BabycryError:
    """The error to raise when ``engine`` failed to ``action`` with ``error``."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = lines[0] if lines else type(error).__name__
    return BabycryError(f"{engine} cannot {action}: {detail}")
