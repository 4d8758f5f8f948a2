"""The table of gates, read from TOML."""

from __future__ import annotations

import importlib
import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

DEFAULT_TABLE = Path(__file__).with_name("default.toml")

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
    "==": operator.eq,
}

Bound = bool | int | float


@dataclass(frozen=True)
class Gate:
    """One line of the table: the value at ``path`` must stand in ``operator`` to ``bound``."""

    name: str
    path: str
    operator: str
    bound: Bound
    unit: str = ""

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            allowed = ", ".join(OPERATORS)
            raise BabycryError(f"gate '{self.name}': operator must be one of {allowed}")
        if not isinstance(self.bound, (bool, int, float)):
            raise BabycryError(f"gate '{self.name}': bound must be a number, true or false")

    def holds(self, value: Any) -> bool:
        """Whether ``value`` passes. A value that cannot be compared, and NaN, does not."""
        try:
            return bool(OPERATORS[self.operator](value, self.bound))
        except TypeError:
            return False


def read_gates(path: Path = DEFAULT_TABLE) -> list[Gate]:
    """The gates of a TOML file, in its order.

    Raises:
        BabycryError: the file cannot be read, is not TOML, or a gate lacks or misnames a field.
    """
    toml = _toml_reader()
    try:
        with path.open("rb") as file:
            content = toml.load(file)
    except OSError as error:
        raise BabycryError(f"{path}: cannot be read: {error.strerror}") from None
    except toml.TOMLDecodeError as error:
        raise BabycryError(f"{path}: not TOML: {error}") from None
    entries = content.get("gate")
    if not isinstance(entries, list) or not entries:
        raise BabycryError(f"{path}: holds no [[gate]]")
    return [_gate_from(entry, number, path) for number, entry in enumerate(entries, start=1)]


def _gate_from(entry: Any, number: int, path: Path) -> Gate:
    try:
        return Gate(**entry)
    except TypeError:
        fields = "name, path, operator, bound and perhaps unit"
        raise BabycryError(f"{path}: gate number {number} must have {fields}") from None


def _toml_reader() -> Any:
    """``tomllib``, which Python has from 3.11 on; before that ``tomli``, the same reader."""
    try:
        return importlib.import_module("tomllib")
    except ModuleNotFoundError:
        return require("tomli", "bench")
