"""Whether a document is what ``report.schema.json`` says, and where it is not."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast, get_args

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

SCHEMA_VERSION = 2
SCHEMA_FILE = Path(__file__).with_name("report.schema.json")

Kind = Literal["record", "report"]

_LONGEST_VALUE = 60


def check(document: Any, source: str) -> dict[str, Any]:
    """``document`` itself, when it is a record or a report of this schema version.

    Beyond the schema, every number is finite and no two models of one target have one name.

    Args:
        document: what JSON held.
        source: a file's or a target's name, for the message.

    Raises:
        BabycryError: one line with ``source``, the place in the document and what is wrong there;
            or jsonschema is not installed.
    """
    kind = _kind(document, source)
    jsonschema = require("jsonschema", "bench")
    error = jsonschema.exceptions.best_match(_validator(kind).iter_errors(document))
    if error is not None:
        raise BabycryError(f"{source}: {place(error.absolute_path)}: {_complaint(error)}")
    _check_finite(document, source)
    _check_names(document, source)
    return dict(document)


def place(path: Iterable[str | int]) -> str:
    """``stages[3].p50`` for the keys and indices that lead there; "the document" for none."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the document"


def _kind(document: Any, source: str) -> Kind:
    if not isinstance(document, dict):
        raise BabycryError(f"{source}: not a report of babycry-edge bench: no JSON object")
    version = document.get("schema_version")
    if isinstance(version, bool) or version != SCHEMA_VERSION:
        is_newer = isinstance(version, int) and version > SCHEMA_VERSION
        mend = "upgrade babycry-edge" if is_newer else "measure again with this release"
        raise BabycryError(
            f"{source}: schema_version is {_shown(version)}, this release reads {SCHEMA_VERSION}: "
            f"{mend}"
        )
    kind = document.get("kind")
    if kind not in get_args(Kind):
        allowed = " or ".join(get_args(Kind))
        raise BabycryError(f"{source}: kind must be {allowed}, not {_shown(kind)}")
    return cast(Kind, kind)


@lru_cache(maxsize=2)
def _validator(kind: Kind) -> Any:
    """Of one kind alone: an error in one of two alternatives would not be told apart."""
    jsonschema = require("jsonschema", "bench")
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    del schema["oneOf"]
    return jsonschema.Draft202012Validator({**schema, "$ref": f"#/$defs/{kind}"})


def _complaint(error: Any) -> str:
    if error.validator in ("required", "additionalProperties"):
        return " ".join(str(error.message).split())
    rule = f"{error.validator} {_shown(error.validator_value)}"
    return f"{_shown(error.instance)} does not fit the schema's {rule}"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=repr)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _check_finite(document: Any, source: str) -> None:
    for path, number in _numbers(document, ()):
        if not math.isfinite(number):
            raise BabycryError(f"{source}: {place(path)}: {number} is no number of JSON")


def _numbers(
    node: Any, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], float]]:
    if isinstance(node, float):
        yield path, node
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, (list, tuple)):
        items = enumerate(node)
    for key, child in items:
        yield from _numbers(child, (*path, key))


def _check_names(document: dict[str, Any], source: str) -> None:
    targets = document.get("targets", [])
    records = [("models", document), *((f"targets[{i}].models", t) for i, t in enumerate(targets))]
    for where, record in records:
        counts = Counter(model["model"] for model in record["models"])
        for name, count in counts.items():
            if count > 1:
                raise BabycryError(f"{source}: {where}: {count} models are called {_shown(name)}")
    names = Counter([document["target"], *(target["target"] for target in targets)])
    for name, count in names.items():
        if count > 1:
            raise BabycryError(f"{source}: targets: {count} targets are called {_shown(name)}")
