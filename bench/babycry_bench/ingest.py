"""``babycry-edge bench --ingest FILE``: what was measured elsewhere, as records of this report.

A file is a record (of a board, say), a report (its own part becomes a record beside its targets'),
or pytest-benchmark's JSON. It comes from another machine and is not trusted: its size is bounded,
it must fit the schema to the last field, and its texts hold nothing that moves a terminal's cursor.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from babycry_bench.pytest_benchmark_record import is_pytest_benchmark, record_of_benchmarks
from babycry_bench.report import THIS_MACHINE
from babycry_bench.schema.validate import check
from babycry_edge.errors import BabycryError

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 32

_ONLY_IN_REPORTS = ("targets", "accuracy", "gates", "passed")

Record = dict[str, Any]


def read_record(path: Path) -> Record:
    """The one record in ``path``; of a report its own part.

    Raises:
        BabycryError: as :func:`read_records`.
    """
    return read_records(path)[0]


def read_records(path: Path) -> list[Record]:
    """Every record in ``path``: the file's own first, then the targets of a report.

    What calls itself "this machine" is another one here, and gets the file's name.

    Raises:
        BabycryError: one line: the file cannot be read, is too large, is no JSON, or does not fit
            the schema, and where.
    """
    return records_in(_content(path), str(path), path.stem)


def read_report(path: Path) -> Record:
    """The report in ``path``, whole: to be compared, or held against.

    Raises:
        BabycryError: as :func:`read_records`; or it is the record of a single target.
    """
    report = check(parse(_content(path), str(path)), str(path))
    if report["kind"] != "report":
        raise BabycryError(f"{path}: one target's record: add it to a report with --ingest")
    return report


def records_in(content: bytes, source: str, name: str) -> list[Record]:
    """As :func:`read_records`, of bytes that came from ``source``.

    Args:
        content: the JSON.
        source: a file or a machine, for the message.
        name: what "this machine" is called here.
    """
    document = parse(content, source)
    if is_pytest_benchmark(document):
        return [check(record_of_benchmarks(document, source, name), source)]
    document = check(document, source)
    own = {key: value for key, value in document.items() if key not in _ONLY_IN_REPORTS}
    own["kind"] = "record"
    if own["target"] == THIS_MACHINE:
        own["target"] = name
    return [check(own, source), *document.get("targets", [])]


def distinct(records: Iterable[Record], taken: Iterable[str] = (THIS_MACHINE,)) -> list[Record]:
    """The records with names of their own: "aarch64", "aarch64 (2)"; none of ``taken``."""
    names = set(taken)
    renamed = []
    for record in records:
        name, number = record["target"], 1
        while name in names:
            number += 1
            name = f"{record['target']} ({number})"
        names.add(name)
        renamed.append({**record, "target": name})
    return renamed


def parse(content: bytes, source: str) -> Any:
    """JSON from somewhere else.

    Raises:
        BabycryError: too large, damaged, nested too deeply, or with control characters.
    """
    if len(content) > MAX_BYTES:
        raise BabycryError(f"{source}: more than {MAX_BYTES >> 20} MiB: no report of this bench")
    try:
        document = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BabycryError(
            f"{source}: damaged, or no JSON: {' '.join(reason.split())[:120]}; fetch it again"
        ) from None
    for text in _texts(document, source, 0):
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            raise BabycryError(f"{source}: {text[:40]!a} has control characters: not read")
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _texts(node: Any, source: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise BabycryError(f"{source}: nested too deeply: no report of this bench")
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from node
        for child in node.values():
            yield from _texts(child, source, depth + 1)
    elif isinstance(node, list):
        for child in node:
            yield from _texts(child, source, depth + 1)


def _content(path: Path) -> bytes:
    """At most a byte more than is allowed, whatever the file's size is said to be."""
    try:
        if not path.is_file():
            raise BabycryError(f"{path}: no such file: give the JSON that the board wrote")
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BabycryError(f"{path}: cannot be read: {error.strerror}") from None
