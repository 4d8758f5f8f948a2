"""Cheap answerers for the tests of a corpus, which other processes can import by name.

Run as a program it works on a corpus in a results folder, for tests that kill it or starve it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import soundfile

from babycry_bench.accuracy.answer import Answer, Recording, SystemSpec
from babycry_bench.corpus import parquet_store
from babycry_bench.corpus.evaluate import finish_shards, plan_corpus
from babycry_bench.corpus.results_folder import results_folder
from babycry_bench.corpus.shards import settle
from babycry_edge.errors import BabycryError

Answerer = Callable[[Recording], Answer]


def open_level(spec: SystemSpec) -> Answerer:
    """Scores by the recording's level; one window for each tenth of a second."""
    return partial(_level, spec.model_path.name)


def open_slow(spec: SystemSpec) -> Answerer:
    """As :func:`open_level`, a twentieth of a second later."""

    def answer(recording: Recording) -> Answer:
        time.sleep(0.05)
        return _level(spec.model_path.name, recording)

    return answer


def open_deadly(spec: SystemSpec) -> Answerer:
    """Dies at a recording until the file beside it, NAME.lives, has no line left."""

    def answer(recording: Recording) -> Answer:
        lives = recording.path.with_suffix(".lives")
        if lives.exists():
            left = lives.read_text().splitlines()
            if left:
                lives.write_text("\n".join(left[1:]))
                os.kill(os.getpid(), signal.SIGKILL)
        return _level(spec.model_path.name, recording)

    return answer


def open_refused(spec: SystemSpec) -> Answerer:
    """A model that cannot be opened."""
    raise BabycryError(f"{spec.model_path}: refused: give another")


def open_defect(spec: SystemSpec) -> Answerer:
    """A defect in the code."""

    def answer(recording: Recording) -> Answer:
        raise ZeroDivisionError("what nobody expected")

    return answer


def _level(model: str, recording: Recording) -> Answer:
    truth = None if recording.events is None else [list(event) for event in recording.events]
    try:
        samples, rate = soundfile.read(recording.path)
    except soundfile.LibsndfileError as error:
        return Answer(model, recording.name, recording.label, 0.0, error=str(error))
    hop = rate // 10
    windows = [float(abs(samples[at : at + hop]).mean()) for at in range(0, len(samples), hop)]
    return Answer(
        model,
        recording.name,
        recording.label,
        len(samples) / rate,
        scores=[1.0 - max(windows), max(windows)],
        window_scores=windows,
        events=[[0.0, 0.1, max(windows), 0.1]],
        true_events=truth,
    )


def _die_half_way(path: Path, data: bytes) -> None:
    """What a kill leaves of a write: half of the file beside its place."""
    path.with_name(f".{path.name}.{os.getpid()}.part").write_bytes(data[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


def main(corpus: str, out: str, model: str, *options: str) -> int:
    """Work on ``corpus`` with two slow workers; 2 and one line where it ends with an error."""
    if "die-in-write" in options:
        parquet_store.write_whole = _die_half_way
    specs = [SystemSpec(Path(model))]
    try:
        with results_folder(Path(out)) as folder:
            plan = plan_corpus(Path(corpus), specs, 0.05, lambda title, steps: lambda: None)
            settle(folder, plan)
            finish_shards(
                folder, plan, specs, 2, None, lambda title, steps: lambda: None, open_slow
            )
    except BabycryError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
