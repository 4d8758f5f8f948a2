"""The resampler beside soxr HQ: response, exactness and speed, as JSON and as a picture.

``python -m babycry_bench.resampler_figures --json FILE --plot FILE.svg`` wants soxr and matplotlib.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from time import thread_time_ns
from typing import Any

import numpy as np

from babycry_bench.clips import load_clips
from babycry_bench.facts.build import describe_build, package_version
from babycry_bench.facts.machine import describe_machine
from babycry_bench.resampler_response import (
    PASS_BAND,
    Floats,
    Resample,
    at_two_rates,
    pass_band_ripple_db,
    sine_response,
    snr_db,
    stop_band_db,
)
from babycry_edge.conditioning import Resampler, as_float, resample, resampler_instruction_sets
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.whole_file import write_whole

PAIRS = (
    (8000, 16000),
    (11025, 16000),
    (22050, 16000),
    (32000, 16000),
    (44100, 16000),
    (48000, 16000),
    (16000, 44100),
    (16000, 8000),
)
"""Input and output rate in Hz."""

PLOTTED = (44100, 16000)
MINUTE_S = 60
ROUNDS = 31


def ours(in_rate: int, out_rate: int) -> Resample:
    """The C resampler."""
    return lambda audio: resample(audio, in_rate, out_rate)


def soxr_hq(in_rate: int, out_rate: int) -> Resample:
    """soxr, quality HQ."""
    soxr = require("soxr", "oracle")
    return partial(_soxr, soxr, in_rate, out_rate)


def _soxr(soxr: Any, in_rate: int, out_rate: int, audio: Floats) -> Floats:
    result: Floats = soxr.resample(audio, in_rate, out_rate, quality="HQ")
    return result


def exactness(in_rate: int, out_rate: int) -> dict[str, float]:
    """SNR on the bundled cries, cut off at 0.9 of Nyquist: the worst clip of each, in dB."""
    methods = {"ours": ours(in_rate, out_rate), "soxr": soxr_hq(in_rate, out_rate)}
    against_truth: dict[str, list[float]] = {name: [] for name in methods}
    against_soxr = []
    margin = out_rate // 10
    for clip in load_clips():
        if clip.label != "cry":
            continue
        audio = as_float(clip.samples)
        given, truth = at_two_rates(audio, clip.sample_rate, in_rate, out_rate)
        outputs = {name: method(given) for name, method in methods.items()}
        for name, output in outputs.items():
            against_truth[name].append(snr_db(truth, output, margin))
        against_soxr.append(snr_db(outputs["soxr"], outputs["ours"], margin))
    return {
        "snr_exact_db": min(against_truth["ours"]),
        "soxr_snr_exact_db": min(against_truth["soxr"]),
        "snr_against_soxr_db": min(against_soxr),
    }


def speed(in_rate: int, out_rate: int) -> dict[str, float]:
    """Processor time (ms) for a minute of audio: medians of interleaved rounds, one thread each."""
    noise = np.random.default_rng(1).normal(0, 0.1, MINUTE_S * in_rate).astype(np.float32)
    methods = {"ours": ours(in_rate, out_rate), "soxr": soxr_hq(in_rate, out_rate)}
    times: dict[str, list[int]] = {name: [] for name in methods}
    for _ in range(ROUNDS + 1):
        for name, method in methods.items():
            start = thread_time_ns()
            method(noise)
            times[name].append(thread_time_ns() - start)
    ours_ms, soxr_ms = (median(times[name][1:]) * 1e-6 for name in ("ours", "soxr"))
    return {"ours_ms": ours_ms, "soxr_ms": soxr_ms, "soxr_over_ours": soxr_ms / ours_ms}


def figures_of(in_rate: int, out_rate: int) -> dict[str, Any]:
    """Everything about one pair of rates."""
    resampler = Resampler(in_rate, out_rate)
    record: dict[str, Any] = {
        "in_rate": in_rate,
        "out_rate": out_rate,
        "ram_bytes": resampler.ram_size,
        "tables_bytes": resampler.tables_size,
    }
    for prefix, method in (("", ours(in_rate, out_rate)), ("soxr_", soxr_hq(in_rate, out_rate))):
        record[f"{prefix}ripple_db"] = pass_band_ripple_db(method, in_rate, out_rate)
        record[f"{prefix}stop_band_db"] = stop_band_db(method, in_rate, out_rate)
    record |= exactness(in_rate, out_rate) | speed(in_rate, out_rate)
    return {key: _rounded(value) for key, value in record.items()}


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def make_figures() -> dict[str, Any]:
    """The content of the JSON file."""
    return {
        "date": date.today().isoformat(),
        "machine": describe_machine(),
        "build": describe_build() | {"soxr": package_version("soxr")},
        "instruction_set": resampler_instruction_sets()[0],
        "pass_band": PASS_BAND,
        "rates": [figures_of(*pair) for pair in PAIRS],
    }


def response_curve(method: Resample, low: float, high: float, points: int) -> tuple[Any, Any]:
    """Frequencies in Hz, and what comes out of a sine there, gain or alias, in dB."""
    frequencies = np.linspace(low, high, points)
    responses = [sine_response(method, *PLOTTED, hz) for hz in frequencies]
    nyquist = PLOTTED[1] / 2
    levels = [
        response.gain_db if hz < nyquist else response.rest_db
        for hz, response in zip(frequencies, responses, strict=True)
    ]
    return frequencies, np.asarray(levels)


def draw(figures: dict[str, Any], path: Path) -> None:
    """Whole response, pass-band and speed, as SVG."""
    matplotlib = require("matplotlib", "dev")
    matplotlib.use("svg")
    pyplot = require("matplotlib.pyplot", "dev")
    matplotlib.rcParams["svg.hashsalt"] = "babycry"
    figure, (whole, near, times) = pyplot.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for label, method, color in _methods():
        frequencies, levels = response_curve(method, 50, PLOTTED[0] / 2 - 50, 400)
        whole.plot(frequencies / 1000, levels, color, label=label, linewidth=1.2)
        frequencies, levels = response_curve(method, 50, 0.93 * PLOTTED[1] / 2, 200)
        near.plot(frequencies / 1000, levels, color, label=label, linewidth=1.2)
    whole.axhline(-80, color="0.5", linestyle=":", linewidth=1)
    whole.set(
        title="44.1 to 16 kHz: gain, aliases above 8 kHz",
        xlabel="frequency of the sine, kHz",
        ylabel="level at the output, dB",
        ylim=(-150, 5),
    )
    near.axvline(PASS_BAND * PLOTTED[1] / 2000, color="0.5", linestyle=":", linewidth=1)
    near.set(
        title="The same, pass-band enlarged",
        xlabel="frequency of the sine, kHz",
        ylabel="gain, dB",
        ylim=(-0.02, 0.005),
    )
    _draw_speed(times, figures)
    for axes, place in ((whole, "upper right"), (near, "lower left")):
        axes.grid(alpha=0.3)
        axes.legend(loc=place)
    figure.savefig(path, metadata={"Date": None})


def _methods() -> list[tuple[str, Resample, str]]:
    return [("babycry-edge", ours(*PLOTTED), "C0"), ("soxr HQ", soxr_hq(*PLOTTED), "C1")]


def _draw_speed(axes: Any, figures: dict[str, Any]) -> None:
    rows = figures["rates"]
    places = np.arange(len(rows))
    names = [f"{row['in_rate'] / 1000:g} to {row['out_rate'] / 1000:g}" for row in rows]
    for offset, key, label in ((-0.2, "ours_ms", "babycry-edge"), (0.2, "soxr_ms", "soxr HQ")):
        axes.barh(places + offset, [row[key] for row in rows], 0.4, label=label)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set(title="A minute of audio, processor time", xlabel="ms", ylabel="kHz")
    axes.grid(alpha=0.3, axis="x")
    axes.legend()


def main() -> int:
    """Entry of ``python -m babycry_bench.resampler_figures``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--plot", type=Path, required=True, help=".svg")
    arguments = parser.parse_args()
    try:
        figures = make_figures()
        draw(figures, arguments.plot)
        write_whole(arguments.json, f"{json.dumps(figures, indent=1)}\n".encode())
    except BabycryError as error:
        print(f"resampler_figures: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
