"""The systems whose checkpoints convert by name, one module each.

A system's module has ``NAME``, ``DESCRIPTION``, ``LAYOUT`` (how it takes a window, see
``recipe.Recipe``), ``CHANNELS`` and ``build(n_classes, **options)``.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING, Any

from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    from torch import nn


def systems() -> dict[str, ModuleType]:
    """Every system's module by its name."""
    modules = [
        importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)
    ]
    return {module.NAME: module for module in modules if hasattr(module, "NAME")}


def names() -> list[str]:
    """The systems' names in alphabetical order."""
    return sorted(systems())


def build(name: str, n_classes: int, **options: Any) -> nn.Module:
    """A new, untrained network.

    Args:
        name: one of :func:`names`.
        n_classes: width of the output.
        options: the system's own, see its ``build``.

    Raises:
        BabycryError: no such system, or an option that it does not have.
    """
    known = systems()
    if name not in known:
        raise BabycryError(
            f"the zoo has no system {name!r}: choose from {', '.join(sorted(known))}"
        )
    try:
        network: nn.Module = known[name].build(n_classes, **options)
    except TypeError as error:
        raise BabycryError(f"system {name}: {error}") from None
    return network
