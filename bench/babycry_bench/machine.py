"""What machine the figures come from. A fact that cannot be read is null, never guessed."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CPU_FOLDER = Path("/sys/devices/system/cpu")
_STEADY_GOVERNORS = ("performance", "userspace")


def describe_machine() -> dict[str, object]:
    """CPU, cores, governor, clock (MHz), memory (bytes), load and operating system."""
    return {
        "cpu": _cpu_name(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "cores_usable": _usable_cores(),
        "governor": _first_line(_CPU_FOLDER / "cpu0/cpufreq/scaling_governor"),
        "frequency_mhz": _frequency_mhz(),
        "memory_bytes": _memory_bytes(),
        "load_average_1min": _load_average(),
        "operating_system": f"{platform.system()} {platform.release()}",
    }


def machine_warnings(machine: dict[str, object]) -> list[str]:
    """Reasons, in a reader's words, to distrust the timings taken on this machine."""
    warnings = []
    governor = machine["governor"]
    if governor is not None and governor not in _STEADY_GOVERNORS:
        warnings.append(
            f"CPU governor is '{governor}': timings may wander; 'performance' holds them still"
        )
    load, cores = machine["load_average_1min"], machine["cores"]
    if isinstance(load, float) and isinstance(cores, int) and load > 0.5 * cores:
        warnings.append(f"other work is running here (load {load:.1f} on {cores} cores)")
    return warnings


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip("\0 ")
    except (OSError, IndexError):
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


def _cpu_name() -> str | None:
    name = _proc_field(Path("/proc/cpuinfo"), "model name", "Model", "Hardware")
    return name or _first_line(Path("/proc/device-tree/model")) or platform.processor() or None


def _usable_cores() -> int | None:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _frequency_mhz() -> float | None:
    kilohertz = _first_line(_CPU_FOLDER / "cpu0/cpufreq/scaling_cur_freq")
    if kilohertz is not None and kilohertz.isdigit():
        return int(kilohertz) / 1000
    megahertz = _proc_field(Path("/proc/cpuinfo"), "cpu MHz")
    try:
        return float(megahertz) if megahertz is not None else None
    except ValueError:
        return None


def _memory_bytes() -> int | None:
    total = _proc_field(Path("/proc/meminfo"), "MemTotal")
    words = total.split() if total else []
    return int(words[0]) * 1024 if words and words[0].isdigit() else None


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
