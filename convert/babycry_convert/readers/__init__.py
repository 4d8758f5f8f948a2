"""Checkpoint readers, one module a kind, found by name.

A reader's module has ``SUFFIXES``, the usual endings of its files; ``sniff(path, head)``, which
tells from the path and the first 64 KiB whether it can read a file; and ``read(path, request)``.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from babycry_edge.errors import BabycryError

if TYPE_CHECKING:
    from torch import nn

    from babycry_convert.hub import FinishedModel

HEAD_BYTES = 1 << 16

#: A larger checkpoint is refused before it is read.
MAX_CHECKPOINT_BYTES = 2 << 30


@dataclass(frozen=True)
class ReadRequest:
    """What a reader may need beside the file.

    ``architecture`` names a system of the zoo, built with ``options`` and ``n_classes``;
    ``arch_class`` is ``package.module:Class`` of the user's own. ``window_shape`` is ``(T, F)`` and
    ``layout`` how the network takes it (see ``recipe.Recipe``), with ``channels`` where the layout
    has a channel axis. ``trust_pickle`` allows formats that can run code when they are opened.
    """

    n_classes: int
    window_shape: tuple[int, int]
    layout: str
    architecture: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    arch_class: str | None = None
    trust_pickle: bool = False
    channels: int = 1


def names() -> list[str]:
    """The kinds of checkpoint that can be read."""
    return sorted(
        m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg and _is_reader(m.name)
    )


def find_reader(path: Path) -> str:
    """The name of the reader for a checkpoint, told from its content and its ending.

    Raises:
        BabycryError: the file cannot be read, or no reader knows it.
    """
    head = _head(path)
    for name in names():
        if _load(name).sniff(path, head):
            return name
    endings = sorted({suffix for name in names() for suffix in _load(name).SUFFIXES})
    raise BabycryError(f"{path}: no checkpoint that can be read: give one of {' '.join(endings)}")


def read_checkpoint(path: Path, request: ReadRequest) -> nn.Module | FinishedModel:
    """Read a checkpoint of any kind.

    Raises:
        BabycryError: the file is damaged, dangerous, of no known kind, or does not fit the request.
    """
    result: nn.Module | FinishedModel = _load(find_reader(path)).read(path, request)
    return result


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")


def _is_reader(name: str) -> bool:
    return hasattr(_load(name), "sniff")


def _head(path: Path) -> bytes:
    try:
        if path.is_dir():  # a SavedModel
            return b""
        if path.stat().st_size > MAX_CHECKPOINT_BYTES:
            raise BabycryError(
                f"{path} exceeds {MAX_CHECKPOINT_BYTES} bytes: no model for a device"
            )
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise BabycryError(f"cannot read checkpoint {path}: {error.strerror or error}") from None
