"""A complete report of three targets, made up: for the tests of whatever reads reports."""

from __future__ import annotations

import copy
from typing import Any

Record = dict[str, Any]

_STATE = {
    "frequency_mhz": 2400.0,
    "temperature_c": 51.5,
    "throttled": False,
    "load_average_1min": 0.1,
}


def stage(
    name: str,
    p50: float,
    *,
    model: str | None = None,
    profile: str | None = None,
    clock: str = "wall",
    audio_s: float | None = 1.0,
    **more: Any,
) -> Record:
    """A stage whose distribution is that of a quiet machine around ``p50``."""
    timed = clock == "wall" and audio_s is not None
    return {
        "model": model,
        "profile": profile,
        "stage": name,
        "clock": clock,
        "unit": {"wall": "ms", "cycles": "cycles"}.get(clock, "instructions"),
        "warmup": 16,
        "count": 2000,
        "audio_s": audio_s,
        "p50": p50,
        "p90": p50 * 1.08,
        "p95": p50 * 1.12,
        "p99": p50 * 1.3,
        "max": p50 * 2.0,
        "p50_interval": [p50 * 0.99, p50 * 1.01],
        "rounds": [p50 * (1.0 + 0.004 * (i % 5 - 2)) for i in range(10)],
        "quantiles": [p50 * (0.9 + 0.01 * i) for i in range(20)] + [p50 * 2.0],
        "real_time_factor": {
            "p50": p50 * 1e-3 / audio_s,
            "p95": p50 * 1.12e-3 / audio_s,
            "max": p50 * 2e-3 / audio_s,
        }
        if timed and audio_s
        else None,
        "duty_cycle": p50 * 1.02e-3 / audio_s if timed and audio_s else None,
        "cpu_share": p50 * 0.51e-3 / audio_s if timed and audio_s else None,
        **more,
    }


def model(name: str, engine: str, precision: str = "int8", threads: int = 1) -> Record:
    """A model file as a record describes it."""
    return {
        "model": name,
        "path": f"models/{name}",
        "format": "onnx" if engine == "onnxruntime" else "tflite",
        "precision": precision,
        "sha256": "ab" * 32,
        "size_bytes": 114_793,
        "engine": engine,
        "engine_version": "1.31.1",
        "threads": threads,
        "input_dtypes": ["uint8"],
        "operators": {"Conv": 8, "QuantizeLinear": 20},
        "metadata": {
            "name": "cry",
            "labels": ["cry", "other"],
            "target": "cry",
            "threshold": 0.53,
            "window_frames": 98,
            "hop_frames": 24,
        },
        "cold_start": {
            "repeats": 5,
            "import_ms": 40.0,
            "first_features_ms": 5.0,
            "to_first_features_ms": 45.0,
            "load_ms": 30.0,
            "first_inference_ms": 0.5,
            "total_ms": 75.5,
            "self_check_ms": 1.2,
            "process_ms": 120.0,
            "frontend_rss_bytes": 28_000_000,
            "peak_rss_bytes": 60_000_000,
        },
    }


def build(**more: Any) -> Record:
    """Versions and compiler."""
    return {
        "babycry_edge": "0.1.0",
        "git_commit": "0123abc",
        "compiler": "gcc 12.2.0",
        "compiler_flags": "-O3 -ffp-contract=off",
        "instruction_set": "avx2",
        "instruction_sets": ["avx2", "sse2", "scalar"],
        "python": "3.11.7",
        "packages": {"numpy": "2.4.6", "onnxruntime": "1.31.1"},
        **more,
    }


def machine(**more: Any) -> Record:
    """A quiet computer."""
    return {
        "kind": "machine",
        "emulator": None,
        "cpu": "AMD EPYC",
        "architecture": "x86_64",
        "cores": 2,
        "cores_usable": 2,
        "pinned_core": None,
        "governor": "performance",
        "clock_hz": None,
        "memory_bytes": 25_000_000_000,
        "operating_system": "Linux 6.18",
        "before": dict(_STATE),
        "after": dict(_STATE),
        **more,
    }


def hashes(mismatches: int = 0) -> Record:
    """Features of two profiles."""
    return {
        "instruction_sets": ["scalar"],
        "profiles": [
            {
                "profile": name,
                "clips": 17,
                "mismatches": mismatches,
                "mismatched_clips": [f"cry_hungry_{i}" for i in range(1, mismatches + 1)],
            }
            for name in ("babycry", "librosa")
        ],
    }


def emulated_linux() -> Record:
    """An AArch64 core under emulation, with Python."""
    counted = {"clock": "instructions (emulated)"}
    return {
        "schema_version": 2,
        "kind": "record",
        "target": "aarch64-a53",
        "created": "2026-11-21T11:00:00Z",
        "build": build(instruction_set="neon", instruction_sets=["neon", "scalar"]),
        "machine": machine(
            kind="emulated process",
            emulator="qemu-aarch64 7.2 -cpu cortex-a53",
            cpu="Cortex-A53",
            architecture="aarch64",
        ),
        "models": [model("cry.onnx", "onnxruntime"), model("cry.tflite", "litert")],
        "stages": [
            stage("frontend_hop", 41_000.0, profile="babycry", audio_s=0.02, **counted),
            stage("network", 9_100_000.0, model="cry.onnx", audio_s=0.48, **counted),
            stage("network", 5_200_000.0, model="cry.tflite", audio_s=0.48, **counted),
        ],
        "parity": {
            "feature_hashes": hashes(),
            "golden": [
                {
                    "model": name,
                    "features_equal": True,
                    "max_score_error": 0.0,
                    "tolerance": 0.004,
                    "passed": True,
                }
                for name in ("cry.onnx", "cry.tflite")
            ],
            "scores": [
                {
                    "model": "cry.onnx",
                    "engine": "onnxruntime",
                    "clips": 17,
                    "windows": 177,
                    "mismatches": 0,
                    "max_difference": 0.0,
                }
            ],
        },
        "memory": {"peak_rss_bytes": 80_000_000},
        "warnings": [],
    }


def emulated_board() -> Record:
    """A microcontroller under emulation: the front-end alone."""
    counted = {"clock": "instructions (emulated)", "audio_s": 0.02}
    return {
        "schema_version": 2,
        "kind": "record",
        "target": "cortex-m4f",
        "created": None,
        "build": build(
            instruction_set="scalar", instruction_sets=["scalar"], python=None, packages={}
        ),
        "machine": machine(
            kind="emulated board",
            emulator="qemu-system-arm 7.2 mps2-an386",
            cpu="Cortex-M4F",
            architecture="armv7e-m",
            cores=1,
            cores_usable=1,
            governor=None,
            memory_bytes=4_194_304,
            operating_system=None,
            before=dict.fromkeys(_STATE),
            after=dict.fromkeys(_STATE),
        ),
        "models": [],
        "stages": [
            stage("frontend_hop", 33_500.0, profile="babycry", **counted),
            stage("frontend_hop", 66_000.0, profile="librosa", **counted),
        ],
        "parity": {"feature_hashes": hashes(), "streaming": hashes()},
        "memory": {
            "ram_bytes": 61_440,
            "flash_bytes": 48_300,
            "stack_bytes": 1_204,
            "frontend_ram_bytes": 58_112,
            "stages": [{"stage": "frontend_hop", "stack_bytes": 1_204}],
        },
        "warnings": [],
    }


def interval(value: float | None, method: str = "wilson") -> Record:
    """A figure with an interval around it."""
    if value is None:
        return {"value": None, "low": None, "high": None, "method": "none"}
    return {
        "value": value,
        "low": max(0.0, value - 0.02),
        "high": value + 0.01,
        "method": method,
    }


def quality(accuracy: float) -> Record:
    """Of two classes."""
    return {
        "accuracy": interval(accuracy),
        "macro_f1": interval(accuracy - 0.01, "bootstrap"),
        "roc_auc": interval(0.97, "bootstrap"),
        "recall": {"cry": interval(0.9), "other": interval(0.98)},
        "confusion": [[430, 47], [14, 700]],
    }


def accuracy() -> Record:
    """A corpus with a few true events."""
    return {
        "model": "cry.tflite",
        "reference": "librosa 0.11.0, cry_float.onnx in onnxruntime 1.31.1",
        "data": {
            "name": "manifest.csv",
            "sha256": "cd" * 32,
            "recordings": 1200,
            "labelled": 1191,
            "hours": 2.2,
            "failed": 1,
        },
        "classes": ["cry", "other"],
        "agreement": interval(0.996),
        "drift": {
            "mean": 0.004,
            "p95": 0.012,
            "max": 0.08,
            "edges": [0.002, 0.005, 0.01, 0.02, 0.05, 0.1],
            "counts": [600, 350, 180, 60, 9, 1, 0],
            "worst": [{"recording": "animals/cat_12.ogg", "reference": 0.51, "device": 0.59}],
        },
        "scatter": [[i / 100, min(1.0, i / 100 + 0.003 * (i % 3))] for i in range(101)],
        "device": quality(0.948),
        "float": quality(0.951),
        "events": {
            "true_events": 120,
            "detected": 111,
            "misses": 9,
            "false_alarms": 6,
            "negative_hours": 1.5,
            "false_alarms_per_hour": {"value": 4.0, "low": 1.5, "high": 8.7, "method": "poisson"},
            "recall": interval(0.925),
            "at_recall": {"recall": 0.9, "threshold": 0.61, "false_alarms_per_hour": 2.7},
            "latency_s": {"p50": 1.4, "p95": 2.9},
        },
    }


def divergence() -> list[Record]:
    """One model in order, one with a damaged layer."""
    stages = [
        ("audio", 0.0, 0.0, "samples differ", True, ""),
        ("features", 138.0, 120.0, "dB", True, "cry_hungry_1"),
        ("layer", 0.031, 0.01, "gain error", False, "blocks.3.pointwise"),
        ("score", 0.004, 0.05, "", True, "cry_tired_1"),
        ("event", 0.0, 0.0, "events differ", True, ""),
    ]
    keys = ("stage", "value", "bound", "unit", "passed", "worst")
    return [
        {
            "model": "cry.onnx",
            "stage": "none",
            "where": "",
            "value": None,
            "detail": "every stage is within its bound",
            "stages": [
                dict(zip(keys, (*row[:4], True, row[5]), strict=True))
                for row in stages
                if row[0] != "layer"
            ],
        },
        {
            "model": "cry.tflite",
            "stage": "layer",
            "where": "blocks.3.pointwise",
            "value": 0.031,
            "unit": "gain error",
            "detail": "blocks.3.pointwise gives 3.1 % more than the float layer on its own inputs",
            "stages": [dict(zip(keys, row, strict=True)) for row in stages],
        },
    ]


def gate(name: str, of: str, value: Any, operator: str, bound: Any, passed: bool | None) -> Record:
    """A line of the verdict."""
    record = {
        "name": f"{name} ({of})" if of else name,
        "gate": name,
        "of": of,
        "path": "stages[stage=pipeline].real_time_factor.p95",
        "operator": operator,
        "value": value,
        "bound": bound,
        "unit": "",
        "passed": passed,
    }
    return record if passed is not None else {**record, "skipped": "librosa not installed"}


def report() -> Record:
    """All of it: this machine, two emulated targets, accuracy, a gate that failed."""
    models = [model("cry.onnx", "onnxruntime"), model("cry.tflite", "litert")]
    stages = []
    for number, described in enumerate(models):
        factor = 1.0 - 0.45 * number
        name = described["model"]
        for title, p50, audio_s in (
            ("capture", 0.21, 7.0),
            ("resample", 0.35, 7.0),
            ("frontend_hop", 0.0006, 0.02),
            ("frontend_window", 0.022, 2.0),
            ("frontend_clip", 0.058, 7.0),
            ("network", 0.103 * factor, 0.48),
            ("smoothing", 0.011, 7.0),
            ("pipeline", 1.329 * factor, 7.0),
        ):
            stages.append(stage(title, p50, model=name, audio_s=audio_s))
    for number in range(6):
        stages.append(
            stage(
                "layer",
                0.03 / (number + 1),
                model="cry.onnx",
                audio_s=0.48,
                layer=f"{number} blocks.{number}.pointwise",
                operator="QLinearConv",
            )
        )
    golden = [
        {
            "model": described["model"],
            "features_equal": True,
            "max_score_error": 0.001,
            "tolerance": 0.004,
            "passed": True,
        }
        for described in models
    ]
    drift = {
        "clips": 17,
        "windows": 177,
        "max_clip_score_error": 0.0033,
        "max_window_score_error": 0.02,
        "mean_window_score_error": 0.0034,
        "decision_changes": 0,
        "worst_clip": "cry_tired_1",
    }
    return copy.deepcopy(
        {
            "schema_version": 2,
            "kind": "report",
            "target": "this machine",
            "created": "2026-11-21T11:05:00Z",
            "build": build(),
            "machine": machine(),
            "models": models,
            "stages": stages,
            "parity": {
                "frontend_librosa": {
                    "oracle": "librosa 0.11.0",
                    "profiles": [
                        {
                            "profile": "babycry",
                            "clips": 17,
                            "min_snr_db": 138.2,
                            "max_error_db": 0.0005,
                            "mean_error_db": 3e-6,
                            "frame_count_mismatches": 0,
                            "worst_clip": "noise_hum",
                        }
                    ],
                },
                "feature_hashes": hashes(),
                "streaming": hashes(),
                "golden": golden,
                "int8_float": [{"model": m["model"], **drift} for m in models],
                "onnx_tflite": {"skipped": "needs the .onnx and the .tflite of one network"},
                "divergence": divergence(),
            },
            "memory": {"peak_rss_bytes": 60_000_000},
            "energy": {
                "sensor": "RAPL package-0",
                "joules": 12.5,
                "seconds": 30.0,
                "idle_watts": None,
                "joules_per_audio_s": 0.0004,
            },
            "accuracy": [accuracy()],
            "targets": [emulated_linux(), emulated_board()],
            "gates": [
                gate("first divergence", "cry.onnx", "none", "==", "none", True),
                gate("first divergence", "cry.tflite", "layer", "==", "none", False),
                gate("pipeline, real-time factor p95", "cry.onnx", 0.0002, "<=", 0.5, True),
                gate("front-end vs librosa, SNR", "", None, ">=", 120.0, None),
            ],
            "warnings": ["CPU governor is 'powersave': timings may wander"],
            "passed": False,
        }
    )
