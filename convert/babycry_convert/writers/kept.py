"""Which operators stay out of int8 when layers are named for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from babycry_convert.writers.layer_names import is_within, owners
from babycry_convert.writers.operators import Operator
from babycry_edge.errors import BabycryError


def kept_operators(
    operators: list[Operator], layers: Collection[str], names: Mapping[str, str]
) -> list[Operator]:
    """The operators of the named layers, with what works on their results up to the next layer.

    Keeping a convolution alone would gain little: its result would be rounded to int8 at once.

    Args:
        operators: of the float file.
        layers: names of torch layers or of modules around them; an operator's own name is taken,
            too.
        names: from :func:`babycry_convert.writers.layer_names.layer_names` of the same file.

    Raises:
        BabycryError: a name that no operator has.
    """
    if not layers:
        return []
    known = {*names.values(), *(operator.name for operator in operators)}
    for layer in layers:
        if not any(is_within(name, [layer]) for name in known):
            raise BabycryError(f"no operator of the model belongs to a layer named {layer!r}")
    belongs = owners(operators, dict(names))
    return [
        operator
        for operator in operators
        if operator.name in layers
        or any(is_within(name, layers) for name in belongs.get(_first(operator), ()))
    ]


def _first(operator: Operator) -> str:
    return operator.outputs[0] if operator.outputs else ""
