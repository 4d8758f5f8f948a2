"""What a test of another processor needs of this machine."""

from __future__ import annotations

import os

import pytest

from babycry_bench.targets import Target, missing_tools


def require_tools(target: Target) -> None:
    """Skips where a tool is absent, but fails where the build server must have it."""
    missing = missing_tools(target)
    if missing and os.environ.get("BABYCRY_REQUIRE_CROSS"):
        pytest.fail(f"not installed: {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
