"""Energy of a piece of work, where the machine has a sensor for it.

Three kinds: RAPL counters of x86 packages, INA2xx monitors on a board's supply, and a battery's
gauge. A counter is read before and after; a gauge of power is sampled and summed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from babycry_bench.facts.machine import ROOT, first_line, read_int

_SAMPLE_S = 0.05
_IDLE_S = 1.0
_MICRO = 1e-6


class Sensor(Protocol):
    """Something that tells how much energy has been spent."""

    @property
    def name(self) -> str:
        """What the report calls it."""

    def joules_between(self, work: Callable[[], object]) -> float:
        """Energy spent while ``work`` is called."""


@dataclass(frozen=True)
class Counters:
    """Files that count microjoules; each starts anew after its ``limit``."""

    name: str
    paths: Sequence[Path]
    limits: Sequence[int]

    def joules_between(self, work: Callable[[], object]) -> float:
        before = [read_int(path) or 0 for path in self.paths]
        work()
        after = [read_int(path) or 0 for path in self.paths]
        spent = [
            end - start if end >= start else end - start + limit
            for start, end, limit in zip(before, after, self.limits, strict=True)
        ]
        return sum(spent) * _MICRO


@dataclass
class PowerGauge:
    """A reading of power in watts, sampled on a thread and summed by the trapezoidal rule."""

    name: str
    watts: Callable[[], float | None]
    sample_s: float = _SAMPLE_S
    _samples: list[tuple[float, float]] = field(default_factory=list)

    def joules_between(self, work: Callable[[], object]) -> float:
        self._samples = []
        over = threading.Event()
        sampler = threading.Thread(target=self._sample_until, args=(over,), daemon=True)
        self._sample()
        sampler.start()
        try:
            work()
        finally:
            over.set()
            sampler.join()
        self._sample()
        pairs = zip(self._samples, self._samples[1:], strict=False)
        return sum((t1 - t0) * (w0 + w1) / 2 for (t0, w0), (t1, w1) in pairs)

    def _sample_until(self, over: threading.Event) -> None:
        while not over.wait(self.sample_s):
            self._sample()

    def _sample(self) -> None:
        watts = self.watts()
        if watts is not None:
            self._samples.append((time.monotonic(), watts))


def find_sensor(root: Path = ROOT) -> Sensor | None:
    """The best sensor of this machine: RAPL, then INA2xx, then a battery that is being drained."""
    return _rapl(root) or _ina2xx(root) or _battery(root)


def measure_energy(
    work: Callable[[], float], sensor: Sensor | None, idle_s: float = _IDLE_S
) -> dict[str, Any] | None:
    """The schema's ``energy`` of ``work``, which returns the seconds of audio that it answered for.

    ``joules`` and ``seconds`` are of the work with everything else that the sensor sees;
    ``joules_per_audio_s`` is what lies above ``idle_watts``, which are measured first.

    Returns:
        None without a sensor.
    """
    if sensor is None:
        return None
    idle_watts = _timed(sensor, lambda: time.sleep(idle_s)).watts
    audio_s: list[float] = []
    spent = _timed(sensor, lambda: audio_s.append(work()))
    above_idle = max(0.0, spent.joules - idle_watts * spent.seconds)
    return {
        "sensor": sensor.name,
        "joules": spent.joules,
        "seconds": spent.seconds,
        "idle_watts": idle_watts,
        "joules_per_audio_s": above_idle / audio_s[0] if audio_s[0] > 0 else None,
    }


@dataclass(frozen=True)
class _Spent:
    joules: float
    seconds: float

    @property
    def watts(self) -> float:
        return self.joules / self.seconds if self.seconds > 0 else 0.0


def _timed(sensor: Sensor, work: Callable[[], object]) -> _Spent:
    start = time.monotonic()
    joules = sensor.joules_between(work)
    return _Spent(joules, time.monotonic() - start)


def _rapl(root: Path) -> Sensor | None:
    """The packages' counters; those of their parts (cores, memory) lie within them."""
    zones = [
        zone
        for zone in sorted((root / "sys/class/powercap").glob("*-rapl:*"))
        if zone.name.count(":") == 1 and (first_line(zone / "name") or "").startswith("package")
    ]
    paths = [zone / "energy_uj" for zone in zones]
    if not paths or any(read_int(path) is None for path in paths):  # root alone may read them
        return None
    return Counters(
        "RAPL package", paths, [read_int(zone / "max_energy_range_uj") or 0 for zone in zones]
    )


def _ina2xx(root: Path) -> Sensor | None:
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        name = first_line(folder / "name") or ""
        power = folder / "power1_input"
        if name.startswith("ina2") and read_int(power) is not None:
            return PowerGauge(name.upper(), lambda path=power: _micro(read_int(path)))  # type: ignore[misc]
    return None


def _battery(root: Path) -> Sensor | None:
    for folder in sorted((root / "sys/class/power_supply").glob("*")):
        is_drained = (
            first_line(folder / "type") == "Battery"
            and first_line(folder / "status") == "Discharging"
        )
        if is_drained and _battery_watts(folder) is not None:
            return PowerGauge(
                f"battery {folder.name}",
                lambda folder=folder: _battery_watts(folder),  # type: ignore[misc]
            )
    return None


def _battery_watts(folder: Path) -> float | None:
    power = read_int(folder / "power_now")
    if power is not None:
        return abs(power) * _MICRO
    current, voltage = read_int(folder / "current_now"), read_int(folder / "voltage_now")
    if current is None or voltage is None:
        return None
    return abs(current) * _MICRO * voltage * _MICRO


def _micro(value: int | None) -> float | None:
    return None if value is None else value * _MICRO
