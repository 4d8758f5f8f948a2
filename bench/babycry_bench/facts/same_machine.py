"""Whether two records come from machines whose times can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FACTS = ("kind", "cpu", "architecture", "cores", "clock_hz", "emulator")


def machine_difference(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> str | None:
    """In what two machines differ, in words; None where their times can be compared.

    A processor that could not be read is not known to be the same.
    """
    if before is None or after is None:
        return "which machine it was is not recorded"
    for fact in _FACTS:
        if before.get(fact) != after.get(fact):
            return f"{fact} '{before.get(fact)}', now '{after.get(fact)}'"
    if before.get("cpu") is None:
        return "which processor it was could not be read"
    return None
