"""The timing loop: what it counts, and what it keeps out of the figures."""

import gc
import time
from functools import partial

import pytest

from babycry_bench.measure import Effort, Item, Workload, measure


def test_warm_up_calls_are_made_and_not_counted() -> None:
    calls: list[int] = []
    work = Workload("m", "engine", [Item(lambda: calls.append(1), 1.0)])
    (timing,) = measure([work], Effort(rounds=3, block_s=0.0, min_calls=5, warmup_calls=2))
    assert len(timing.nanoseconds) == 15
    assert timing.warmup == 6
    assert len(calls) == 21


def test_every_item_takes_its_turn() -> None:
    seen: list[str] = []
    items = [Item(partial(seen.append, name), 1.0) for name in "abc"]
    measure([Workload("m", "s", items)], Effort(2, 0.0, min_calls=3, warmup_calls=0))
    assert seen == ["a", "b", "c", "a", "b", "c"]


def test_a_fast_call_is_not_repeated_beyond_the_limit() -> None:
    effort = Effort(rounds=1, block_s=10.0, min_calls=1, max_calls=20)
    (timing,) = measure([Workload("m", "s", [Item(lambda: None, 1.0)])], effort)
    assert len(timing.nanoseconds) == 20


def test_workloads_take_turns_so_that_a_slow_spell_hits_all_of_them() -> None:
    order: list[str] = []
    works = [Workload(m, "s", [Item(partial(order.append, m), 1.0)]) for m in "ab"]
    measure(works, Effort(rounds=2, block_s=0.0, min_calls=1, warmup_calls=0))
    assert order == ["a", "b", "a", "b"]


def test_the_collector_rests_during_timed_calls_and_works_again_after() -> None:
    states: list[bool] = []
    work = Workload("m", "s", [Item(lambda: states.append(gc.isenabled()), 1.0)])
    measure([work], Effort(rounds=1, block_s=0.0, min_calls=3))
    assert not any(states)
    assert gc.isenabled()


def test_times_are_milliseconds_and_the_real_time_factor_is_their_share_of_the_audio() -> None:
    work = Workload("m", "s", [Item(lambda: time.sleep(0.005), audio_s=0.5)])
    (timing,) = measure([work], Effort(rounds=1, block_s=0.0, min_calls=9, warmup_calls=0))
    record = timing.to_dict()
    assert record["clock"] == "wall"
    assert record["count"] == 9
    assert 5.0 <= record["p50_ms"] <= record["p95_ms"] <= record["p99_ms"] <= record["max_ms"]
    assert record["real_time_factor"]["p50"] == pytest.approx(record["p50_ms"] / 500)
