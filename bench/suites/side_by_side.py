"""Two pieces of code timed in one process, turn by turn, so that both see the same machine."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from time import perf_counter_ns
from typing import Any

import numpy as np
import numpy.typing as npt

from babycry_bench.timing.percentiles import median

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16000
AUDIO_S = 60
LOG_MEL = {"n_fft": 512, "hop_length": 160, "n_mels": 64}
LIBROSA_DEFAULTS = {"n_fft": 2048, "hop_length": 512, "n_mels": 128}


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    Attributes:
        ours: what of ours was timed.
        peer: what it was compared with.
        ours_ms: median time in ms.
        peer_ms: median time of the peer in ms, in the fastest of its ways.
        way: that way.
        ratio: ``peer_ms / ours_ms``; above 1 ours is the faster.
        ratio_of_minima: that of the fastest rounds, which other work on the machine spoils less.
        least: the smallest ratio that passes, or None where the figure is only reported.
        aim: a ratio to strive for.
    """

    ours: str
    peer: str
    ours_ms: float
    peer_ms: float
    way: str
    ratio: float
    ratio_of_minima: float
    least: float | None
    aim: float | None

    @property
    def is_fast_enough(self) -> bool:
        """By the medians and by the fastest rounds: other work here may slow one side more."""
        return self.least is None or min(self.ratio, self.ratio_of_minima) >= self.least

    def __str__(self) -> str:
        bound = f", at least {self.least:g}" if self.least is not None else ""
        aim = f", aim {self.aim:g}" if self.aim is not None else ""
        return (
            f"{self.ours}: {self.ours_ms:.3f} ms; {self.peer} ({self.way}) {self.peer_ms:.3f} ms: "
            f"ratio {self.ratio:.2f} (of the fastest rounds {self.ratio_of_minima:.2f}){bound}{aim}"
        )


class SideBySide:
    """Times a benchmark's function and its peer's ways, one after the other in each round."""

    def __init__(self, benchmark: Any, capsys: Any) -> None:
        self._benchmark = benchmark
        self._capsys = capsys

    def __call__(
        self,
        ours: tuple[str, Callable[[], object]],
        peer: str,
        ways: Mapping[str, Callable[[], object]],
        rounds: int = 60,
        least: float | None = None,
        aim: float | None = None,
    ) -> Comparison:
        """Medians over ``rounds``; the peer counts in the fastest of its ``ways``."""
        name, function = ours
        times: dict[str, list[int]] = {way: [] for way in ways}

        def time_peer() -> None:
            for way, run in ways.items():
                run()  # once unmeasured: what came before has emptied the caches
                start = perf_counter_ns()
                run()
                times[way].append(perf_counter_ns() - start)
            function()

        gc.disable()
        try:
            self._benchmark.pedantic(function, setup=time_peer, rounds=rounds, warmup_rounds=2)
        finally:
            gc.enable()
        medians = {way: median(found) * 1e-6 for way, found in times.items()}
        way = min(medians, key=medians.__getitem__)
        data = self._benchmark.stats.stats.data
        ours_ms = median(data) * 1e3
        ratio = medians[way] / ours_ms
        minima = min(min(found) for found in times.values()) * 1e-9 / min(data)
        result = Comparison(name, peer, ours_ms, medians[way], way, ratio, minima, least, aim)
        self._benchmark.extra_info.update(asdict(result))
        with self._capsys.disabled():
            print(f"\n{result}")
        return result
