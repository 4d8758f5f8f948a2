"""What machine the figures come from. A fact that cannot be read is null, never guessed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path("/")

_CPUS = "sys/devices/system/cpu"
_STEADY_GOVERNORS = ("performance", "userspace")
_HOT_C = 80.0
_SLOWER_CLOCK = 0.95

# Bits of the Raspberry Pi's get_throttled: frequency capped, throttled, soft temperature limit.
# Sixteen bits higher: the same has happened since the start.
_PI_FLAGS = 0b1110
_PI_SYSFS = "sys/devices/platform/soc/soc:firmware/get_throttled"


@dataclass(frozen=True)
class State:
    """What changes on a machine in the course of a run.

    Attributes:
        frequency_mhz: of the core in question.
        temperature_c: of the hottest sensor.
        throttled_now: the processor is held back at this moment.
        throttle_marks: only grows, each time that the processor is held back.
        load_average_1min: as the system counts it.
    """

    frequency_mhz: float | None = None
    temperature_c: float | None = None
    throttled_now: bool | None = None
    throttle_marks: int | None = None
    load_average_1min: float | None = None

    def to_dict(self, earlier: State | None = None) -> dict[str, Any]:
        """The schema's ``machine_state``: "throttled" is now, or since ``earlier``."""
        throttled = self.throttled_now
        if earlier is not None and None not in (self.throttle_marks, earlier.throttle_marks):
            throttled = bool(throttled) or self.throttle_marks != earlier.throttle_marks
        return {
            "frequency_mhz": self.frequency_mhz,
            "temperature_c": self.temperature_c,
            "throttled": throttled,
            "load_average_1min": self.load_average_1min,
        }


def read_state(core: int | None = None, root: Path = ROOT) -> State:
    """The state at this moment; ``core`` is the one whose frequency is meant, 0 by default."""
    flags = _pi_flags(root)
    marks: int | None
    if flags is not None:
        throttled, marks = bool(flags & _PI_FLAGS), (flags >> 16) & _PI_FLAGS
    else:
        throttled, marks = None, _throttle_count(root)
    return State(
        frequency_mhz=_frequency_mhz(core or 0, root),
        temperature_c=_temperature_c(root),
        throttled_now=throttled,
        throttle_marks=marks,
        load_average_1min=_load_average(root),
    )


def describe_machine(
    before: State | None = None,
    pinned_core: int | None = None,
    root: Path = ROOT,
    kind: str = "machine",
    emulator: str | None = None,
) -> dict[str, Any]:
    """The schema's ``machine``, at the end of a run.

    Args:
        before: the state when the run began; the present one by default.
        pinned_core: the core that the run was held on.
        root: of the file systems proc and sys.
        kind: "machine", or "emulated process" under an emulator such as qemu-user.
        emulator: its name and version.
    """
    after = read_state(pinned_core, root)
    before = before or after
    return {
        "kind": kind,
        "emulator": emulator,
        "cpu": _cpu_name(root),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "cores_usable": _usable_cores(),
        "pinned_core": pinned_core,
        "governor": first_line(root / _CPUS / f"cpu{pinned_core or 0}/cpufreq/scaling_governor"),
        "clock_hz": None,
        "memory_bytes": _memory_bytes(root),
        "operating_system": f"{platform.system()} {platform.release()}",
        "before": before.to_dict(),
        "after": after.to_dict(earlier=before),
    }


def machine_warnings(machine: dict[str, Any]) -> list[str]:
    """Reasons, in a reader's words, to distrust the timings taken on this machine."""
    warnings = []
    governor, before, after = machine["governor"], machine["before"], machine["after"]
    if governor is not None and governor not in _STEADY_GOVERNORS:
        warnings.append(
            f"CPU governor is '{governor}': timings may wander; 'performance' holds them still"
        )
    load, cores = before["load_average_1min"], machine["cores"]
    if load is not None and cores is not None and load > 0.5 * cores:
        warnings.append(f"other work was running here (load {load:.1f} on {cores} cores)")
    if before["throttled"] or after["throttled"]:
        warnings.append("the processor was throttled: look to its cooling and its power supply")
    frequencies = before["frequency_mhz"], after["frequency_mhz"]
    if None not in frequencies and frequencies[1] < _SLOWER_CLOCK * frequencies[0]:
        warnings.append(
            f"the clock fell from {frequencies[0]:.0f} to {frequencies[1]:.0f} MHz during the run"
        )
    temperature = after["temperature_c"]
    if temperature is not None and temperature >= _HOT_C:
        warnings.append(f"the processor is at {temperature:.0f} degrees, where many slow down")
    return warnings


def first_line(path: Path) -> str | None:
    """The first line of a file of proc or sys, without blanks; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip("\0 ")
    except (OSError, IndexError):
        return None


def read_int(path: Path) -> int | None:
    """The whole number in a file of proc or sys, or None."""
    try:
        return int(first_line(path) or "")
    except ValueError:
        return None


def _proc_field(path: Path, *keys: str) -> str | None:
    """The value of the first ``key : value`` line that has one of ``keys``."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for key in keys:
        for line in lines:
            name, separator, value = line.partition(":")
            if separator and name.strip() == key and value.strip():
                return value.strip()
    return None


def _cpu_name(root: Path) -> str | None:
    name = _proc_field(root / "proc/cpuinfo", "model name", "Model", "Hardware")
    return name or first_line(root / "proc/device-tree/model") or platform.processor() or None


def _usable_cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _frequency_mhz(core: int, root: Path) -> float | None:
    kilohertz = read_int(root / _CPUS / f"cpu{core}/cpufreq/scaling_cur_freq")
    if kilohertz is not None:
        return kilohertz / 1000
    megahertz = _proc_field(root / "proc/cpuinfo", "cpu MHz")
    try:
        return float(megahertz) if megahertz is not None else None
    except ValueError:
        return None


def _temperature_c(root: Path) -> float | None:
    """Of the hottest zone; zones that report what no processor survives are left out."""
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    found = [value / 1000 for value in map(read_int, zones) if value is not None]
    return max((value for value in found if 0 < value < 150), default=None)


def _throttle_count(root: Path) -> int | None:
    """How often x86 cores and packages were throttled since the start."""
    return _sum(map(read_int, (root / _CPUS).glob("cpu[0-9]*/thermal_throttle/*_throttle_count")))


def _sum(counts: Iterable[int | None]) -> int | None:
    found = [count for count in counts if count is not None]
    return sum(found) if found else None


def _pi_flags(root: Path) -> int | None:
    """A Raspberry Pi's ``get_throttled``, from the kernel or from its own tool."""
    text = first_line(root / _PI_SYSFS)
    if text is None and root == ROOT and (tool := shutil.which("vcgencmd")) is not None:
        text = _output_of([tool, "get_throttled"])
    try:
        return int((text or "").rpartition("=")[2], 16)
    except ValueError:
        return None


def _output_of(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _memory_bytes(root: Path) -> int | None:
    total = _proc_field(root / "proc/meminfo", "MemTotal")
    words = total.split() if total else []
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def _load_average(root: Path) -> float | None:
    words = (first_line(root / "proc/loadavg") or "").split()
    try:
        return float(words[0]) if words else os.getloadavg()[0]
    except (AttributeError, OSError, ValueError):
        return None
