"""What is read of a machine, on a tree of made-up files; pinning; the energy of a piece of work."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from babycry_bench.facts import build as build_module
from babycry_bench.facts.build import describe_build
from babycry_bench.facts.energy import find_sensor, measure_energy
from babycry_bench.facts.machine import describe_machine, machine_warnings, read_state
from babycry_bench.facts.other_work import OtherWork
from babycry_bench.facts.pinning import pinned
from babycry_bench.schema.validate import SCHEMA_FILE
from babycry_edge.errors import BabycryError

CPU = "sys/devices/system/cpu/cpu0"
PI = "sys/devices/platform/soc/soc:firmware/get_throttled"


def write(root: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def conforms(machine: dict[str, object]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="pip install 'babycry-edge[bench]'")
    schema = json.loads(SCHEMA_FILE.read_text())
    del schema["oneOf"]
    jsonschema.validate(machine, {**schema, "$ref": "#/$defs/machine"})


def test_a_machine_that_tells_nothing_has_nulls_and_no_warnings(tmp_path: Path) -> None:
    machine = describe_machine(root=tmp_path)
    conforms(machine)
    assert machine["governor"] is None
    assert machine["memory_bytes"] is None
    assert machine["before"]["throttled"] is None
    machine["before"]["load_average_1min"] = None
    assert machine_warnings(machine) == []


def test_this_machine_is_described_as_the_schema_wants_it() -> None:
    machine = describe_machine()
    conforms(machine)
    assert machine["kind"] == "machine"
    assert machine["cores"] == os.cpu_count()


def test_a_quiet_machine_is_read_and_not_warned_of(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            f"{CPU}/cpufreq/scaling_governor": "performance",
            f"{CPU}/cpufreq/scaling_cur_freq": 1800000,
            "sys/class/thermal/thermal_zone0/temp": 41234,
            "sys/class/thermal/thermal_zone1/temp": 53000,
            "sys/class/thermal/thermal_zone2/temp": -273000,
            "proc/cpuinfo": "processor : 0\nModel : Raspberry Pi 4",
            "proc/meminfo": "MemTotal: 1000 kB",
            "proc/loadavg": "0.05 0.1 0.2 1/100 4",
            PI: 0,
        },
    )
    machine = describe_machine(read_state(root=tmp_path), root=tmp_path)
    conforms(machine)
    assert (machine["cpu"], machine["memory_bytes"]) == ("Raspberry Pi 4", 1024000)
    assert machine["after"] == {
        "frequency_mhz": 1800.0,
        "temperature_c": 53.0,
        "throttled": False,
        "load_average_1min": 0.05,
    }
    assert machine_warnings(machine) == []


@pytest.mark.parametrize(
    ("before", "after", "warning"),
    [
        ({f"{CPU}/cpufreq/scaling_governor": "powersave"}, {}, "CPU governor is 'powersave'"),
        ({"proc/loadavg": "64.0 1 1 1/1 1"}, {}, "other work was running here (load 64.0"),
        ({PI: "50005"}, {}, "the processor was throttled"),
        ({PI: "50000"}, {PI: "50002"}, "the processor was throttled"),
        ({PI: "0"}, {PI: "40000"}, "the processor was throttled"),
        (
            {f"{CPU}/thermal_throttle/core_throttle_count": 7},
            {f"{CPU}/thermal_throttle/core_throttle_count": 8},
            "the processor was throttled",
        ),
        (
            {f"{CPU}/cpufreq/scaling_cur_freq": 1800000},
            {f"{CPU}/cpufreq/scaling_cur_freq": 600000},
            "the clock fell from 1800 to 600 MHz",
        ),
        ({}, {"sys/class/thermal/thermal_zone0/temp": 84000}, "the processor is at 84 degrees"),
    ],
)
def test_what_spoils_a_run_is_told(
    before: dict[str, object], after: dict[str, object], warning: str, tmp_path: Path
) -> None:
    write(tmp_path, {"proc/loadavg": "0.0 0 0 1/1 1", **before})
    start = read_state(root=tmp_path)
    write(tmp_path, after)
    (found,) = machine_warnings(describe_machine(start, root=tmp_path))
    assert found.startswith(warning)


def test_throttling_of_long_ago_is_not_told(tmp_path: Path) -> None:
    write(tmp_path, {"proc/loadavg": "0.0 0 0 1/1 1", PI: "e0000"})
    assert machine_warnings(describe_machine(read_state(root=tmp_path), root=tmp_path)) == []
    (tmp_path / PI).unlink()
    write(tmp_path, {f"{CPU}/thermal_throttle/package_throttle_count": 3})
    machine = describe_machine(read_state(root=tmp_path), root=tmp_path)
    assert machine["before"]["throttled"] is None
    assert machine["after"]["throttled"] is False


def test_the_pinned_cores_frequency_is_the_one_that_counts(tmp_path: Path) -> None:
    for core, kilohertz in ((0, 600000), (3, 1400000)):
        write(
            tmp_path,
            {f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq": kilohertz},
        )
    assert read_state(3, tmp_path).frequency_mhz == 1400.0


def test_work_of_other_programs_is_measured(tmp_path: Path) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    write(tmp_path, {"proc/stat": "cpu 0 0 0 0 0 0 0 0"})
    other = OtherWork(tmp_path)
    start = time.monotonic()
    time.sleep(0.05)
    busy_s = 10.0
    write(tmp_path, {"proc/stat": f"cpu {int(busy_s * ticks)} 0 0 9 9 0 0 {5 * ticks}"})
    found = other.busy_cores()
    elapsed = time.monotonic() - start
    assert found is not None
    assert 0.5 * busy_s / elapsed < found[0] <= 10.0 / 0.05
    assert found[1] > 0
    assert [line.split(" ")[0] for line in other.warnings()] == ["other", "the"]


def test_without_other_work_nothing_is_said(tmp_path: Path) -> None:
    assert OtherWork(tmp_path).warnings() == []
    write(tmp_path, {"proc/stat": "cpu 5 5 5 5 5 5 5 5"})
    assert OtherWork(tmp_path).warnings() == []


needs_pinning = pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity"), reason="this system cannot pin"
)


@needs_pinning
def test_a_pinned_run_stays_on_its_core_with_its_threads_and_is_released() -> None:
    usable = os.sched_getaffinity(0)
    core = max(usable)
    seen: list[set[int]] = []
    with pinned(core):
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
        assert os.sched_getaffinity(0) == {core}
    assert seen == [{core}]
    assert os.sched_getaffinity(0) == usable
    with pinned(None):
        assert os.sched_getaffinity(0) == usable


@needs_pinning
def test_a_core_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(BabycryError, match=r"core 4096 cannot be used here: choose from \d"):  # noqa: SIM117
        with pinned(4096):
            pass


def test_a_system_without_pinning_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with pytest.raises(BabycryError, match="this system cannot pin"):  # noqa: SIM117
        with pinned(0):
            pass


RAPL = "sys/class/powercap/intel-rapl:"


def rapl(root: Path, first: int, second: int) -> Path:
    return write(
        root,
        {
            f"{RAPL}0/name": "package-0",
            f"{RAPL}0/energy_uj": first,
            f"{RAPL}0/max_energy_range_uj": 10_000_000,
            f"{RAPL}0:0/name": "core",
            f"{RAPL}0:0/energy_uj": 77,
            f"{RAPL}1/name": "package-1",
            f"{RAPL}1/energy_uj": second,
            f"{RAPL}1/max_energy_range_uj": 10_000_000,
            f"{RAPL}2/name": "psys",
            f"{RAPL}2/energy_uj": 99,
        },
    )


def test_rapl_counts_packages_once_and_through_a_wrap(tmp_path: Path) -> None:
    rapl(tmp_path, 9_000_000, 1_000_000)
    sensor = find_sensor(tmp_path)
    assert sensor is not None
    joules = sensor.joules_between(lambda: rapl(tmp_path, 500_000, 1_250_000))
    assert joules == pytest.approx(1.5 + 0.25)


def test_energy_above_idle_is_shared_out_over_the_audio(tmp_path: Path) -> None:
    rapl(tmp_path, 0, 0)

    def work() -> float:
        rapl(tmp_path, 3_000_000, 1_000_000)
        return 8.0

    found = measure_energy(work, find_sensor(tmp_path), idle_s=0.01)
    assert found is not None
    assert found["joules"] == pytest.approx(4.0)
    assert found["idle_watts"] == 0.0
    assert found["joules_per_audio_s"] == pytest.approx(0.5)
    assert found["sensor"] == "RAPL package"


@pytest.mark.parametrize(
    ("files", "name", "watts"),
    [
        (
            {"sys/class/hwmon/hwmon0/name": "cpu_thermal", "sys/class/hwmon/hwmon1/name": "ina219",
             "sys/class/hwmon/hwmon1/power1_input": 2_500_000},
            "INA219",
            2.5,
        ),
        (
            {"sys/class/power_supply/BAT0/type": "Battery",
             "sys/class/power_supply/BAT0/status": "Discharging",
             "sys/class/power_supply/BAT0/power_now": 4_000_000},
            "battery BAT0",
            4.0,
        ),
        (
            {"sys/class/power_supply/BAT1/type": "Battery",
             "sys/class/power_supply/BAT1/status": "Discharging",
             "sys/class/power_supply/BAT1/current_now": -500_000,
             "sys/class/power_supply/BAT1/voltage_now": 3_800_000},
            "battery BAT1",
            1.9,
        ),
    ],
)  # fmt: skip
def test_a_gauge_of_power_is_summed_over_time(
    files: dict[str, object], name: str, watts: float, tmp_path: Path
) -> None:
    sensor = find_sensor(write(tmp_path, files))
    assert sensor is not None
    assert sensor.name == name
    start = time.monotonic()
    joules = sensor.joules_between(lambda: time.sleep(0.12))
    longest = time.monotonic() - start
    assert 0.12 * watts <= joules <= longest * watts


@pytest.mark.parametrize(
    "files",
    [
        {},
        {f"{RAPL}0/name": "package-0"},  # the counter cannot be read: it is for root alone
        {"sys/class/power_supply/BAT0/type": "Battery",
         "sys/class/power_supply/BAT0/status": "Charging",
         "sys/class/power_supply/BAT0/power_now": 1},
        {"sys/class/power_supply/AC/type": "Mains", "sys/class/power_supply/AC/power_now": 1},
        {"sys/class/hwmon/hwmon0/name": "ina219"},
    ],
)  # fmt: skip
def test_without_a_sensor_there_is_no_energy(files: dict[str, object], tmp_path: Path) -> None:
    work: Callable[[], float] = lambda: 1.0  # noqa: E731
    assert measure_energy(work, find_sensor(write(tmp_path, files))) is None


def test_the_build_knows_its_compiler_and_flags() -> None:
    found = describe_build()
    assert found["compiler"] is None or found["compiler"].split()[0] in ("GNU", "Clang")
    if found["compiler_flags"] is not None:
        assert "-ffp-contract=off" in found["compiler_flags"]


@pytest.mark.parametrize("content", ["", "[]", '{"git_commit": ""}', "{"])
def test_a_build_that_tells_nothing_has_nulls(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "_build.json").write_text(content)
    monkeypatch.setattr(build_module.resources, "files", lambda package: tmp_path)
    found = describe_build()
    assert (found["git_commit"], found["compiler"], found["compiler_flags"]) == (None,) * 3
