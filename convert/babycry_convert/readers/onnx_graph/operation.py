"""What a rule for one ONNX operator gets to see, and the table of the rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from babycry_convert.readers.onnx_graph.build import Build, Value
from babycry_edge.errors import BabycryError


@dataclass(frozen=True)
class Operation:
    """One operator of the file.

    ``inputs``: None where the file leaves an optional one out. ``input_names`` as in the file.
    ``uses``: how often each value of the file is read. ``fixed_batch``: the file has a batch of 1
    that is being opened.
    """

    build: Build
    kind: str
    name: str
    inputs: list[Value | None]
    input_names: list[str]
    n_outputs: int
    attributes: dict[str, Any]
    opset: int
    uses: dict[str, int]
    opens_batch: bool

    def input(self, index: int) -> Value:
        value = self.optional(index)
        if value is None:
            raise BabycryError(f"its input {index} is missing")
        return value

    def optional(self, index: int) -> Value | None:
        return self.inputs[index] if index < len(self.inputs) else None

    def get(self, name: str, default: Any) -> Any:
        return self.attributes.get(name, default)

    def integers(self, name: str, index: int) -> list[int] | None:
        """A list that older operator sets give as attribute ``name`` and newer as input."""
        if name in self.attributes:
            value = self.attributes[name]
            return [int(v) for v in value] if isinstance(value, list) else [int(value)]
        given = self.optional(index)
        return None if given is None else given.integers()

    def layer_name(self) -> str:
        """The torch name of a layer if the file keeps it in its weight's name, else the node's."""
        for name in self.input_names[1:]:
            stem, _, ending = name.rpartition(".")
            if stem and ending in ("weight", "weight_ih_l0", "running_mean"):
                return stem
        pieces = [p for p in self.name.strip("/").split("/") if p]
        if len(pieces) > 1 and pieces[-1].split("_")[0] == self.kind:
            pieces = pieces[:-1]  # the torch exporter's /block/conv/Conv
        # a Sequential's children repeat its name: /block/block.0/Conv
        kept = [
            piece
            for piece, after in zip(pieces, [*pieces, ""][1:], strict=True)
            if not after.startswith(f"{piece}.")
        ]
        return ".".join(kept) or self.kind.lower()


Rule = Callable[[Operation], "Value | list[Value | None]"]

RULES: dict[str, Rule] = {}


def rule(*kinds: str) -> Callable[[Rule], Rule]:
    """Make a function the rule for operators of these names."""

    def register(function: Rule) -> Rule:
        for kind in kinds:
            RULES[kind] = function
        return function

    return register


def only_value(value: Value) -> float | None:
    """The one element of a constant; None for any other value."""
    if value.constant and value.tensor.numel() == 1 and value.tensor.dtype is not torch.bool:
        return float(value.tensor.reshape(()))
    return None
