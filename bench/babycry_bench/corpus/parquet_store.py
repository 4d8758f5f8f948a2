"""A shard's rows as a Parquet file that is whole or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from babycry_bench.accuracy.answer import Answer
from babycry_bench.corpus.shards import CorpusPlan, Shard
from babycry_bench.corpus.work import Row
from babycry_edge.errors import BabycryError
from babycry_edge.extras import require
from babycry_edge.whole_file import write_whole

ROW_GROUP = 64
"""Rows that are read at a time."""

_PLAN_KEY = b"babycry.plan_sha256"
_SHARD_KEY = b"babycry.shard"
_HASH_COLUMN = "file_sha256"
_COMPRESSION = "zstd"


def arrow_schema() -> Any:
    """The columns: the fields of :class:`Answer` in their order, and the file's hash."""
    pa = require("pyarrow", "corpus")
    hints = get_type_hints(Answer)
    columns = [_arrow_field(pa, field.name, hints[field.name]) for field in fields(Answer)]
    return pa.schema([*columns, pa.field(_HASH_COLUMN, pa.string(), nullable=False)])


def write_shard(folder: Path, plan: CorpusPlan, shard: Shard, rows: Sequence[Row]) -> Path:
    """Write the rows of ``shard`` beside their place, then rename; the same rows, the same bytes.

    Raises:
        BabycryError: the rows are not those of the shard, or the file cannot be written.
    """
    pa = require("pyarrow", "corpus")
    parquet = require("pyarrow.parquet", "corpus")
    marks = {_PLAN_KEY: plan.sha256.encode(), _SHARD_KEY: str(shard.index).encode()}
    records = [{**vars(row.answer), _HASH_COLUMN: row.file_sha256} for row in rows]
    table = pa.Table.from_pylist(records, schema=arrow_schema().with_metadata(marks))
    buffer = pa.BufferOutputStream()
    parquet.write_table(
        table,
        buffer,
        row_group_size=ROW_GROUP,
        compression=_COMPRESSION,
        write_page_checksum=True,
    )
    path: Path = folder / shard.file_name
    write_whole(path, buffer.getvalue().to_pybytes())
    return path


def read_shard(folder: Path, plan: CorpusPlan, shard: Shard) -> Iterator[Row]:
    """The rows of a shard, a row group in memory at a time.

    Raises:
        BabycryError: the file is absent or damaged, is of another plan or shard, or does not hold
            the recordings of ``shard`` in their order.
    """
    pa = require("pyarrow", "corpus")
    parquet = require("pyarrow.parquet", "corpus")
    path = folder / shard.file_name
    wanted = [item.recording.name for item in shard.items]
    seen: list[str] = []
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            _check_marks(path, file, plan, shard)
            for group in range(file.num_row_groups):
                for record in file.read_row_group(group).to_pylist():
                    row = _row(record)
                    if seen[-1:] != [row.answer.recording]:
                        seen.append(row.answer.recording)
                    yield row
    except BabycryError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: names not UTF-8
        reason = str(error).split("\n")[0][:200]
        raise _damaged(path, f"cannot be read ({reason})") from None
    if seen != wanted:
        raise _damaged(path, "does not hold the recordings of its shard")


def corpus_sha256(folder: Path, plan: CorpusPlan) -> str:
    """Of the names, labels and true events of all recordings, and the bytes of their files.

    Not of where they are, nor of the models: the same corpus has the same hash everywhere.

    Raises:
        BabycryError: a shard is absent or damaged.
    """
    digest = hashlib.sha256()
    previous = None
    for shard in plan.shards:
        for row in read_shard(folder, plan, shard):
            answer = row.answer
            if answer.recording != previous:
                line = [answer.recording, answer.label, answer.true_events, row.file_sha256]
                digest.update(json.dumps(line).encode() + b"\n")
            previous = answer.recording
    return digest.hexdigest()


def is_finished(folder: Path, plan: CorpusPlan, shard: Shard) -> bool:
    """Whether the shard's file is there and whole: every row is read and every checksum checked."""
    if not (folder / shard.file_name).is_file():
        return False
    try:
        for _ in read_shard(folder, plan, shard):
            pass
    except BabycryError:
        return False
    return True


def _row(record: dict[str, Any]) -> Row:
    file_sha256 = record.pop(_HASH_COLUMN)
    return Row(Answer(**record), file_sha256)


def _check_marks(path: Path, file: Any, plan: CorpusPlan, shard: Shard) -> None:
    schema = file.schema_arrow
    marks = schema.metadata or {}
    if not schema.equals(arrow_schema()):
        raise _damaged(path, "has other columns than this version writes")
    if marks.get(_PLAN_KEY) != plan.sha256.encode():
        raise _damaged(path, "belongs to another plan")
    if marks.get(_SHARD_KEY) != str(shard.index).encode():
        raise _damaged(path, "holds another shard than its name says")


def _damaged(path: Path, what: str) -> BabycryError:
    return BabycryError(f"{path}: the file {what}: delete it and run again")


def _arrow_field(pa: Any, name: str, hint: Any) -> Any:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    optional = type(None) in get_args(hint)
    plain = hint if get_origin(hint) is list or not optional else kinds[0]
    return pa.field(name, _arrow_type(pa, plain), nullable=optional)


def _arrow_type(pa: Any, hint: Any) -> Any:
    if get_origin(hint) is list:
        return pa.list_(pa.field("element", _arrow_type(pa, get_args(hint)[0]), nullable=False))
    return {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}[hint]
