"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from babycry_edge.errors import BabycryError


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, then rename: a reader sees the old file or the new one.

    Raises:
        BabycryError: the folder is missing, or the file cannot be written (a full disk, say); then
            the old file is untouched and nothing is left beside it.
    """
    if not path.parent.is_dir():
        raise BabycryError(f"{path}: the folder {path.parent} does not exist: make it first")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise BabycryError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
