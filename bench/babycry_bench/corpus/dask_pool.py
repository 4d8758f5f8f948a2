"""Shards on a Dask cluster, which begins a dead worker's shard again elsewhere."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from babycry_bench.corpus.pool import Finished
from babycry_bench.corpus.shards import Shard
from babycry_bench.corpus.work import Order, Row, work_on
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

REACH_S = 5.0
"""Seconds that a cluster has to answer."""

LOST_S = 30.0
"""Seconds without any worker after which the evaluation ends."""

_LOOK_S = 2.0
_IN_FLIGHT = 2
"""Shards that the cluster holds for each thread: one in work and one ready."""

_KEPT = "what is finished is kept, run again"


def run_on_dask(
    shards: Sequence[Shard], order: Order, address: str, lost_s: float = LOST_S
) -> Finished:
    """Work on ``shards`` on the cluster at ``address``; yields each one's rows as they come.

    Its workers need the same packages, and the recordings and models at the same paths. What is
    still in work when the caller stops is cancelled.

    Raises:
        BabycryError: nothing answers at ``address`` within seconds, the cluster has no worker for
            ``lost_s`` seconds, lacks babycry-edge, or lost a worker at the same shard again and
            again; or the error of the work.
    """
    distributed = require("distributed", "corpus")
    check_scheduler(address)
    with _without_log():
        client = distributed.Client(address, timeout=REACH_S, set_as_default=False)
        try:
            yield from _Cluster(distributed, client, order, address, lost_s).run(shards)
        finally:
            client.close(REACH_S)


class _Cluster:
    def __init__(
        self, distributed: Any, client: Any, order: Order, address: str, lost_s: float
    ) -> None:
        self._distributed = distributed
        self._client = client
        self._order = order
        self._address = address
        self._lost_s = lost_s
        self._in_work: dict[Any, Shard] = {}

    def run(self, shards: Sequence[Shard]) -> Finished:
        waiting = iter(shards)
        try:
            while True:
                self._submit(waiting)
                if not self._in_work:
                    return
                for future in self._wait():
                    shard = self._in_work.pop(future)
                    yield shard, self._rows(future, shard)
        finally:
            if self._client.status == "running":
                self._client.cancel(list(self._in_work), force=True)

    def _submit(self, waiting: Iterator[Shard]) -> None:
        """Fill the cluster up to ``_IN_FLIGHT`` shards for each thread that it has now."""
        threads = max(1, self._threads())
        for shard in islice(waiting, max(0, _IN_FLIGHT * threads - len(self._in_work))):
            future = self._client.submit(work_on, shard, self._order, pure=False)
            self._in_work[future] = shard

    def _wait(self) -> list[Any]:
        """Futures that have ended, at least one.

        Raises:
            BabycryError: there has been no worker, or no scheduler, for too long.
        """
        alive = time.monotonic()
        while True:
            if self._threads():
                alive = time.monotonic()
            elif time.monotonic() - alive > self._lost_s:
                raise BabycryError(
                    f"the Dask cluster at {self._address} has had no worker for "
                    f"{self._lost_s:g} s: start one (dask worker {self._address}); {_KEPT}"
                )
            try:
                with self._client.as_current():
                    ended = self._distributed.wait(
                        list(self._in_work), timeout=_LOOK_S, return_when="FIRST_COMPLETED"
                    )
            except (TimeoutError, asyncio.TimeoutError):
                continue
            except asyncio.CancelledError:
                raise self._lost() from None
            return list(ended.done)

    def _threads(self) -> int:
        """Of all workers that the cluster has now."""
        if self._client.status != "running":
            raise self._lost()
        try:
            return sum(self._client.nthreads().values())
        except (OSError, asyncio.TimeoutError):
            raise self._lost() from None

    def _lost(self) -> BabycryError:
        return BabycryError(f"the Dask cluster at {self._address} was lost: {_KEPT}")

    def _rows(self, future: Any, shard: Shard) -> list[Row]:
        first, last = (shard.items[at].recording.name for at in (0, -1))
        try:
            rows: list[Row] = future.result()
        except BabycryError:
            raise
        except asyncio.CancelledError:
            raise self._lost() from None
        except ModuleNotFoundError as error:
            raise BabycryError(
                f"a worker of the Dask cluster lacks {error.name}: pip install "
                "'babycry-edge[bench,oracle,corpus]' on every one"
            ) from None
        except self._distributed.KilledWorker:
            raise BabycryError(
                f"workers of the Dask cluster died again and again at the shard {first} to {last}: "
                f"give them more memory or take the recordings out; {_KEPT}"
            ) from None
        return rows


@contextmanager
def _without_log() -> Iterator[None]:
    """No tracebacks of the client's own on stderr: what went wrong is raised."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def check_scheduler(address: str) -> None:
    """Ask ``address`` what it is: a client would wait and complain long.

    Raises:
        BabycryError: it does not answer as a Dask scheduler.
    """
    core = require("distributed.core", "corpus")

    async def identity() -> Any:
        async with core.rpc(address) as remote:
            return await remote.identity()

    try:
        found = asyncio.run(asyncio.wait_for(identity(), REACH_S))
    except ValueError as error:
        raise BabycryError(
            f"--dask {address}: {error}: give the scheduler's address, tcp://HOST:8786"
        ) from None
    except Exception as error:
        why = "" if isinstance(error, (TimeoutError, asyncio.TimeoutError)) else f" ({error})"
        raise BabycryError(
            f"--dask {address}: no Dask scheduler answers there{why}: start one (dask scheduler), "
            "or leave --dask out to use this machine's cores"
        ) from None
    if not isinstance(found, dict) or found.get("type") != "Scheduler":
        raise BabycryError(f"--dask {address}: not a scheduler: give its address, tcp://HOST:8786")
