"""How busy other programs kept this machine while something was measured."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from babycry_bench.facts.machine import ROOT, first_line

_MUCH_OTHER_WORK = 0.1
_MUCH_STOLEN = 0.02
_TICKS_PER_S = 100.0

# Of /proc/stat's first line: user, nice, system, idle, iowait, irq, softirq, steal.
_BUSY = (0, 1, 2, 5, 6)
_STEAL = 7


@dataclass(frozen=True)
class _Moment:
    wall_s: float
    busy_s: float
    stolen_s: float
    own_s: float


class OtherWork:
    """From its making on: the processor time of all programs without that of this one.

    Work of child processes counts as this one's own when they have ended. Where ``/proc/stat``
    cannot be read (another system than Linux), nothing is known and nothing is said.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._start = _now(root)

    def busy_cores(self) -> tuple[float, float] | None:
        """Cores kept busy by others, and cores that a hypervisor gave to others, on average."""
        start, now = self._start, _now(self._root)
        if start is None or now is None or now.wall_s <= start.wall_s:
            return None
        elapsed = now.wall_s - start.wall_s
        others = (now.busy_s - start.busy_s) - (now.own_s - start.own_s)
        return max(0.0, others / elapsed), max(0.0, (now.stolen_s - start.stolen_s) / elapsed)

    def warnings(self) -> list[str]:
        """Reasons to distrust the timings taken meanwhile."""
        found = self.busy_cores()
        if found is None:
            return []
        others, stolen = found
        warnings = []
        if others > _MUCH_OTHER_WORK:
            warnings.append(
                f"other programs kept {others:.1f} of {os.cpu_count()} cores busy meanwhile"
            )
        if stolen > _MUCH_STOLEN:
            warnings.append(
                f"the hypervisor gave {stolen:.2f} cores' time to other machines meanwhile"
            )
        return warnings


def _now(root: Path) -> _Moment | None:
    words = (first_line(root / "proc/stat") or "").split()
    try:
        ticks = [int(word) / _ticks_per_s() for word in words[1:]]
        busy, stolen = sum(ticks[index] for index in _BUSY), ticks[_STEAL]
    except (ValueError, IndexError):
        return None
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system
    return _Moment(time.monotonic(), busy, stolen, own)


def _ticks_per_s() -> float:
    try:
        return float(os.sysconf("SC_CLK_TCK"))
    except (AttributeError, ValueError, OSError):
        return _TICKS_PER_S
