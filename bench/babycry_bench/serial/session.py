"""Measures a microcontroller over a serial port: every stage it offers, on the bundled clips.

A device that resets in mid-run is greeted again and goes on with what is not done; after
``Effort.max_resets`` of them, or on a line that is lost for good, the error carries what was
measured until then.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from babycry_bench.clips import Clip, load_clips
from babycry_bench.schema.validate import check
from babycry_bench.serial.device import Description, DeviceStage, Outcome, SerialDevice
from babycry_bench.serial.link import BAUD, Link, LinkLost, SerialLink
from babycry_bench.serial.parity import (
    Pcm,
    expected_hash,
    is_known,
    runs_before_rows,
    sample_rate_of,
)
from babycry_bench.serial.protocol import DeviceReset, LineError, Patience, Refusal
from babycry_bench.timing.stage_record import stage_record
from babycry_edge.errors import BabycryError
from babycry_edge.progress import Advance, Track

_MS_PER_S = 1000.0
_NOT_READ = {
    "frequency_mhz": None,
    "temperature_c": None,
    "throttled": None,
    "load_average_1min": None,
}
_RAM_TOO_SMALL, _NEEDS_WHOLE_CLIP = 2, 7  # csrc/include/babycry/status.h
_PARITY_PARTS = {"frontend_clip": "feature_hashes", "frontend_hop": "streaming"}


@dataclass(frozen=True)
class Effort:
    """How much to measure.

    Attributes:
        clip_samples: of each clip so many go to the device, 0 for all.
        clip_runs: timed runs of a stage that takes a whole clip.
        clip_warmup: runs before them.
        max_resets: of the device, before the session is given up.
    """

    clip_samples: int = 16000
    clip_runs: int = 5
    clip_warmup: int = 1
    max_resets: int = 5


class Interrupted(BabycryError):  # noqa: N818
    """The session ended before all was measured.

    Attributes:
        record: what was measured, as a record of the schema; None if that is nothing.
    """

    def __init__(self, message: str, record: dict[str, Any] | None) -> None:
        super().__init__(message)
        self.record = record


@dataclass
class Session:
    """What is known so far: of the device, and of each stage on each clip that is done.

    Attributes:
        whole: what the device said of itself at first.
        description: the same with the wanted stages alone.
        outcomes: by clip and the device's number of the stage.
        refused: stages that a clip or the device's RAM does not allow, by number.
        resets: of the device so far.
    """

    target: str
    kind: str
    clips: Sequence[Clip]
    effort: Effort
    whole: Description | None = None
    description: Description | None = None
    outcomes: dict[tuple[int, int], Outcome] = field(default_factory=dict)
    refused: dict[int, Refusal] = field(default_factory=dict)
    resets: int = 0

    def samples(self, clip: int) -> Pcm:
        """Int16 as recorded, (n,): a front-end does not ask for their rate."""
        samples = self.clips[clip].samples
        return samples[: self.effort.clip_samples or None]

    def stages(self) -> list[DeviceStage]:
        return list(self.description.stages) if self.description is not None else []

    def open_stages(self, clip: int) -> list[DeviceStage]:
        """Those that are still to be run on ``clip``."""
        done = (s for s in self.stages() if (clip, s.index) not in self.outcomes)
        return [stage for stage in done if stage.index not in self.refused]


def run_on_port(
    port: str | Link,
    *,
    target: str = "board",
    kind: str = "board",
    baud: int = BAUD,
    clips: Sequence[Clip] | None = None,
    effort: Effort | None = None,
    patience: Patience | None = None,
    profiles: Iterable[str] | None = None,
    track: Track = lambda title, steps: lambda: None,
) -> dict[str, Any]:
    """The record of the device on ``port``.

    Args:
        port: its name (``/dev/ttyACM0``, ``socket://host:port``), or an open line; it is closed.
        target: the record's name.
        kind: of the schema: "board" or "emulated board".
        baud: bits a second of a real port.
        clips: recordings to run; the bundled ones by default.
        effort: how much to measure.
        patience: how long to wait for the device.
        profiles: of the front-end, only these; all by default.
        track: hears of the progress.

    Raises:
        BabycryError: the port is absent or busy, or the device does not speak the protocol.
        Interrupted: the line or the device was lost for good; its ``record`` has what was measured.
    """
    link = SerialLink(port, baud) if isinstance(port, str) else port
    if clips is None:
        clips = load_clips()
    if not clips:
        raise BabycryError("there is no clip to run on the device: give at least one")
    session = Session(target, kind, list(clips), effort or Effort())
    wanted = None if profiles is None else set(profiles)
    try:
        _measure(SerialDevice(link, patience), session, wanted, track)
    except (LineError, LinkLost) as error:
        raise _interrupted(session, link.name, str(error)) from None
    except Refusal as error:
        raise _interrupted(session, link.name, f"{error}: build firmware and bench alike") from None
    finally:
        link.close()
    return check(_record(session, []), link.name)


def _measure(
    device: SerialDevice, session: Session, profiles: set[str] | None, track: Track
) -> None:
    """Goes through clips and stages; after a reset, on with what is not done."""
    advance: Advance | None = None
    clip = 0
    while clip < len(session.clips):
        try:
            if session.description is None:
                session.whole = device.hello()
                session.description = _wanted(session.whole, profiles)
                advance = track(session.target, len(session.clips) * len(session.stages()))
            _measure_clip(device, session, clip, advance or (lambda: None))
            clip += 1
        except (DeviceReset, LinkLost) as event:
            _greet_again(device, session, event)


def _greet_again(device: SerialDevice, session: Session, event: Exception) -> None:
    """Waits for a device that has started anew, counting how often it does.

    Raises:
        LinkLost: its port does not come back.
        LineError: it resets too often, or says nothing any more.
    """
    while True:
        session.resets += 1
        if session.resets > session.effort.max_resets:
            raise LineError(
                f"the device has reset {session.resets} times: look at its power supply and its "
                "watchdog, which a long stage must feed"
            ) from None
        if isinstance(event, LinkLost):
            device.reopen()
        try:
            description = device.hello()
        except (DeviceReset, LinkLost) as again:
            event = again
            continue
        if session.whole not in (None, description):
            raise LineError("another firmware answers after a reset: leave the board as it is")
        return


def _wanted(description: Description, profiles: set[str] | None) -> Description:
    """The description with the wanted stages alone."""
    if profiles is None:
        return description
    stages = tuple(stage for stage in description.stages if stage.of in profiles)
    if not stages:
        names = ", ".join(sorted({stage.of for stage in description.stages}))
        raise BabycryError(
            f"the device has no profile {', '.join(sorted(profiles))}: it has {names}"
        )
    fields = {**description.__dict__, "stages": stages}
    return Description(**fields)


def _measure_clip(
    device: SerialDevice, session: Session, clip: int, advance: Callable[[], object]
) -> None:
    stages = session.open_stages(clip)
    if not stages:
        return
    samples = session.samples(clip)
    try:
        device.load(samples.astype("<i2").tobytes())
    except Refusal as refusal:
        if refusal.status != _RAM_TOO_SMALL:
            raise
        raise LineError(f"{len(samples)} samples do not fit the device's RAM: send fewer") from None
    for stage in stages:
        warmup, runs = _runs(session, stage, len(samples))
        try:
            session.outcomes[clip, stage.index] = device.run(stage, warmup, runs)
        except Refusal as refusal:
            if refusal.word != "status":
                raise
            session.refused[stage.index] = refusal
        advance()


def _runs(session: Session, stage: DeviceStage, n_samples: int) -> tuple[int, int]:
    """Runs to warm up and to time: of a stream as many as the clip has whole hops."""
    assert session.description is not None
    if stage.samples == 0:
        return session.effort.clip_warmup, session.effort.clip_runs
    hops = max(n_samples // stage.samples, 1)
    warmup = min(runs_before_rows(stage) if is_known(stage) else 1, hops - 1)
    runs = min(hops - warmup, session.description.max_runs)
    return hops - runs, runs


def _interrupted(session: Session, port: str, reason: str) -> Interrupted:
    done, total = len(session.outcomes), len(session.clips) * len(session.stages())
    if not session.outcomes:
        return Interrupted(f"{port}: {reason}", None)
    warning = f"interrupted after {done} of {total} runs: {reason}"
    record = check(_record(session, [warning]), port)
    return Interrupted(f"{port}: {reason} ({done} of {total} runs were measured)", record)


# ---- The record ----


def _record(session: Session, warnings: list[str]) -> dict[str, Any]:
    assert session.description is not None
    facts = session.description.facts
    return {
        "schema_version": 2,
        "kind": "record",
        "target": session.target,
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "build": _build(facts),
        "machine": _machine(session, facts),
        "models": [],
        "stages": [_stage_row(session, stage) for stage in _measured(session)],
        "parity": _parity(session),
        "memory": _memory(session),
        "warnings": warnings + _warnings(session),
    }


def _build(facts: dict[str, str]) -> dict[str, Any]:
    kernels = facts.get("instruction_set", "")
    return {
        "babycry_edge": facts.get("library", "unknown"),
        "git_commit": facts.get("git_commit"),
        "compiler": facts.get("compiler"),
        "compiler_flags": facts.get("flags"),
        "instruction_set": kernels or "unknown",
        "instruction_sets": [kernels] if kernels else [],
        "python": None,
        "packages": {},
    }


def _machine(session: Session, facts: dict[str, str]) -> dict[str, Any]:
    assert session.description is not None
    is_cycles = session.description.clock == "cycles"
    return {
        "kind": session.kind,
        "emulator": None,
        "cpu": facts.get("cpu"),
        "architecture": facts.get("architecture", "arm"),
        "cores": 1,
        "cores_usable": 1,
        "pinned_core": None,
        "governor": None,
        "clock_hz": session.description.clock_hz if is_cycles else None,
        "memory_bytes": None,
        "operating_system": None,
        "before": dict(_NOT_READ),
        "after": dict(_NOT_READ),
    }


def _measured(session: Session) -> list[DeviceStage]:
    done = {stage for _, stage in session.outcomes}
    return [stage for stage in session.stages() if stage.index in done]


def _outcomes(session: Session, stage: DeviceStage) -> list[tuple[int, Outcome]]:
    """By clip, in order."""
    of_stage = ((clip, o) for (clip, index), o in session.outcomes.items() if index == stage.index)
    return sorted(of_stage, key=lambda item: item[0])


def _stage_row(session: Session, stage: DeviceStage) -> dict[str, Any]:
    assert session.description is not None
    clock, hz = session.description.clock, session.description.clock_hz
    scale = _MS_PER_S / hz if clock == "wall" else 1.0
    outcomes = _outcomes(session, stage)
    values = [value * scale for _, outcome in outcomes for value in outcome.values]
    audio_s: list[float] | None = None
    if is_known(stage):
        rate = sample_rate_of(stage)
        audio_s = [
            (stage.samples or len(session.samples(clip))) / rate
            for clip, outcome in outcomes
            for _ in outcome.values
        ]
    is_model = stage.stage in ("network", "layer", "smoothing", "pipeline")
    return stage_record(
        values,
        clock=clock,
        stage=stage.stage,
        model=stage.of if is_model else None,
        profile=None if is_model else stage.label,
        audio_s=audio_s,
        warmup=outcomes[0][1].warmup,
        rounds=[statistics.median(o.values) * scale for _, o in outcomes],
        clock_hz=hz if clock == "cycles" else None,
    )


def _parity(session: Session) -> dict[str, Any]:
    parts: dict[str, list[dict[str, Any]]] = {}
    for stage in _measured(session):
        if not is_known(stage):
            continue
        outcomes = [(clip, o) for clip, o in _outcomes(session, stage) if o.hash]
        different = [
            session.clips[clip].name
            for clip, o in outcomes
            if expected_hash(stage, session.samples(clip), o.warmup + len(o.values)) != o.hash
        ]
        parts.setdefault(_PARITY_PARTS[stage.stage], []).append(
            {
                "profile": stage.label,
                "clips": len(outcomes),
                "mismatches": len(different),
                "mismatched_clips": different,
            }
        )
    kernels = _build(session.description.facts)["instruction_sets"] if session.description else []
    return {
        part: {"instruction_sets": kernels, "profiles": profiles}
        for part, profiles in parts.items()
    }


def _memory(session: Session) -> dict[str, Any]:
    rows = []
    for stage in _measured(session):
        results = [outcome.results for _, outcome in _outcomes(session, stage)]
        most = {name: max(r[name] for r in results) for name in results[0]}
        row: dict[str, Any] = {"stage": stage.stage, "profile": stage.label}
        if "ram" in most:
            row["ram_bytes"] = most["ram"]
        if "stack" in most:
            rows.append({**row, "stack_bytes": most["stack"]})
    memory: dict[str, Any] = {}
    if rows:
        memory["stack_bytes"] = max(row["stack_bytes"] for row in rows)
        memory["stages"] = rows
        ram = [row["ram_bytes"] for row in rows if "ram_bytes" in row]
        memory.update({"frontend_ram_bytes": max(ram)} if ram else {})
    return memory


def _warnings(session: Session) -> list[str]:
    warnings = []
    for stage in session.stages():
        refusal = session.refused.get(stage.index)
        if refusal is None or refusal.status == _NEEDS_WHOLE_CLIP:
            continue
        why = "it does not fit the RAM" if refusal.status == _RAM_TOO_SMALL else str(refusal)
        warnings.append(f"{stage.stage} of {stage.label} was not run to its end: {why}")
    unknown = [stage.label for stage in _measured(session) if not is_known(stage)]
    if unknown:
        warnings.append(f"nothing here to compare the features of {', '.join(unknown)} with")
    if session.resets:
        warnings.append(f"resets of the device: {session.resets}; what they lost was run again")
    return warnings
