"""What was measured of one stage, as the schema's ``stage``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from babycry_edge.errors import BabycryError

Clock = Literal["wall", "cycles", "instructions (emulated)"]

UNITS: dict[str, str] = {
    "wall": "ms",
    "cycles": "cycles",
    "instructions (emulated)": "instructions",
}
QUANTILES = tuple(range(0, 101, 5))
"""Per cent of the calls, of the field ``quantiles``."""

_MS_PER_S = 1000.0


def stage_record(
    values: Sequence[float],
    *,
    clock: str,
    stage: str,
    model: str | None = None,
    profile: str | None = None,
    layer: str | None = None,
    operator: str | None = None,
    audio_s: float | Sequence[float] | None = None,
    warmup: int = 0,
    rounds: Sequence[float] = (),
    p50_interval: tuple[float, float] | None = None,
    clock_hz: float | None = None,
    cpu_s: float | None = None,
    cores: int | None = None,
) -> dict[str, Any]:
    """The record of one stage: percentiles of its calls, and how they compare with real time.

    Args:
        values: one for each counted call: ms by the clock "wall", cycles by "cycles", instructions
            by "instructions (emulated)".
        clock: one of ``UNITS``.
        stage: as in the schema.
        model: the model's name in the record; None for a stage of no model.
        profile: of a front-end without a model.
        layer: of stage "layer", its place and name in the network.
        operator: of stage "layer", what it computes.
        audio_s: seconds of new audio that a call answers for, one for all or one for each value.
        warmup: calls made before and not counted.
        rounds: the median of each round in the clock's unit, in order of time.
        p50_interval: 95 % confidence interval of p50 in the clock's unit.
        clock_hz: cycles in a second, where the clock counts cycles.
        cpu_s: processor seconds of all threads in all of ``values`` together.
        cores: of the machine.

    Raises:
        BabycryError: no values, one that is negative or not finite, an unknown clock, or a number
            of ``audio_s`` other than that of the values.
    """
    if clock not in UNITS:
        raise BabycryError(f"stage {stage}: clock must be one of {', '.join(UNITS)}, not {clock!r}")
    ordered = np.asarray(values, np.float64)
    if ordered.ndim != 1 or ordered.size == 0:
        raise BabycryError(f"stage {stage}: there is no measured value: measure at least one call")
    if not np.isfinite(ordered).all() or ordered.min() < 0:
        raise BabycryError(f"stage {stage}: a measured value is negative or not finite")
    audio = _audio(audio_s, ordered.size, stage)
    p50, p90, p95, p99 = (float(q) for q in np.percentile(ordered, (50, 90, 95, 99)))
    record: dict[str, Any] = {"model": model, "profile": profile, "stage": stage}
    if layer is not None:
        record["layer"] = layer
    if operator is not None:
        record["operator"] = operator
    return {
        **record,
        "clock": clock,
        "unit": UNITS[clock],
        "warmup": warmup,
        "count": int(ordered.size),
        "audio_s": None if audio is None else float(np.median(audio)),
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "max": float(ordered.max()),
        "p50_interval": None if p50_interval is None else [float(end) for end in p50_interval],
        "rounds": [float(value) for value in rounds],
        "quantiles": [float(q) for q in np.percentile(ordered, QUANTILES)],
        **_shares(_seconds(ordered, clock, clock_hz), audio, cpu_s, cores),
    }


def _audio(audio_s: float | Sequence[float] | None, count: int, stage: str) -> Any:
    """``(count,)`` float64 seconds, or None where nothing or no audio at all is answered for."""
    if audio_s is None:
        return None
    audio = np.asarray(audio_s, np.float64)
    if audio.ndim == 0:
        audio = np.full(count, float(audio))
    if audio.shape != (count,):
        raise BabycryError(f"stage {stage}: {audio.size} audio lengths for {count} values")
    if not np.isfinite(audio).all() or audio.min() < 0:
        raise BabycryError(f"stage {stage}: an audio length is negative or not finite")
    return audio


def _seconds(values: Any, clock: str, clock_hz: float | None) -> Any:
    """``(count,)`` seconds; None where the clock does not tell time."""
    if clock == "wall":
        return values / _MS_PER_S
    return values / clock_hz if clock == "cycles" and clock_hz else None


def _shares(seconds: Any, audio: Any, cpu_s: float | None, cores: int | None) -> dict[str, Any]:
    """Of real time: null where there is no time or no audio."""
    if seconds is None or audio is None or audio.min() <= 0:
        return {"real_time_factor": None, "duty_cycle": None, "cpu_share": None}
    factors = seconds / audio
    p50, p95 = (float(q) for q in np.percentile(factors, (50, 95)))
    total_s = float(audio.sum())
    return {
        "real_time_factor": {"p50": p50, "p95": p95, "max": float(factors.max())},
        "duty_cycle": float(seconds.sum()) / total_s,
        "cpu_share": cpu_s / (total_s * cores) if cpu_s is not None and cores else None,
    }
