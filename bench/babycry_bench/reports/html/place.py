"""A value of the report that knows where it stands, so that every figure can say so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_PLAIN_KEY = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Place:
    """A value and its path: ``stages[0].p50``; keys that are no plain word stand as ``["a b"]``."""

    value: Any
    path: str = ""

    def __getitem__(self, key: str | int) -> Place:
        """The value below; its absence is an error, as in the report itself."""
        return Place(self.value[key], self._below(key))

    def __iter__(self) -> Iterator[Place]:
        """The items of a list; those of a dictionary come from :meth:`items`."""
        values = self.value if isinstance(self.value, list) else []
        return (Place(value, self._below(index)) for index, value in enumerate(values))

    def items(self) -> Iterator[tuple[str, Place]]:
        """The entries of a dictionary."""
        return ((key, Place(value, self._below(key))) for key, value in self.value.items())

    def get(self, key: str) -> Place | None:
        """The value below, or None where it is absent or null."""
        if not isinstance(self.value, dict) or self.value.get(key) is None:
            return None
        return self[key]

    def rows(self, key: str) -> list[Place]:
        """The items of a list below; none where it is absent, null, or was skipped."""
        below = self.get(key)
        return list(below) if below is not None else []

    def _below(self, key: str | int) -> str:
        if isinstance(key, int):
            return f"{self.path}[{key}]"
        if _PLAIN_KEY.fullmatch(key):
            return f"{self.path}.{key}" if self.path else key
        return f"{self.path}[{json.dumps(key)}]"
