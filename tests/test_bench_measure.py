"""The timing loop: what it counts, and what it keeps out of the figures."""

import gc
import math
import random
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle

import pytest

from babycry_bench.timing.confidence import half_width, median_interval
from babycry_bench.timing.measure import (
    Effort,
    Item,
    Timing,
    Workload,
    measure,
    timing_warnings,
)

pytest.importorskip("pytest_benchmark", reason="pip install 'babycry-edge[bench]'")


class Clock:
    """Time that passes when a call says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def spend(self, *seconds: float) -> Callable[[], None]:
        """A call that takes these times in turn."""
        turns = cycle(seconds)

        def call() -> None:
            self.now += next(turns)

        return call


def effort(rounds: int = 1, min_calls: int = 3, warmup_calls: int = 1, **more: float) -> Effort:
    """A short one: blocks of ``min_calls``, no rounds beyond ``rounds``."""
    settings = {"block_s": 0.0, "warmup_s": 0.0, "precision": None, **more}
    return Effort(rounds, rounds, min_calls=min_calls, warmup_calls=warmup_calls, **settings)  # type: ignore[arg-type]


def test_warm_up_calls_are_made_and_not_counted() -> None:
    calls: list[int] = []
    work = Workload("m", "network", [Item(lambda: calls.append(1), 1.0)])
    (timing,) = measure([work], effort(rounds=3, min_calls=5, warmup_calls=2))
    assert len(timing.milliseconds) == 15
    assert len(timing.rounds) == 3
    assert timing.warmup == 2 + 3 * 2
    assert len(calls) == 23


def test_every_item_takes_its_turn() -> None:
    seen: list[str] = []
    items = [Item(partial(seen.append, name), 1.0) for name in "abc"]
    measure([Workload("m", "s", items)], effort(rounds=2, min_calls=3, warmup_calls=0))
    assert seen == ["a", "b", "c", "a", "b", "c"]


def test_a_block_ends_with_a_pass_so_that_all_rounds_have_one_mixture() -> None:
    clock = Clock()
    items = [Item(clock.spend(0.01), float(index)) for index in range(7)]
    settings = effort(rounds=4, min_calls=3, block_s=0.095)
    (timing,) = measure([Workload("m", "s", items)], settings, timer=clock)
    assert len(timing.milliseconds) == 4 * 14
    assert list(timing.audio_s) == [float(index) for index in range(7)] * 8


def test_a_pass_that_takes_too_long_is_broken_off() -> None:
    clock = Clock()
    items = [Item(clock.spend(0.01), 1.0) for _ in range(1000)]
    settings = effort(rounds=2, block_s=0.01, min_calls=2)
    (timing,) = measure([Workload("m", "s", items)], settings, timer=clock)
    assert len(timing.milliseconds) == 2 * 20


def test_a_fast_call_is_not_repeated_beyond_the_limit() -> None:
    clock = Clock()
    settings = effort(block_s=10.0, min_calls=1, max_calls=20)
    (timing,) = measure([Workload("m", "s", [Item(clock.spend(1e-6), 1.0)])], settings, timer=clock)
    assert len(timing.milliseconds) == 20


def test_workloads_take_turns_and_every_other_round_runs_backwards() -> None:
    order: list[str] = []
    works = [Workload(m, "s", [Item(partial(order.append, m), 1.0)]) for m in "ab"]
    measure(works, effort(rounds=4, min_calls=1, warmup_calls=0))
    assert "".join(order) == "abbaabba"


def test_rounds_go_on_until_p50_is_known_and_only_for_those_that_need_them() -> None:
    clock = Clock()
    works = [
        Workload("steady", "s", [Item(clock.spend(0.002), 1.0)]),
        Workload("unsteady", "s", [Item(clock.spend(0.002, 0.002, 0.005, 0.005), 1.0)]),
    ]
    settings = Effort(8, 14, 0.0, 2, warmup_s=0.0, warmup_calls=0, precision=0.3)
    steady, moving = measure(works, settings, timer=clock)
    assert len(steady.rounds) == 8
    assert len(moving.rounds) == 14
    (warning,) = timing_warnings([steady, moving], settings)
    assert warning.startswith("p50 of 1 of 2 stages is not known to 30%, worst s of unsteady")


def test_no_round_is_added_when_the_budget_is_spent() -> None:
    clock = Clock()
    work = Workload("m", "s", [Item(clock.spend(0.001, 0.002, 0.003), 1.0)])
    settings = Effort(6, 50, 0.0, 1, warmup_s=0.0, precision=1e-9, budget_s=0.01)
    (timing,) = measure([work], settings, timer=clock)
    assert len(timing.rounds) == 6


def test_progress_is_told_of_every_block() -> None:
    told: list[tuple[str, int]] = []
    blocks: list[int] = []

    def track(title: str, steps: int) -> "partial[None]":
        told.append((title, steps))
        return partial(blocks.append, 1)

    work = Workload("m", "s", [Item(lambda: None, 1.0)])
    measure([work, work], effort(rounds=3), track, "quick")
    assert told[0] == ("quick", 8)
    assert len(blocks) == 8


def test_the_collector_rests_during_timed_calls_and_works_again_after() -> None:
    states: list[bool] = []
    work = Workload("m", "s", [Item(lambda: states.append(gc.isenabled()), 1.0)])
    measure([work], effort(warmup_calls=0))
    assert states.count(False) >= 3
    assert gc.isenabled()


def test_times_are_milliseconds_and_the_real_time_factor_is_their_share_of_the_audio() -> None:
    clock = Clock()
    work = Workload("m", "pipeline", [Item(clock.spend(0.005, 0.006, 0.007), 0.5)], also=["n"])
    (timing,) = measure([work], effort(min_calls=9, warmup_calls=0), timer=clock)
    record, other = timing.records(cores=2)
    assert (record["clock"], record["unit"], record["count"]) == ("wall", "ms", 9)
    assert (record["p50"], record["max"]) == (pytest.approx(6.0), pytest.approx(7.0))
    assert record["real_time_factor"]["p50"] == pytest.approx(0.012)
    assert record["duty_cycle"] == pytest.approx(0.012)
    assert other == {**record, "model": "n"}


def test_processor_time_is_that_of_the_timed_calls() -> None:
    def spin() -> None:
        end = time.process_time() + 0.01
        while time.process_time() < end:
            pass

    (timing,) = measure([Workload("m", "s", [Item(spin, 1.0)])], effort(min_calls=5))
    (record,) = timing.records(cores=4)
    assert record["cpu_share"] == pytest.approx(0.01 / 4, rel=0.2)


def test_a_pipeline_that_becomes_slower_is_told() -> None:
    timing = Timing(Workload("m", "pipeline", [Item(lambda: None, 1.0)]))
    timing.rounds = [1.0] * 6 + [1.2] * 6
    timing.milliseconds.extend(timing.rounds)
    assert timing.drift == pytest.approx(0.2)
    (warning,) = timing_warnings([timing], effort())
    assert warning == "the whole pipeline of m became 20% slower in the course of the run"


@pytest.mark.parametrize(
    ("count", "ranks"),
    # ranks from the binomial tables of the sign test at 5 %
    [
        (5, None),
        (6, (1, 6)),
        (8, (1, 8)),
        (9, (2, 8)),
        (12, (3, 10)),
        (20, (6, 15)),
        (50, (18, 33)),
    ],
)
def test_the_interval_of_a_median_by_order_statistics(
    count: int, ranks: tuple[int, int] | None
) -> None:
    values = [float(value) for value in range(count, 0, -1)]
    assert median_interval(values) == ranks


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    generator = random.Random(1)
    inside = 0
    for _ in range(2000):
        drawn = [generator.expovariate(1.0) for _ in range(12)]
        low, high = median_interval(drawn) or (0.0, 0.0)
        inside += low <= math.log(2) <= high
    assert 0.95 <= inside / 2000 <= 0.985  # 0.961 by the binomial distribution


def test_confidence_is_a_share() -> None:
    for wrong in (0.0, 1.0, 95.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            median_interval([1.0], wrong)
    assert half_width((9.0, 12.0), 10.0) == pytest.approx(0.2)
    assert half_width((0.0, 0.0), 0.0) == math.inf
