"""The Python package with its real inference engines on ARM, emulated by qemu's user mode.

``run_python`` makes the system's root, cross-builds and installs this project's wheel there, and
compares what comes out with this machine: features and int8 scores bit for bit. Instructions are
counted by a plugin of qemu, Python's own included; they are not time.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from babycry_bench.arm.linux import (
    ARM64,
    ARMHF,
    CORTEX_A7,
    CORTEX_A53,
    CORTEX_A76,
    PYTHON,
    ArmLinux,
    Core,
)
from babycry_bench.arm.probe import EMPTY_MARKS, WARMUP
from babycry_bench.arm.root import ArmRoot, install_wheels, locked, make_root, show_to_core
from babycry_bench.arm.wheel import build_wheel
from babycry_bench.bench_model import BenchModel, Configuration
from babycry_bench.clips import Clip, load_clips
from babycry_bench.parity.scores import score_clips
from babycry_bench.run_tool import require_tool, run_tool
from babycry_bench.timing.stage_record import stage_record
from babycry_edge import Detector, Model
from babycry_edge.engines.tflite_engine import open_litert
from babycry_edge.errors import BabycryError
from babycry_edge.models import NAMES, bundled

LIMIT_S = 600.0
"""The most that one emulated run may take."""

COUNTED_CLIP = "noise_clicks"  # four seconds
COUNTED_CALLS = 12
_CLOCK = "instructions (emulated)"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_PLUGIN = "csrc/ports/count_marked.c"


@dataclass(frozen=True)
class Emulated:
    """A core, the system on it, and the emulator.

    Attributes:
        name: what reports call it.
        system: its Debian and its wheels.
        core: of the machine.
        emulator: qemu's program.
        mark: number of the system call getpgid there.
        pairs: by format of model files, the engine there and the one here.
    """

    name: str
    system: ArmLinux
    core: Core
    emulator: str
    mark: int
    pairs: dict[str, Pair]


@dataclass(frozen=True)
class Pair:
    """Two engines whose int8 scores are the same, bit for bit.

    LiteRT runs int8 networks in XNNPACK, which rounds in one formula everywhere. tflite-runtime for
    ARMv7 is built without it; its kernels round as the reference kernels of every release do.

    Attributes:
        there: the engine's name on the emulated system.
        here: its name on this machine.
        kernels: what computes in both, for the report.
        reference_kernels: LiteRT here takes these in place of XNNPACK.
    """

    there: str
    here: str
    kernels: str = ""
    reference_kernels: bool = False


_ONNXRUNTIME = Pair("onnxruntime", "onnxruntime")
_XNNPACK = Pair("litert", "litert", "XNNPACK")
_REFERENCE = Pair("tflite-runtime", "litert", "reference kernels", reference_kernels=True)
_AARCH64 = {"onnx": _ONNXRUNTIME, "tflite": _XNNPACK}
_EMULATED = (
    Emulated("aarch64-a53", ARM64, CORTEX_A53, "qemu-aarch64", 155, _AARCH64),
    Emulated("aarch64-a76", ARM64, CORTEX_A76, "qemu-aarch64", 155, _AARCH64),
    Emulated("armv7-a7", ARMHF, CORTEX_A7, "qemu-arm", 132, {"tflite": _REFERENCE}),
)
EMULATED = {emulated.name: emulated for emulated in _EMULATED}


def run_python(
    name: str,
    source: Path,
    folder: Path,
    models: Sequence[Path] = (),
    calls: int = COUNTED_CALLS,
) -> dict[str, Any]:
    """What one emulated system answers, as a record of the report.

    Args:
        name: one of ``EMULATED``.
        source: this project's source tree.
        folder: where roots and wheels are kept from one run to the next.
        models: files to run; none: the bundled ones. Those of a format without an engine there are
            left out, with a warning.
        calls: counted calls of each stage.

    Raises:
        BabycryError: an unknown name, a missing tool, no mirror, a build or a run that failed.
    """
    emulated = EMULATED.get(name)
    if emulated is None:
        raise BabycryError(f"no emulated system {name!r}: choose from {', '.join(EMULATED)}")
    require_tool(emulated.emulator, "qemu-user")
    require_tool("gcc", "gcc")
    source, folder = source.absolute(), folder.absolute()
    root = make_root(emulated.system, folder)
    opened, warnings = open_here(emulated, models or [bundled(one) for one in NAMES])
    clips = load_clips()
    try:
        with locked(folder / f".{name}.lock"):
            process = Process.prepare(emulated, root, source, folder / name)
            job = write_job(clips, opened, emulated, process.folder)
            answer = process.probe("parity", {**job, "count": False})
            stages = process.count(job, COUNTED_CLIP, calls)
    except OSError as error:
        raise BabycryError(f"{name} in {folder}: {error}") from None
    return _record(emulated, opened, clips, answer, stages, warnings)


@dataclass(frozen=True)
class Process:
    """Python on ``emulated``, with this project's wheel; files of its runs lie in ``folder``."""

    emulated: Emulated
    root: ArmRoot
    folder: Path

    @classmethod
    def prepare(
        cls,
        emulated: Emulated,
        root: ArmRoot,
        source: Path,
        folder: Path,
        wheel: Path | None = None,
    ) -> Process:
        """Builds the wheel, unless there is one, and the plugin out of the tree ``source``.

        Raises:
            BabycryError: a build failed.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if wheel is None:
            wheel = build_wheel(emulated.system, source, folder, root.headers)
        install_wheels([wheel], emulated.system, folder / "project")
        show_to_core(root, emulated.core, folder / "root")
        command = ["gcc", "-O2", "-shared", "-fPIC", "-o"]
        command += [str(folder / "plugin.so"), str(source / _PLUGIN)]
        run_tool("the counting plugin", command, limit_s=LIMIT_S)
        return cls(emulated, root, folder)

    def python(self, what: str, *arguments: str | Path, counting: bool = False) -> str:
        """Runs Python with ``arguments``; gives back what it printed.

        Raises:
            BabycryError: it ended with another status than 0; ``what`` begins the message.
        """
        plugin = f"{self.folder / 'plugin.so'},mark={self.emulated.mark}"
        counted = ["-plugin", plugin, "-d", "plugin", "-D", str(self._log)] if counting else []
        emulator = [self.emulated.emulator, "-cpu", self.emulated.core.qemu, *counted]
        python = self.root.debian / f"usr/bin/python{PYTHON}"
        return run_tool(
            f"{self.emulated.name}: {what}",
            [*emulator, "-L", self.folder / "root", python, "-B", *arguments],
            limit_s=LIMIT_S,
            environment=self._environment(),
            folder=self.folder,
        )

    def probe(self, what: str, job: dict[str, Any]) -> dict[str, Any]:
        """Gives the probe ``job``; returns its answer."""
        question, answer = self.folder / f"{what}.json", self.folder / f"{what}-answer.json"
        question.write_text(json.dumps(job), encoding="utf-8")
        program = ("-m", "babycry_bench.arm.probe", str(question), str(answer))
        self.python(what, *program, counting=job["count"])
        content: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return content

    def count(self, job: dict[str, Any], clip: str, calls: int) -> list[dict[str, Any]]:
        """The stages' records: instructions of ``calls`` calls on the clip of this name."""
        clips = [entry for entry in job["clips"] if entry["name"] == clip]
        order = self.probe("count", {**job, "clips": clips, "count": True, "calls": calls})
        text = self._log.read_text(encoding="ascii", errors="replace")
        marks = [int(count) for count in re.findall(r"^mark (\d+)$", text, re.MULTILINE)]
        return stages_from(order, marks)

    @property
    def _log(self) -> Path:
        return self.folder / "marks.log"

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.folder / "project"), str(self.root.site)])
        home = str(self.root.debian / "usr")
        python = {"PYTHONHOME": home, "PYTHONPATH": path, "PYTHONHASHSEED": "0"}
        return {**_ONE_THREAD, **python, "PYTHONSAFEPATH": "1", "PYTHONNOUSERSITE": "1"}


def stages_from(counts: dict[str, Any], marks: list[int]) -> list[dict[str, Any]]:
    """The stages' records out of the probe's order of work and the plugin's marks.

    Raises:
        BabycryError: there are more or fewer marks than the probe made.
    """
    calls, works = counts["calls"], counts["works"]
    expected = EMPTY_MARKS + 1 + 2 * calls * len(works)
    if len(marks) != expected:
        raise BabycryError(f"the counting plugin saw {len(marks)} marks of {expected}")
    between = np.diff(np.asarray(marks, dtype=np.float64))
    empty = float(median(int(count) for count in between[:EMPTY_MARKS]))
    counted = between[EMPTY_MARKS + 1 :: 2].reshape(len(works), calls) - empty
    return [
        stage_record(
            [float(max(0, count)) for count in row],
            clock=_CLOCK,
            stage=work["stage"],
            model=work["model"],
            audio_s=work["audio_s"],
            warmup=WARMUP,
        )
        for work, row in zip(works, counted, strict=True)
    ]


def compare_scores(
    model: str, engine: str, ours: dict[str, list[float]], theirs: dict[str, list[float]]
) -> dict[str, Any]:
    """Window scores of the emulated system against this machine's, as the schema's score_parity.

    A clip with another number of windows counts as wholly different.
    """
    mismatches, largest, windows = 0, 0.0, 0
    for clip, expected in theirs.items():
        scores = ours.get(clip, [])
        windows += len(expected)
        if len(scores) != len(expected):
            mismatches, largest = mismatches + max(1, len(expected)), 1.0
            continue
        errors = np.abs(np.asarray(scores) - np.asarray(expected))
        mismatches += int(np.count_nonzero(errors != 0.0))
        largest = max(largest, float(errors.max(initial=0.0)))
    return {
        "model": model,
        "engine": engine,
        "clips": len(theirs),
        "windows": windows,
        "mismatches": mismatches,
        "max_difference": largest,
    }


def open_here(emulated: Emulated, paths: Sequence[Path]) -> tuple[list[BenchModel], list[str]]:
    """The files that ``emulated`` has an engine for, opened on this machine; and what is left."""
    fitting = [path for path in paths if _format(path) in emulated.pairs]
    warnings = [
        f"{path.name} left out: there is no engine for it on {emulated.system.machine}"
        for path in paths
        if path not in fitting
    ]
    if not fitting:
        raise BabycryError(f"{emulated.name}: {warnings[0] if warnings else 'no model given'}")
    names = [path.name for path in fitting]
    return [
        _open_here(
            path,
            emulated.pairs[_format(path)],
            path.name if names.count(path.name) == 1 else str(path),
        )
        for path in fitting
    ], warnings


def _open_here(path: Path, pair: Pair, name: str) -> BenchModel:
    opened = BenchModel.open(Configuration(name, path, pair.here, 1))
    if not pair.reference_kernels:
        return opened
    metadata, file = opened.model.metadata, opened.model.file
    engine = open_litert(path.read_bytes(), 1, metadata.recurrence, reference_kernels=True)
    model = Model(path, file, metadata, engine)
    return replace(opened, model=model, detector=Detector(model))


def _format(path: Path) -> str:
    return path.suffix.removeprefix(".")


def write_job(
    clips: list[Clip], models: list[BenchModel], emulated: Emulated, folder: Path
) -> dict[str, Any]:
    """The clips' samples in ``folder``, and what the probe is asked."""
    entries = []
    for clip in clips:
        file = folder / f"{clip.name}.s16"
        file.write_bytes(clip.samples.astype("<i2").tobytes())
        about = {"name": clip.name, "label": clip.label, "kind": clip.kind}
        entries.append({**about, "sample_rate": clip.sample_rate, "file": str(file)})
    return {
        "clips": entries,
        "models": [
            {
                "model": model.name,
                "path": str(model.path.absolute()),
                "engine": emulated.pairs[model.model.file.format].there,
            }
            for model in models
        ],
    }


def _record(
    emulated: Emulated,
    models: list[BenchModel],
    clips: list[Clip],
    answer: dict[str, Any],
    stages: list[dict[str, Any]],
    warnings: list[str],
) -> dict[str, Any]:
    parity = {key: answer[key] for key in ("feature_hashes", "streaming", "golden")}
    scores = []
    for model, there in zip(models, answer["models"], strict=True):
        here = {one.clip: one.window_scores.tolist() for one in score_clips(model.detector, clips)}
        engine = _engines(emulated.pairs[model.model.file.format], model.model, there)
        scores.append(compare_scores(model.name, engine, there["window_scores"], here))
    return {
        "schema_version": 2,
        "kind": "record",
        "target": emulated.name,
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "build": answer["build"],
        "machine": _machine(emulated, answer),
        "models": [
            _model(model, there) for model, there in zip(models, answer["models"], strict=True)
        ],
        "stages": stages,
        "parity": {**parity, "scores": scores},
        "memory": {},
        "warnings": warnings,
    }


def _engines(pair: Pair, here: Model, there: dict[str, Any]) -> str:
    """``litert 2.3.0 (XNNPACK)``; both sides where they differ."""
    kernels = f" ({pair.kernels})" if pair.kernels else ""
    engine = f"{there['engine']} {there['engine_version']}"
    same = f"{here.engine} {here.engine_version}"
    return f"{engine}{kernels}" if engine == same else f"{engine}, here {same}{kernels}"


def _model(model: BenchModel, there: dict[str, Any]) -> dict[str, Any]:
    engine = {key: there[key] for key in ("engine", "engine_version")}
    return {**model.describe(), **engine}


def _machine(emulated: Emulated, answer: dict[str, Any]) -> dict[str, Any]:
    version = run_tool("emulator", [emulated.emulator, "--version"], limit_s=60.0).splitlines()[0]
    unread = {
        "frequency_mhz": None,
        "temperature_c": None,
        "throttled": None,
        "load_average_1min": None,
    }
    return {
        "kind": "emulated process",
        "emulator": f"{version}, -cpu {emulated.core.qemu}",
        "cpu": emulated.core.qemu,
        "architecture": answer["machine"],
        "cores": 1,
        "cores_usable": 1,
        "pinned_core": None,
        "governor": None,
        "clock_hz": None,
        "memory_bytes": None,
        "operating_system": f"Debian, Python {answer['build']['python']}, over {platform.system()}",
        "before": unread,
        "after": unread,
    }
