"""Baby-cry detection on small devices: the same answer on every target.

``Frontend`` computes features, ``Model`` runs an int8 network from a self-describing file, and
``Detector`` turns audio into cry events. Inference engines are loaded when they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from babycry_edge.config import FrontendConfig
    from babycry_edge.detector import Detection, Detector, Event
    from babycry_edge.errors import BabycryError
    from babycry_edge.frontend import Frontend, FrontendStream
    from babycry_edge.model import Model

__all__ = [
    "BabycryError",
    "Detection",
    "Detector",
    "Event",
    "Frontend",
    "FrontendConfig",
    "FrontendStream",
    "Model",
    "__version__",
]

_HOME = {
    "BabycryError": "errors",
    "Detection": "detector",
    "Detector": "detector",
    "Event": "detector",
    "Frontend": "frontend",
    "FrontendConfig": "config",
    "FrontendStream": "frontend",
    "Model": "model",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("babycry-edge")
    if name in _HOME:
        return getattr(importlib.import_module(f"babycry_edge.{_HOME[name]}"), name)
    raise AttributeError(f"module 'babycry_edge' has no attribute {name!r}")
