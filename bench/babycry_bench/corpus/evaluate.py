"""A corpus evaluated: planned, worked on in shards, kept in Parquet, judged in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from babycry_bench.accuracy.answer import Answer, SystemSpec
from babycry_bench.corpus.dask_pool import run_on_dask
from babycry_bench.corpus.packages import package_versions
from babycry_bench.corpus.parquet_store import is_finished, read_shard, write_shard
from babycry_bench.corpus.pool import Finished, run_on_processes
from babycry_bench.corpus.recordings import find_recordings
from babycry_bench.corpus.shards import CorpusPlan, Shard, make_plan, survey
from babycry_bench.corpus.work import Opener, Order, open_answerer
from babycry_edge.errors import BabycryError
from babycry_edge.progress import Track

SHARD_MINUTES = 30.0


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


def _run(
    shards: Sequence[Shard], order: Order, workers: int, dask: str | None
) -> Iterator[Finished]:
    if dask is not None:
        return run_on_dask(shards, order, dask)
    return run_on_processes(shards, order, workers)


def _advance(advance: Callable[[], object], shard: Shard) -> None:
    for _ in shard.items:
        advance()
