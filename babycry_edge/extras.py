"""Optional libraries, loaded only when they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from babycry_edge.errors import BabycryError


def require(module: str, extra: str) -> ModuleType:
    """Import ``module``, which the optional dependency set ``extra`` brings.

    Raises:
        BabycryError: the module is not installed; the message says which ``pip install`` mends it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or module.split(".")[0] != error.name.split(".")[0]:
            raise
        raise BabycryError(
            f"{module} is not installed: pip install 'babycry-edge[{extra}]'"
        ) from None
