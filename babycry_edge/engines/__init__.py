"""Inference engines behind one protocol; each library is imported when a model asks for it."""

from __future__ import annotations

from babycry_edge.engines.choice import ENGINES, engines_for, open_engine
from babycry_edge.engines.engine import Engine

__all__ = ["ENGINES", "Engine", "engines_for", "open_engine"]
