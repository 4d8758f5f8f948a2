"""One cold start, measured inside a fresh process that imports nothing before the clock runs.

Prints one JSON object: milliseconds of each step, and the memory that the process came to hold.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from time import perf_counter_ns


class StopWatch:
    """Milliseconds since the last look."""

    def __init__(self) -> None:
        self._last = perf_counter_ns()

    def lap_ms(self) -> float:
        """The milliseconds since the last lap, and a new lap begins."""
        now = perf_counter_ns()
        milliseconds = (now - self._last) * 1e-6
        self._last = now
        return milliseconds


def peak_rss_bytes() -> int:
    """The most resident memory that this process ever held, in bytes; 0 where nothing tells.

    Linux's own high-water mark comes first: it starts anew at exec, while ``getrusage`` of a
    child can show the memory of the parent that started it.
    """
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024


def probe(model_path: str, engine: str | None, threads: int = 1) -> dict[str, float]:
    """Import, first features, load, first inference, self-check: in the order of a device's boot.

    The model is loaded without its self-check, so that the first inference is the first one.
    """
    watch = StopWatch()
    import numpy as np

    from babycry_edge import Frontend

    laps = {"import_ms": watch.lap_ms()}

    frontend = Frontend.from_profile("librosa")
    tone = np.sin(np.arange(16000, dtype=np.float32) * np.float32(0.25))
    features = frontend(tone, sample_rate=16000)
    laps["first_features_ms"] = watch.lap_ms()
    laps["frontend_rss_bytes"] = float(peak_rss_bytes())

    watch.lap_ms()
    from babycry_edge import Model

    model = Model.load(model_path, engine=engine, verify=False, threads=threads)
    laps["load_ms"] = watch.lap_ms()

    window = np.resize(features, (1, *model.metadata.window_shape)).astype(np.float32)
    watch.lap_ms()
    model.scores(window)
    laps["first_inference_ms"] = watch.lap_ms()
    laps["peak_rss_bytes"] = float(peak_rss_bytes())

    watch.lap_ms()
    with suppress(ValueError):  # the bench reports a golden check that cannot be made as a gate
        model.self_check()
    laps["self_check_ms"] = watch.lap_ms()
    return laps


def main() -> None:
    """Entry of the fresh process: model file, engine or an empty name, threads."""
    model_path, engine, threads = sys.argv[-3:]
    print(json.dumps(probe(model_path, engine or None, int(threads))))


if __name__ == "__main__":
    main()
