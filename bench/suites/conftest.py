"""One thread for everybody: the comparison is of code, not of cores.

The libraries that read an environment variable are told before numpy is imported, and the process
is pinned to one core, so that what starts threads all the same gains nothing by them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

for _name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "NUMEXPR"):
    os.environ[f"{_name}_NUM_THREADS"] = "1"
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).parent))  # so that a suite can import side_by_side

if TYPE_CHECKING:
    from side_by_side import Samples


def pytest_benchmark_update_machine_info(machine_info: dict[str, object]) -> None:
    from babycry_bench.facts.machine import describe_machine, machine_warnings
    from babycry_edge.frontend import instruction_sets

    machine_info["instruction_set"] = instruction_sets()[0]
    for warning in machine_warnings(describe_machine()):
        print(f"warning: {warning}")


@pytest.fixture(scope="session")
def minute() -> Samples:
    """60 s of the bundled clips, one after the other, again and again; (960000,) float32."""
    import numpy as np
    from side_by_side import AUDIO_S, SAMPLE_RATE

    from babycry_bench.clips import load_clips
    from babycry_edge.audio import as_float

    clips = [clip for clip in load_clips() if clip.sample_rate == SAMPLE_RATE]
    return as_float(np.resize(np.concatenate([c.samples for c in clips]), SAMPLE_RATE * AUDIO_S))
