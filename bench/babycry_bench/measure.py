"""Timing of calls: warm-up, then blocks of calls, one workload after the other, in rounds.

Rounds spread every workload over the whole run, so that a machine that slows down half-way slows
all of them alike and a comparison between two of them still holds.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from babycry_bench.percentiles import percentile


@dataclass(frozen=True)
class Item:
    """One call to time, and the seconds of audio that it answers for."""

    call: Callable[[], object]
    audio_s: float


@dataclass(frozen=True)
class Workload:
    """A stage of a model: its items are called in turn, again and again."""

    model: str
    stage: str
    items: Sequence[Item]


@dataclass(frozen=True)
class Effort:
    """How long to measure each workload: ``rounds`` blocks of ``block_s`` seconds.

    A block times ``min_calls`` calls however long they take and ``max_calls`` at most, after
    ``warmup_calls`` calls that bring caches and clocks up and are not counted.
    """

    rounds: int = 8
    block_s: float = 0.3
    min_calls: int = 8
    max_calls: int = 500
    warmup_calls: int = 2


FULL = Effort()
QUICK = Effort(rounds=3, block_s=0.05, min_calls=7)


@dataclass
class Timing:
    """What was measured of one workload."""

    workload: Workload
    nanoseconds: list[int] = field(default_factory=list)
    audio_s: list[float] = field(default_factory=list)
    warmup: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The record of this stage in the report: milliseconds and real-time factors.

        A real-time factor is computing time over audio time: 0.01 is one per cent of a core.
        """
        factors = [
            ns * 1e-9 / audio for ns, audio in zip(self.nanoseconds, self.audio_s, strict=True)
        ]
        return {
            "model": self.workload.model,
            "stage": self.workload.stage,
            "clock": "wall",
            "warmup": self.warmup,
            "count": len(self.nanoseconds),
            "audio_s": percentile(self.audio_s, 50.0),
            "p50_ms": percentile(self.nanoseconds, 50.0) * 1e-6,
            "p95_ms": percentile(self.nanoseconds, 95.0) * 1e-6,
            "p99_ms": percentile(self.nanoseconds, 99.0) * 1e-6,
            "max_ms": max(self.nanoseconds) * 1e-6,
            "real_time_factor": {
                "p50": percentile(factors, 50.0),
                "p95": percentile(factors, 95.0),
                "max": max(factors),
            },
        }


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Keeps the collector out of the timed calls."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def measure(
    workloads: Sequence[Workload],
    effort: Effort,
    on_block: Callable[[], object] = lambda: None,
) -> list[Timing]:
    """Time every workload; ``on_block`` is called after each of its ``effort.rounds`` blocks."""
    timings = [Timing(workload) for workload in workloads]
    for _ in range(effort.rounds):
        for timing in timings:
            with garbage_collection_paused():
                _measure_block(timing, effort)
            on_block()
    return timings


def _measure_block(timing: Timing, effort: Effort) -> None:
    items = timing.workload.items
    for _ in range(effort.warmup_calls):
        items[len(timing.nanoseconds) % len(items)].call()
    timing.warmup += effort.warmup_calls
    calls = 0
    block_end = perf_counter_ns() + int(effort.block_s * 1e9)
    while calls < effort.min_calls or (calls < effort.max_calls and perf_counter_ns() < block_end):
        item = items[len(timing.nanoseconds) % len(items)]
        start = perf_counter_ns()
        item.call()
        stop = perf_counter_ns()
        timing.nanoseconds.append(stop - start)
        timing.audio_s.append(item.audio_s)
        calls += 1
