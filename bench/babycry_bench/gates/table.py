"""The table of gates, read from TOML."""

from __future__ import annotations

import importlib
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from babycry_bench.gates.places import parse_place
from babycry_bench.gates.possible_places import is_possible
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

Bound = bool | int | float | str
_FIELDS = "name, path, operator, bound or relative, and perhaps unit and optional"


@dataclass(frozen=True)
class Gate:
    """One line of the table: the value at ``path`` must stand in ``operator`` to the bound.

    Attributes:
        bound: a number, a boolean or a string; None where ``relative`` is given.
        unit: for people.
        relative: the bound is this many times what a baseline report has in the same place.
        optional: what lies at ``path`` may be absent from the report; then the gate is skipped.

    Raises:
        BabycryError: a field cannot be what it is.
    """

    name: str
    path: str
    operator: str
    bound: Bound | None = None
    unit: str = ""
    relative: float | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise BabycryError("a gate's name must be text")
        try:
            self._check()
        except BabycryError as error:
            raise BabycryError(f"gate '{self.name}': {error}") from None

    def _check(self) -> None:
        for field in ("path", "operator", "unit"):
            if not isinstance(getattr(self, field), str):
                raise BabycryError(f"{field} must be text")
        if not isinstance(self.optional, bool):
            raise BabycryError("optional must be true or false")
        if self.operator not in OPERATORS:
            raise BabycryError(f"operator must be one of {', '.join(OPERATORS)}")
        if (self.bound is None) == (self.relative is None):
            raise BabycryError("give either bound or relative")
        if self.bound is not None:
            self._check_bound()
        elif not _is_number(self.relative) or not 0 < float(self.relative or 0) < math.inf:
            raise BabycryError("relative must be a number above 0, such as 1.1")
        parse_place(self.path)

    def _check_bound(self) -> None:
        if not isinstance(self.bound, (bool, int, float, str)):
            raise BabycryError("bound must be a number, a text, true or false")
        if _is_number(self.bound) and not math.isfinite(float(self.bound)):
            raise BabycryError("bound must be finite")
        if not _is_number(self.bound) and self.operator != "==":
            raise BabycryError(f"operator must be == for the bound {self.bound!r}")

    def holds(self, value: Any, bound: Any = None) -> bool:
        """Whether ``value`` passes ``bound``, the gate's own unless given.

        A value that cannot be compared, and NaN, does not; true is not 1.
        """
        bound = self.bound if bound is None else bound
        if _is_number(value) != _is_number(bound):
            return False
        try:
            return bool(OPERATORS[self.operator](value, bound))
        except TypeError:
            return False


def read_gates(path: Path = DEFAULT_TABLE) -> list[Gate]:
    """The gates of a TOML file, in its order.

    Raises:
        BabycryError: the file cannot be read, is not TOML, a gate lacks or misnames a field, two
            gates have one name, or a path leads where no report has anything.
    """
    toml = _toml_reader()
    try:
        with path.open("rb") as file:
            content = toml.load(file)
    except OSError as error:
        raise BabycryError(f"{path}: cannot be read: {error.strerror}") from None
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BabycryError(f"{path}: not TOML: {error}") from None
    entries = content.get("gate")
    if not isinstance(entries, list) or not entries:
        raise BabycryError(f"{path}: holds no [[gate]]")
    for name in content.keys() - {"gate"}:
        raise BabycryError(f"{path}: holds '{name}', but gates are written [[gate]]")
    gates: list[Gate] = []
    for number, entry in enumerate(entries, start=1):
        gate = _gate_from(entry, number, path)
        if gate.name in (earlier.name for earlier in gates):
            raise BabycryError(f"{path}: gate '{gate.name}' is there twice: rename one")
        gates.append(gate)
    return gates


def _gate_from(entry: Any, number: int, path: Path) -> Gate:
    known = {field.name for field in fields(Gate)}
    if (
        not isinstance(entry, dict)
        or not {"name", "path", "operator"} <= entry.keys()
        or not entry.keys() <= known
        or not entry.keys() & {"bound", "relative"}
    ):
        name = entry.get("name") if isinstance(entry, dict) else None
        called = f" ('{name}')" if isinstance(name, str) else ""
        raise BabycryError(f"{path}: gate number {number}{called} must have {_FIELDS}")
    try:
        gate = Gate(**entry)
    except BabycryError as error:
        raise BabycryError(f"{path}: {error}") from None
    if not is_possible(gate.path):
        raise BabycryError(f"{path}: gate '{gate.name}': no report has a place '{gate.path}'")
    return gate


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _toml_reader() -> Any:
    """``tomllib``, which Python has from 3.11 on; before that ``tomli``, the same reader."""
    try:
        return importlib.import_module("tomllib")
    except ModuleNotFoundError:
        return require("tomli", "bench")
