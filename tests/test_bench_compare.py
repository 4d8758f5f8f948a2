"""Reports against each other: no alarm without a change, none missed with one."""

import argparse
import io
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from babycry_bench.comparison.compare import (
    COUNT_THRESHOLD,
    compare,
    comparison_markdown,
    print_comparison,
)
from babycry_bench.comparison.compare_command import add_compare
from babycry_bench.comparison.significance import (
    holm,
    mann_whitney,
    normal_p,
    p_of_intervals,
    ratio_interval,
    smallest_p,
)
from babycry_bench.reports.quantity_text import short_stage_title
from babycry_bench.timing.measure import Effort, Item, Workload, measure
from babycry_edge.errors import BabycryError
from sample_report import report, stage

Record = dict[str, Any]

pytest.importorskip("rich", reason="pip install 'babycry-edge[bench]'")


_REPORT = {**report(), "targets": [], "accuracy": [], "gates": [], "models": []}


def with_stages(*stages: Record) -> Record:
    return {**_REPORT, "stages": list(stages)}


def timed(rounds: list[float], name: str = "pipeline", **more: Any) -> Record:
    """A stage as measured in ``rounds``."""
    p50 = float(np.median(rounds))
    ends = [float(min(rounds)), float(max(rounds))]
    return {**stage(name, p50, model="m"), "rounds": rounds, "p50_interval": ends, **more}


def entries_of(result: Record) -> list[Record]:
    """The stages of the first comparison."""
    stages: list[Record] = result["comparisons"][0]["stages"]
    return stages


def verdicts(result: Record) -> list[str]:
    return [entry["verdict"] for c in result["comparisons"] for entry in c["stages"]]


def pair(before: Record, after: Record, **options: Any) -> Record:
    return compare([before, after], ["a.json", "b.json"], **options)


# The test of ranks.


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 6), (3, 4), (8, 8), (15, 15)])
@pytest.mark.parametrize("shift", [0.0, 0.7, 5.0])
def test_the_exact_p_is_that_of_scipy(n: int, m: int, shift: float) -> None:
    stats = pytest.importorskip("scipy.stats", reason="pip install scipy")
    generator = np.random.default_rng(n * 100 + m)
    first, second = generator.normal(size=n), generator.normal(size=m) + shift
    expected = stats.mannwhitneyu(first, second, method="exact").pvalue
    assert mann_whitney(first.tolist(), second.tolist()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_the_p_of_many_values_is_scipys_normal_approximation(decimals: int | None) -> None:
    stats = pytest.importorskip("scipy.stats", reason="pip install scipy")
    generator = np.random.default_rng(3)
    first, second = generator.normal(size=40), generator.normal(size=35) + 0.4
    if decimals is not None:
        first, second = first.round(decimals), second.round(decimals)
    expected = stats.mannwhitneyu(first, second, method="asymptotic").pvalue
    assert mann_whitney(first.tolist(), second.tolist()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_ties_are_counted_exactly(seed: int) -> None:
    """Against every split of the pooled values, each counted by its sum of midranks."""
    generator = np.random.default_rng(seed)
    values = generator.integers(0, 4, size=9).astype(float).tolist()
    n = 4
    ordered = sorted(values)
    midrank = {
        v: np.mean([i + 1 for i, other in enumerate(ordered) if other == v]) for v in set(values)
    }
    mean = n * (len(values) + 1) / 2
    distance = abs(sum(midrank[v] for v in values[:n]) - mean)
    splits = [
        abs(sum(midrank[v] for v in split) - mean) >= distance - 1e-9
        for split in itertools.combinations(values, n)
    ]
    assert mann_whitney(values[:n], values[n:]) == pytest.approx(sum(splits) / len(splits))


def test_a_sample_beside_itself_has_a_p_of_one() -> None:
    values = [1.0, 2.0, 2.0, 3.0]
    assert mann_whitney(values, values) == 1.0
    assert mann_whitney([2.0] * 30, [2.0] * 30) == 1.0


def test_the_smallest_p_is_that_of_samples_that_lie_apart() -> None:
    for n, m in ((3, 3), (5, 7), (8, 8)):
        apart = mann_whitney(list(range(n)), [100.0 + i for i in range(m)])
        assert apart == pytest.approx(smallest_p(n, m))


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        mann_whitney([], [1.0])


def test_holm_is_that_of_the_textbook() -> None:
    """Values of R's p.adjust(c(0.01, 0.04, 0.03, 0.005), 'holm')."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_normal_deviate_of_196_has_a_p_of_5_per_cent() -> None:
    assert normal_p(1.959963984540054) == pytest.approx(0.05)


def test_the_interval_of_a_ratio_holds_it_in_95_of_100_cases() -> None:
    generator = np.random.default_rng(5)
    held = 0
    for seed in range(200):
        before = (10.0 * generator.lognormal(0, 0.03, 20)).tolist()
        after = (12.0 * generator.lognormal(0, 0.03, 20)).tolist()
        low, high = ratio_interval(before, after, seed)
        held += low <= 1.2 <= high
    assert 180 <= held <= 200


def test_the_interval_of_a_ratio_is_the_same_every_time() -> None:
    before, after = [1.0, 1.1, 1.2, 0.9], [1.3, 1.2, 1.4, 1.1]
    assert ratio_interval(before, after, 7) == ratio_interval(before, after, 7)


def test_intervals_of_p50_give_a_p_value_where_there_are_no_rounds() -> None:
    far, _ = p_of_intervals(1.0, (0.99, 1.01), 1.2, (1.19, 1.21))
    near, (low, high) = p_of_intervals(1.0, (0.9, 1.1), 1.05, (0.95, 1.15))
    assert far < 1e-6
    assert near > 0.1
    assert low < 1.0 < 1.05 < high


# Simulated runs.


def noisy_rounds(generator: np.random.Generator, p50: float, rounds: int) -> list[float]:
    """Round medians of a run on a machine with other work: spread, slow drift, outliers."""
    spread = generator.normal(0, 0.015, rounds)
    drift = np.linspace(-1, 1, rounds) * generator.normal(0, 0.015)
    run = generator.normal(0, 0.01)
    outliers = (generator.random(rounds) < 0.1) * generator.exponential(0.3, rounds)
    values: list[float] = (p50 * np.exp(spread + drift + run + outliers)).tolist()
    return values


def simulated(generator: np.random.Generator, rounds: int, *p50s: float) -> Record:
    """A report of one stage for each of ``p50s``."""
    return with_stages(
        *(timed(noisy_rounds(generator, p50, rounds), layer=str(i)) for i, p50 in enumerate(p50s))
    )


@pytest.mark.parametrize(
    ("rounds", "repeats", "power"), [(7, 60, 0.5), (12, 100, 0.95), (24, 40, 0.97)]
)
def test_noise_raises_no_alarm_and_20_per_cent_are_found(
    rounds: int, repeats: int, power: float
) -> None:
    """Reports of eight stages: one alarm at most. --quick has 7 rounds, a full run 12."""
    alarms, found = 0, 0
    for seed in range(repeats):
        generator = np.random.default_rng(1000 * rounds + seed)
        before = simulated(generator, rounds, *[3.0] * 8)
        same = simulated(generator, rounds, *[3.0] * 8)
        slower = simulated(generator, rounds, 3.6, *[3.0] * 7)
        result = compare([before, same, slower], ["a", "same", "slower"])
        again, changed = result["comparisons"]
        alarms += bool(again["slower"] or again["faster"])
        found += changed["stages"][0]["verdict"] == "slower"
    assert alarms <= 1
    assert found >= power * repeats


def test_without_the_test_of_ranks_outliers_would_alarm() -> None:
    """Beyond the threshold, but the rounds say that it is noise."""
    before = timed([1.0, 1.3, 1.0, 1.3, 1.0, 1.3, 1.0, 1.0])
    after = timed([1.3, 1.0, 1.3, 1.0, 1.3, 1.0, 1.3, 1.3])
    (entry,) = entries_of(pair(with_stages(before), with_stages(after)))
    assert entry["ratio"] > 1.05
    assert entry["p_value"] > 0.05
    assert (entry["verdict"], entry["reason"][:17]) == ("not known", "beyond the thresh")


def test_a_change_below_the_threshold_does_not_matter_however_sure() -> None:
    before, after = ([p50 + 0.001 * i for i in range(12)] for p50 in (10.0, 10.4))
    stages = with_stages(timed(before)), with_stages(timed(after))
    assert verdicts(pair(*stages)) == ["no difference"]
    assert verdicts(pair(*stages, threshold=0.03)) == ["slower"]
    assert verdicts(pair(*reversed(stages), threshold=0.03)) == ["faster"]


def test_a_change_whose_interval_reaches_below_the_threshold_is_not_known() -> None:
    before, after = ([p50 + 0.05 * i for i in range(12)] for p50 in (10.0, 10.7))
    (entry,) = entries_of(pair(with_stages(timed(before)), with_stages(timed(after))))
    assert entry["ratio_interval"][0] < 1.05 < entry["ratio"]
    assert entry["p_adjusted"] < 0.05
    assert (entry["verdict"], entry["reason"][:15]) == ("not known", "more than noise")


def test_many_stages_make_it_harder_for_each() -> None:
    """Rounds that tell one stage apart (p = 0.029 for 4 and 4) do not do so among three."""
    before, after = [1.0, 1.01, 1.02, 1.03], [1.2, 1.21, 1.22, 1.23]
    assert verdicts(pair(with_stages(timed(before)), with_stages(timed(after)))) == ["slower"]
    many = [
        with_stages(*(timed(rounds, layer=str(i)) for i in range(3))) for rounds in (before, after)
    ]
    entries = entries_of(pair(*many))
    assert {entry["verdict"] for entry in entries} == {"not known"}
    assert {entry["reason"] for entry in entries} == {
        "too few rounds to tell a difference from noise"
    }


def test_layers_do_not_make_it_harder_for_the_stages() -> None:
    before, after = (
        with_stages(
            timed([p50 + 0.01 * i for i in range(4)]),
            *(timed([p50 + 0.01 * i for i in range(4)], "layer", layer=str(n)) for n in range(30)),
        )
        for p50 in (1.0, 1.2)
    )
    assert verdicts(pair(before, after))[0] == "slower"


# Measured runs.


def work(length: int) -> Item:
    """A call whose time grows with ``length``."""
    return Item(lambda: sum(map(math.sqrt, range(length))), audio_s=1.0)


def test_a_build_that_does_20_per_cent_more_is_slower_and_the_same_build_is_not() -> None:
    """Three workloads measured turn by turn: one, the same again, and one with a fifth more."""
    workloads = [Workload("m", "pipeline", [work(n)]) for n in (5000, 5000, 6000)]
    effort = Effort(min_rounds=16, max_rounds=16, block_s=0.01, warmup_s=0.02, precision=None)
    runs = [with_stages(*timing.records(1)) for timing in measure(workloads, effort)]
    result = compare(runs, ["a", "a again", "b"])
    same, slower = verdicts(result)
    assert same in ("no difference", "not known")
    assert slower == "slower"
    ratio = result["comparisons"][1]["stages"][0]["ratio"]
    assert 1.05 < ratio < 1.4
    assert (result["slower"], result["faster"]) == (1, 0)


# What is compared with what.


def test_a_run_beside_itself_has_no_difference_of_any_kind() -> None:
    result = pair(report(), report())
    assert set(verdicts(result)) == {"no difference"}
    (comparison,) = result["comparisons"]
    assert comparison["changes"] == comparison["warnings"] == comparison["not_compared"] == []
    assert (result["slower"], result["faster"]) == (0, 0)


def test_counts_have_no_noise_and_one_per_mille_is_a_change() -> None:
    assert COUNT_THRESHOLD == 0.001
    for factor, expected in ((1.0009, "no difference"), (1.0011, "slower"), (0.998, "faster")):
        after = report()
        after["targets"][1]["stages"][0]["p50"] *= factor
        entries = entries_of(pair(report(), after))
        (entry,) = [e for e in entries if (e["target"], e["profile"]) == ("cortex-m4f", "babycry")]
        assert entry["verdict"] == expected
        assert entry["method"] == "counts"


def test_counts_of_another_host_are_compared_all_the_same() -> None:
    after = report()
    for record in (after, *after["targets"]):
        record["machine"]["cpu"] = "another"
    after["targets"][1]["stages"][0]["p50"] *= 2
    result = pair(report(), after)
    assert result["slower"] == 1
    assert [w for w in result["comparisons"][0]["warnings"] if "cortex" in w] == []


def test_times_of_another_machine_come_with_a_warning_and_do_not_count() -> None:
    after = with_stages(timed([2.0 + 0.01 * i for i in range(12)]))
    after["machine"] = {**after["machine"], "cpu": "Cortex-A53"}
    result = pair(with_stages(timed([1.0 + 0.01 * i for i in range(12)])), after)
    (comparison,) = result["comparisons"]
    assert verdicts(result) == ["slower"]
    assert result["slower"] == comparison["slower"] == 0
    (warning,) = comparison["warnings"]
    assert warning.startswith(
        "this machine: not the same machine (cpu 'AMD EPYC', now 'Cortex-A53'"
    )


def test_another_clock_is_not_compared() -> None:
    before, after = (
        with_stages(timed([1.0, 1.1])),
        with_stages({**timed([5.0, 6.0]), "clock": "cycles", "unit": "cycles"}),
    )
    (comparison,) = pair(before, after)["comparisons"]
    assert comparison["stages"] == []
    (entry,) = comparison["not_compared"]
    assert entry["reason"] == "another clock: wall before"
    assert entry["stage"] == "pipeline"


def test_stages_that_only_one_report_has_are_named() -> None:
    before, after = report(), report()
    after["targets"].pop()
    (comparison,) = pair(before, after)["comparisons"]
    assert {entry["target"] for entry in comparison["not_compared"]} == {"cortex-m4f"}
    assert {entry["reason"] for entry in comparison["not_compared"]} == {"only in the first report"}


def test_without_rounds_and_intervals_a_difference_is_not_known() -> None:
    bare = {"rounds": [], "p50_interval": None}
    before, after = (with_stages({**stage("pipeline", p50, model="m"), **bare}) for p50 in (1, 2))
    assert verdicts(pair(before, after)) == ["not known"]
    assert verdicts(pair(before, before)) == ["no difference"]


def test_without_rounds_the_intervals_decide() -> None:
    bare: Record = {"rounds": []}
    before, after = (with_stages({**stage("pipeline", p50, model="m"), **bare}) for p50 in (1, 2))
    (entry,) = entries_of(pair(before, after))
    assert (entry["verdict"], entry["method"]) == ("slower", "intervals of p50")


def test_all_stages_moving_alike_are_a_warning() -> None:
    before, after = report(), report()
    for entry in after["stages"]:
        entry["p50"] *= 1.2
        entry["rounds"] = [value * 1.2 for value in entry["rounds"]]
    (comparison,) = pair(before, after)["comparisons"]
    (warning,) = comparison["warnings"]
    assert "moved alike (+20 %)" in warning
    assert comparison["slower"] > 0


def test_a_report_that_json_has_carried_compares_the_same() -> None:
    carried = json.loads(json.dumps(report()))
    assert pair(carried, carried) == pair(report(), report())
    json.dumps(pair(report(), report()), allow_nan=False)


# What else changed.


def change(result: Record, what: str) -> Record:
    (found,) = [c for c in result["comparisons"][0]["changes"] if c["what"] == what]
    return found


def test_files_memory_parity_and_gates_that_changed_are_listed() -> None:
    after = report()
    after["models"][0]["sha256"] = "ef" * 32
    after["models"][1]["size_bytes"] -= 1
    after["targets"][1]["memory"]["flash_bytes"] += 1
    after["targets"][0]["parity"]["feature_hashes"]["profiles"][0]["mismatches"] = 2
    after["gates"][0]["passed"] = False
    after["build"]["packages"]["numpy"] = "2.5.0"
    result = pair(report(), after)
    assert change(result, "sha256")["worse"] is None
    assert change(result, "file size")["worse"] is False
    assert change(result, "flash")["worse"] is True
    assert change(result, "mismatches")["target"] == "aarch64-a53"
    assert change(result, "gate")["worse"] is True
    assert change(result, "numpy")["after"] == "2.5.0"
    assert len(result["comparisons"][0]["changes"]) == 6


def test_peak_memory_and_cold_start_may_wander() -> None:
    after = report()
    after["memory"]["peak_rss_bytes"] += 1000
    after["models"][0]["cold_start"]["total_ms"] *= 1.1
    assert pair(report(), after)["comparisons"][0]["changes"] == []
    after["memory"]["peak_rss_bytes"] *= 2
    after["models"][0]["cold_start"]["total_ms"] *= 1.5
    result = pair(report(), after)
    assert change(result, "peak rss")["worse"] is True
    assert change(result, "cold start")["worse"] is True


def test_accuracy_within_its_interval_is_neither_worse_nor_better() -> None:
    after = report()
    after["accuracy"][0]["device"]["accuracy"] = {
        "value": 0.94, "low": 0.92, "high": 0.95, "method": "wilson"
    }  # fmt: skip
    assert change(pair(report(), after), "accuracy")["worse"] is None
    after["accuracy"][0]["device"]["accuracy"] = {
        "value": 0.8, "low": 0.75, "high": 0.85, "method": "wilson"
    }  # fmt: skip
    assert change(pair(report(), after), "accuracy")["worse"] is True


def test_accuracy_of_other_recordings_is_not_compared() -> None:
    after = report()
    after["accuracy"][0]["data"]["sha256"] = "00" * 32
    entries = [
        c for c in pair(report(), after)["comparisons"][0]["changes"] if c["what"] == "accuracy"
    ]
    assert sorted(c["before_text"] == "absent" for c in entries) == [False, True]


# What it looks like.


def slower_report() -> Record:
    after = report()
    for entry in after["stages"]:
        if entry["stage"] == "pipeline":
            entry["p50"] *= 1.2
            entry["rounds"] = [value * 1.2 for value in entry["rounds"]]
    after["models"][0]["sha256"] = "ef" * 32
    return after


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_its_terminal(width: int) -> None:
    file = io.StringIO()
    names = ["a.json", "b" * 90 + ".json", "c.json"]
    print_comparison(compare([report(), slower_report(), report()], names), file, width)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "+20.0 %" in text
    assert text.count("against a.json") == 2
    assert "2 stages slower (times: beyond 5 % and the noise" in " ".join(text.split())


def test_markdown_says_first_what_became_slower() -> None:
    text = comparison_markdown(pair(report(), slower_report()))
    assert text.startswith("## 2 stages slower")
    head, _, folded = text.partition("<details>")
    assert head.count("| slower |") == 2
    assert "no difference" not in head
    assert folded.count("no difference") > 10
    assert "sha256 | abababababab... | efefefefefef..." in head


def run_command(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_compare(parser.add_subparsers())
    args = parser.parse_args(["compare", *map(str, arguments)])
    status: int = args.run(args)
    return status


def test_the_exit_status_is_1_only_where_it_was_asked_for_and_a_stage_is_slower(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps(report()))
    after.write_text(json.dumps(slower_report()))
    assert run_command(before, after) == 0
    assert run_command(before, after, "--fail-on-slower") == 1
    assert run_command(after, before, "--fail-on-slower") == 0
    assert run_command(before, before, "--fail-on-slower") == 0
    assert run_command(before, after, "--fail-on-slower", "--threshold", "0.3") == 0
    assert "2 stages faster" in capsys.readouterr().out


def test_long_names_of_layers_keep_their_number_and_end() -> None:
    title = short_stage_title({"stage": "layer", "layer": "12 /features/features.3/Conv_token_10"})
    assert len(title) == 34
    assert title.startswith("layer 12 ...")
    assert title.endswith(".3/Conv_token_10")
    assert short_stage_title({"stage": "layer", "layer": "x" * 80})[:6] == "layer "


def test_fewer_than_two_reports_and_a_wrong_threshold_are_refused() -> None:
    with pytest.raises(BabycryError, match="two reports"):
        compare([report()], ["a"])
    with pytest.raises(BabycryError, match="threshold"):
        pair(report(), report(), threshold=5)
