"""Shards on this machine's cores: processes that start afresh, and are replaced when they die."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from babycry_bench.corpus.shards import Shard
from babycry_bench.corpus.work import Order, Row, work_on
from babycry_edge.errors import BabycryError

ATTEMPTS = 3
"""How often a shard is begun before the processes that die at it end the evaluation."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
"""A worker has one core; a library that adds in another order on more would give other bits."""

_JOIN_S = 5.0

Finished = Generator[tuple[Shard, list[Row]], None, None]


def run_on_processes(shards: Sequence[Shard], order: Order, workers: int) -> Finished:
    """Work on ``shards`` in ``workers`` processes; yields each one's rows as they come.

    A process that dies (killed, out of memory, a crash in a library) is replaced and its shard
    begun again, ``ATTEMPTS`` times at most. When the caller stops, an error or Ctrl-C included,
    the processes end; when the caller is killed, they end by themselves.

    Raises:
        BabycryError: that of the work, or a shard at which every process died; the message names
            the recording.
    """
    if workers < 1:
        raise BabycryError(f"{workers} workers: give 1 or more")
    pool = _Pool(order, min(workers, len(shards)))
    try:
        yield from pool.run(shards)
    finally:
        pool.close()


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    shard: Shard | None = None
    recording: str = ""


class _Pool:
    def __init__(self, order: Order, workers: int) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._order = order
        self._size = workers
        self._workers: list[_Worker] = []

    def run(self, shards: Sequence[Shard]) -> Finished:
        waiting = deque(shards)
        attempts = dict.fromkeys((shard.index for shard in shards), 0)
        left = len(shards)
        while left:
            self._hand_out(waiting, attempts)
            busy = {worker.connection: worker for worker in self._workers if worker.shard}
            for connection in wait(list(busy)):
                worker = busy[connection]  # type: ignore[index]
                shard = worker.shard
                assert shard is not None
                try:
                    rows = _take(worker)
                except (EOFError, OSError):
                    self._bury(worker, attempts[shard.index])
                    waiting.appendleft(shard)
                    continue
                if rows is not None:
                    left -= 1
                    yield shard, rows

    def close(self) -> None:
        """End every process, in whatever it does."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(_JOIN_S)
            worker.connection.close()
        self._workers.clear()

    def _hand_out(self, waiting: deque[Shard], attempts: dict[int, int]) -> None:
        while len(self._workers) < min(self._size, len(waiting) + self._busy()):
            self._workers.append(self._start())
        for worker in self._workers:
            if worker.shard is None and waiting:
                shard = waiting.popleft()
                attempts[shard.index] += 1
                worker.shard, worker.recording = shard, ""
                with suppress(ConnectionError):  # it died: the wait for its answer finds that out
                    worker.connection.send(shard)

    def _busy(self) -> int:
        return sum(worker.shard is not None for worker in self._workers)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._order), daemon=True)
        with _quiet_start():
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _bury(self, worker: _Worker, attempts: int) -> None:
        """Forget a dead worker.

        Raises:
            BabycryError: its shard has been begun often enough.
        """
        self._workers.remove(worker)
        worker.process.kill()  # should its connection alone be broken
        worker.process.join(_JOIN_S)
        worker.connection.close()
        if attempts >= ATTEMPTS:
            where = f" at {worker.recording}" if worker.recording else ""
            raise BabycryError(
                f"a worker process died {attempts} times{where} ({_cause(worker.process.exitcode)})"
                ": use fewer workers if memory is short, else take the recording out; "
                "what is finished is kept"
            )


def _take(worker: _Worker) -> list[Row] | None:
    """Receive one message; rows if the shard is finished, None for news on the way."""
    kind, content = worker.connection.recv()
    if kind == "recording":
        worker.recording = content
        return None
    if kind == "error":
        raise content
    worker.shard = None
    rows: list[Row] = content
    return rows


def _serve(connection: Connection, order: Order) -> None:
    """The life of a worker: shards in, rows out, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _die_with_parent()
    try:
        while True:
            connection.send(_reply(connection, connection.recv(), order))
    except (EOFError, ConnectionError):
        return


def _reply(connection: Connection, shard: Shard, order: Order) -> tuple[str, Any]:
    try:
        rows = work_on(shard, order, lambda name: connection.send(("recording", name)))
    except ConnectionError:
        raise
    except BabycryError as error:
        return "error", BabycryError(str(error))
    except MemoryError:
        os._exit(1)  # a death like any other: another process may find more
    except Exception as error:
        return "error", RuntimeError(f"a worker failed: {type(error).__name__}: {error}")
    return "rows", rows


def _die_with_parent() -> None:
    """End this process at once when its parent is gone, even in the middle of a recording."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _quiet_start() -> Iterator[None]:
    """One thread for each library in the new process, and no Ctrl-C until it ignores that itself.

    Both are inherited at the start; here they are as before afterwards.
    """
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _cause(exit_code: int | None) -> str:
    if exit_code is None:
        return "its connection broke"
    if exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
