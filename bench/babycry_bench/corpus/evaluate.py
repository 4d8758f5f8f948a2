"""A corpus evaluated: planned, worked on in shards, kept in Parquet, judged in one pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from babycry_bench.accuracy.answer import Answer, Systems, SystemSpec
from babycry_bench.accuracy.judge import Judged, judge
from babycry_bench.corpus.dask_pool import check_scheduler, run_on_dask
from babycry_bench.corpus.packages import package_versions
from babycry_bench.corpus.parquet_store import corpus_sha256, is_finished, read_shard, write_shard
from babycry_bench.corpus.pool import Finished, run_on_processes
from babycry_bench.corpus.recordings import find_recordings
from babycry_bench.corpus.results_folder import results_folder
from babycry_bench.corpus.shards import CorpusPlan, Shard, make_plan, settle, survey
from babycry_bench.corpus.work import Opener, Order, open_answerer
from babycry_convert.data.manifest import MANIFEST_NAME
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.progress import Track

SHARD_MINUTES = 30.0


MOST_FAILURES = 10
"""Recordings that could not be read and are named in the record."""


def evaluate(
    corpus: Path,
    specs: Sequence[SystemSpec],
    out_dir: Path | None = None,
    workers: int | None = None,
    dask: str | None = None,
    track: Track = lambda title, steps: lambda: None,
    shard_minutes: float = SHARD_MINUTES,
) -> list[dict[str, Any]]:
    """The accuracy record of each model on a corpus of any size.

    The figures do not depend on the workers, on where they are, on the length of the shards, nor
    on how often the evaluation was killed and begun again.

    Args:
        corpus: a folder or a manifest, see :func:`find_recordings`.
        specs: the models, each of another name.
        out_dir: where results are kept: an evaluation that was stopped goes on from there. None:
            a temporary folder.
        workers: processes on this machine; None: one for each core that this one may use.
        dask: address of a Dask scheduler in place of processes on this machine.
        track: hears of the progress, recording by recording.
        shard_minutes: of audio in a shard, about: what a kill costs.

    Returns:
        A record for each spec, as the report's schema has it.

    Raises:
        BabycryError: the corpus, a model, the results folder or the cluster is at fault, the disk
            is full, a worker dies again and again, or not one recording can be read. What is
            finished is kept in ``out_dir``.
    """
    require("pyarrow", "corpus")
    if dask is not None:
        check_scheduler(dask)  # before the libraries of the models are loaded, which takes seconds
    specs = [replace(spec, model_path=spec.model_path.absolute()) for spec in specs]
    models = [Judged.of(Systems(spec), _corpus_name(corpus)) for spec in specs]
    _check_names([judged.model for judged in models])
    with results_folder(out_dir) as folder:
        plan = plan_corpus(corpus.absolute(), specs, shard_minutes, track)
        settle(folder, plan)
        count = _usable_cores() if workers is None else workers
        finish_shards(folder, plan, specs, count, dask, track)
        data_sha256 = corpus_sha256(folder, plan)
        return [_record(folder, plan, judged, data_sha256) for judged in models]


def finish_shards(
    folder: Path,
    plan: CorpusPlan,
    specs: Sequence[SystemSpec],
    workers: int,
    dask: str | None,
    track: Track,
    opener: Opener = open_answerer,
) -> None:
    """Work on the shards of ``plan`` that ``folder`` lacks, and write each as it comes.

    Raises:
        BabycryError: as :func:`run_on_processes` and :func:`run_on_dask`, or a file cannot be
            written; what is finished stays.
    """
    advance = track("corpus", plan.recordings)
    missing = []
    for shard in plan.shards:
        if is_finished(folder, plan, shard):
            _advance(advance, shard)
        else:
            missing.append(shard)
    if not missing:
        return
    order = Order(tuple(specs), tuple(package_versions().items()), opener)
    with closing(_run(missing, order, workers, dask)) as finished:
        for shard, rows in finished:
            try:
                write_shard(folder, plan, shard, rows)
            except BabycryError as error:
                raise BabycryError(
                    f"{error}: make space and run again, finished shards are kept"
                ) from None
            _advance(advance, shard)


def plan_corpus(
    corpus: Path, specs: Sequence[SystemSpec], shard_minutes: float, track: Track
) -> CorpusPlan:
    """Find the recordings, look at their headers, and cut them into shards.

    Raises:
        BabycryError: as :func:`find_recordings` and :func:`make_plan`.
    """
    recordings = find_recordings(corpus)
    items = survey(recordings, track("recordings", len(recordings)))
    return make_plan(items, specs, package_versions(), shard_minutes)


def stored_answers(folder: Path, plan: CorpusPlan, model: str) -> Iterator[Answer]:
    """The answers of one model in the order of the recordings' names, some rows in memory.

    Raises:
        BabycryError: a shard is absent or damaged.
    """
    for shard in plan.shards:
        for row in read_shard(folder, plan, shard):
            if row.answer.model == model:
                yield row.answer


def _record(folder: Path, plan: CorpusPlan, judged: Judged, data_sha256: str) -> dict[str, Any]:
    failures: list[dict[str, str]] = []

    def noted() -> Iterator[Answer]:
        for answer in stored_answers(folder, plan, judged.model):
            if answer.error and len(failures) < MOST_FAILURES:
                failures.append({"recording": answer.recording, "error": answer.error})
            yield answer

    record: dict[str, Any] = judge(noted(), judged, data_sha256)
    data = record["data"]
    if data["failed"] == data["recordings"]:
        raise BabycryError(
            f"not one of {data['recordings']} recordings could be read; {failures[0]['error']}"
        )
    if failures:
        record["data"] = {**data, "failures": failures}
    return record


def _corpus_name(corpus: Path) -> str:
    """The folder's name, or the manifest's where it is not simply the folder's own."""
    path = corpus.resolve()
    return path.parent.name if path.name == MANIFEST_NAME else path.name


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BabycryError(f"two models are called {twice[0]}: give one of them another name")
    if not names:
        raise BabycryError("no model to evaluate: give one")


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0))


def _run(shards: Sequence[Shard], order: Order, workers: int, dask: str | None) -> Finished:
    if dask is not None:
        return run_on_dask(shards, order, dask)
    return run_on_processes(shards, order, workers)


def _advance(advance: Callable[[], object], shard: Shard) -> None:
    for _ in shard.items:
        advance()
