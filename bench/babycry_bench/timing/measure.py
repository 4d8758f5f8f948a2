"""Timing of calls: warm-up, then blocks of calls, one workload after the other, in rounds.

Rounds spread every workload over the whole run, and every other one runs backwards, so that a
machine that slows down half-way slows all of them alike and a comparison between two of them still
holds. The clock is pytest-benchmark's, as in ``bench/suites``.
"""

from __future__ import annotations

import gc
import math
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from babycry_bench.timing.confidence import half_width, median_interval
from babycry_bench.timing.percentiles import median
from babycry_bench.timing.stage_record import stage_record
from babycry_edge.extras import require
from babycry_edge.progress import Advance, Track

_MS_PER_S = 1000.0
_PATIENCE = 20.0
_DRIFT = 0.05


@dataclass(frozen=True)
class Item:
    """One call to time, and the seconds of audio that it answers for."""

    call: Callable[[], object]
    audio_s: float


@dataclass(frozen=True)
class Workload:
    """A stage of a model: its items are called in turn, again and again.

    ``also`` names the other models whose stage is this very work.
    """

    model: str
    stage: str
    items: Sequence[Item]
    also: Sequence[str] = ()


@dataclass(frozen=True)
class Effort:
    """How long to measure each workload.

    Attributes:
        min_rounds: rounds that every workload gets; 6 or more bear a 95 % interval.
        max_rounds: rounds that it gets at most, while its p50 is not yet known to ``precision``.
        block_s: seconds of one workload in one round. A block goes on to the end of a pass over
            all items, so that every round has the same mixture of them, unless that takes
            twenty times as long.
        min_calls: calls of a block however long they take.
        max_calls: calls of a block after which it ends with the pass.
        warmup_s: seconds of the round of every workload that is not counted.
        warmup_calls: calls before each block that bring caches back and are not counted.
        precision: share of p50 that half its 95 % interval is to stay below; None for whatever
            ``min_rounds`` give.
        budget_s: seconds after which no round is added.
    """

    min_rounds: int = 12
    max_rounds: int = 60
    block_s: float = 0.1
    min_calls: int = 5
    max_calls: int = 2000
    warmup_s: float = 0.1
    warmup_calls: int = 2
    precision: float | None = 0.02
    budget_s: float = 90.0


FULL = Effort()
QUICK = Effort(min_rounds=7, max_rounds=7, block_s=0.03, warmup_s=0.03, precision=None)


@dataclass
class Timing:
    """What was measured of one workload: a time in ms for each call, and each round's median."""

    workload: Workload
    milliseconds: array[float] = field(default_factory=lambda: array("d"))
    audio_s: array[float] = field(default_factory=lambda: array("d"))
    rounds: list[float] = field(default_factory=list)
    warmup: int = 0
    cpu_s: float = 0.0

    @property
    def p50(self) -> float:
        """Median of all calls, ms."""
        return median(self.milliseconds)

    @property
    def p50_interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of :attr:`p50` over the rounds, ms.

        It holds p50 itself: rounds of unequal length may put the median of all calls beside that
        of the rounds. Adding rounds until the interval is short makes it a little optimistic.
        """
        interval, p50 = median_interval(self.rounds), self.p50
        if interval is None:
            return None
        return min(interval[0], p50), max(interval[1], p50)

    @property
    def uncertainty(self) -> float:
        """Half the interval as a share of the median; infinite where there is no interval.

        Of the rounds' median, which is found at once; that of all calls lies close by.
        """
        interval = median_interval(self.rounds)
        return math.inf if interval is None else half_width(interval, median(self.rounds))

    @property
    def drift(self) -> float:
        """How far the second half of the rounds lies above the first, as a share of the first."""
        half = len(self.rounds) // 2
        if half == 0:
            return 0.0
        return median(self.rounds[-half:]) / median(self.rounds[:half]) - 1.0

    def records(self, cores: int | None) -> list[dict[str, Any]]:
        """The stage's record for each of its models; ``cores`` are the machine's."""
        record = stage_record(
            self.milliseconds,
            clock="wall",
            stage=self.workload.stage,
            model=self.workload.model,
            audio_s=self.audio_s,
            warmup=self.warmup,
            rounds=self.rounds,
            p50_interval=self.p50_interval,
            cpu_s=self.cpu_s,
            cores=cores,
        )
        return [{**record, "model": name} for name in (self.workload.model, *self.workload.also)]


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


def clock() -> Callable[[], float]:
    """Seconds on pytest-benchmark's clock.

    Raises:
        BabycryError: pytest-benchmark is not installed.
    """
    timer: Callable[[], float] = require("pytest_benchmark.timers", "bench").default_timer
    return timer


def silent(title: str, steps: int) -> Advance:
    """The track of who does not watch."""
    return lambda: None


def measure(
    workloads: Sequence[Workload],
    effort: Effort,
    track: Track = silent,
    title: str = "latency",
    timer: Callable[[], float] | None = None,
) -> list[Timing]:
    """Time every workload; ``track`` hears of each block.

    Every workload gets ``effort.min_rounds``. Then rounds go on for those whose p50 is not known
    to ``effort.precision``. ``timer`` gives seconds, by default as :func:`clock`.

    Raises:
        BabycryError: pytest-benchmark is not installed.
    """
    timer = timer or clock()
    timings = [Timing(workload) for workload in workloads]
    deadline = timer() + effort.budget_s
    advance = track(title, len(timings) * (effort.min_rounds + 1))
    for timing in timings:
        _warm_up(timing, effort, timer)
        advance()
    for number in range(effort.min_rounds):
        _measure_round(timings, number, effort, timer, advance)
    open_ones = [timing for timing in timings if not is_settled(timing, effort)]
    advance = track(f"{title}, to certainty", effort.max_rounds - effort.min_rounds)
    for number in range(effort.min_rounds, effort.max_rounds):
        if not open_ones or timer() > deadline:
            break
        _measure_round(open_ones, number, effort, timer)
        open_ones = [timing for timing in open_ones if not is_settled(timing, effort)]
        advance()
    return timings


def is_settled(timing: Timing, effort: Effort) -> bool:
    """Whether p50 is known as well as ``effort`` wants."""
    return effort.precision is None or timing.uncertainty <= effort.precision


def timing_warnings(timings: Sequence[Timing], effort: Effort) -> list[str]:
    """What in the figures themselves speaks against them, in a reader's words."""
    warnings = []
    if effort.precision is not None:
        vague = sorted(
            (timing for timing in timings if not is_settled(timing, effort)),
            key=lambda timing: -timing.uncertainty,
        )
        if vague:
            worst = vague[0]
            warnings.append(
                f"p50 of {len(vague)} of {len(timings)} stages is not known to "
                f"{effort.precision:.0%}, worst {worst.workload.stage} of {worst.workload.model} "
                f"(+-{worst.uncertainty:.0%}): other work here, or a clock that wanders"
            )
    moved = [
        timing
        for timing in timings
        if timing.workload.stage == "pipeline" and abs(timing.drift) > _DRIFT
    ]
    if moved:
        worst = max(moved, key=lambda timing: abs(timing.drift))
        warnings.append(
            f"the whole pipeline of {worst.workload.model} became {abs(worst.drift):.0%} "
            f"{'slower' if worst.drift > 0 else 'faster'} in the course of the run"
        )
    return warnings


def _measure_round(
    timings: Sequence[Timing],
    number: int,
    effort: Effort,
    timer: Callable[[], float],
    advance: Advance = lambda: None,
) -> None:
    for timing in timings if number % 2 == 0 else reversed(timings):
        with garbage_collection_paused():
            _measure_block(timing, effort, timer)
        advance()


def _warm_up(timing: Timing, effort: Effort, timer: Callable[[], float]) -> None:
    """Until ``warmup_s`` are over: page faults, an engine's first plans, a clock that rises."""
    items = timing.workload.items
    end = timer() + effort.warmup_s
    while timing.warmup < effort.warmup_calls or timer() < end:
        items[timing.warmup % len(items)].call()
        timing.warmup += 1


def _measure_block(timing: Timing, effort: Effort, timer: Callable[[], float]) -> None:
    items = timing.workload.items
    turn = len(timing.milliseconds)
    for _ in range(effort.warmup_calls):
        items[turn % len(items)].call()
    timing.warmup += effort.warmup_calls
    block: list[float] = []
    cpu_start = time.process_time()
    begin = timer()
    while _goes_on(len(block), timer() - begin, len(items), effort):
        item = items[(turn + len(block)) % len(items)]
        start = timer()
        item.call()
        stop = timer()
        block.append((stop - start) * _MS_PER_S)
        timing.audio_s.append(item.audio_s)
    cpu_s, wall_s = time.process_time() - cpu_start, timer() - begin
    if wall_s > 0:  # the loop is at work too, between the calls
        timing.cpu_s += cpu_s * sum(block) / _MS_PER_S / wall_s
    timing.milliseconds.extend(block)
    timing.rounds.append(median(block))


def _goes_on(calls: int, elapsed_s: float, n_items: int, effort: Effort) -> bool:
    """Whether a block has another call."""
    if calls < max(1, effort.min_calls):
        return True
    if elapsed_s < effort.block_s and calls < effort.max_calls:
        return True
    return calls % n_items != 0 and elapsed_s < _PATIENCE * effort.block_s
