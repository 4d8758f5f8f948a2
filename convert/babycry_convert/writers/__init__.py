"""What turns a network into model files, one module a kind of file, found by name.

A writer's module has ``FORMAT``, the file format; ``INT8``, whether its files are int8; and
``SUFFIX``, what follows the stem in the name of its files. A float writer has an ``export_...``
that takes a network, an int8 writer a ``quantize_...`` that takes the float writer's bytes.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def writers() -> dict[str, ModuleType]:
    """Every writer's module by its name."""
    modules = {
        m.name: importlib.import_module(f"{__name__}.{m.name}")
        for m in pkgutil.iter_modules(__path__)
    }
    return {name: module for name, module in modules.items() if hasattr(module, "SUFFIX")}


def names() -> list[str]:
    """The writers' names in alphabetical order."""
    return sorted(writers())
