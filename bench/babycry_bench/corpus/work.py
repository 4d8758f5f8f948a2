"""The work on one shard, in whatever process it lands: recordings in, rows of results out."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from babycry_bench.accuracy.answer import Answer, Recording, Systems, SystemSpec, answer
from babycry_bench.corpus.packages import package_versions
from babycry_bench.corpus.shards import Fingerprint, Shard, ShardItem
from babycry_edge.errors import BabycryError

Answerer = Callable[[Recording], Answer]
Opener = Callable[[SystemSpec], Answerer]

_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One model's answer to one recording; ``file_sha256`` is the file's, "" of one not read."""

    answer: Answer
    file_sha256: str


@dataclass(frozen=True)
class Order:
    """What every shard is worked on with: plain values, so that it can be sent to a process.

    Attributes:
        specs: the models, in the order of their answers.
        packages: the versions that the plan was made with.
        opener: opens a spec; a function of a module.
    """

    specs: tuple[SystemSpec, ...]
    packages: tuple[tuple[str, str], ...]
    opener: Opener


def open_answerer(spec: SystemSpec) -> Answerer:
    """The real opener: both pipelines of ``spec``, loaded once.

    Raises:
        BabycryError: as :class:`Systems`.
    """
    return partial(answer, Systems(spec))


def work_on(
    shard: Shard, order: Order, on_recording: Callable[[str], object] = lambda name: None
) -> list[Row]:
    """Every model's answer to every recording: recording by recording, in their order.

    ``on_recording`` hears the name of each before its work begins. A recording that cannot be
    read gives an answer with an error.

    Raises:
        BabycryError: a model cannot be opened here, this process has other packages than the plan
            was made with, or a recording is no longer the file that was planned.
    """
    answerers = _answerers(order)
    rows = []
    for item in shard.items:
        on_recording(item.recording.name)
        rows += _answer(item, answerers)
    return rows


_opened = threading.local()


def _answerers(order: Order) -> list[Answerer]:
    """Opened once for each thread: an engine serves one at a time."""
    if getattr(_opened, "order", None) != order:
        _check_packages(dict(order.packages))
        _opened.answerers = [order.opener(spec) for spec in order.specs]
        _opened.order = order
    answerers: list[Answerer] = _opened.answerers
    return answerers


def _answer(item: ShardItem, answerers: list[Answerer]) -> list[Row]:
    _check_unchanged(item)
    answers = [_placeless(answer_one(item.recording), item) for answer_one in answerers]
    file_sha256 = _sha256(item.recording.path)
    _check_unchanged(item)
    return [Row(each, file_sha256) for each in answers]


def _placeless(answer: Answer, item: ShardItem) -> Answer:
    """With the recording's name in an error in place of where it is today."""
    where = str(item.recording.path)
    return replace(answer, error=answer.error.replace(where, item.recording.name))


def _check_unchanged(item: ShardItem) -> None:
    if Fingerprint.of(item.recording.path) != item.fingerprint:
        raise BabycryError(
            f"{item.recording.path}: the file was changed, removed or added after the evaluation "
            "began: leave the corpus alone and start again with a new results folder"
        )


def _check_packages(planned: dict[str, str]) -> None:
    here = package_versions()
    for name in sorted(planned.keys() | here.keys()):
        if planned.get(name) != here.get(name):
            raise BabycryError(
                f"a worker has {name} {here.get(name, '(not installed)')} and the evaluation was "
                f"begun with {planned.get(name, '(not installed)')}: install the same everywhere"
            )


def _sha256(path: Path) -> str:
    """Of a file's bytes; of one that cannot be read ""."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError:
        return ""
    return digest.hexdigest()
