"""The zip archives that torch writes, opened without torch.

torch.save, TorchScript and torch.export all write zip files with one folder at the top; the
members tell which of the three a file is. An archive is read whole and written anew before torch
sees it, so that what was checked is what is loaded.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from babycry_edge.errors import BabycryError

Kind = Literal["state dict", "TorchScript", "exported program"]

ZIP_MAGIC = b"PK\x03\x04"

_MOST_MEMBERS = 65_536
_MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class TorchArchive:
    """``members`` by their name without the top folder."""

    kind: Kind
    members: dict[str, bytes]

    def rewritten(self) -> io.BytesIO:
        """The same members as a plain archive."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            for name, data in self.members.items():
                archive.writestr(zipfile.ZipInfo(f"archive/{name}"), data)
        buffer.seek(0)
        return buffer


def archive_kind(path: Path) -> Kind | None:
    """What kind of torch archive a file is; None if it is none, or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _kind(archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return None


def read_archive(path: Path) -> TorchArchive:
    """Read all members.

    Raises:
        BabycryError: no zip archive, damaged, larger than any model, or none of torch's.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            kind = _kind([info.filename for info in infos])
            if kind is None:
                raise BabycryError(f"{path}: a zip file, but none that torch wrote")
            if len(infos) > _MOST_MEMBERS or sum(i.file_size for i in infos) > _MOST_BYTES:
                raise BabycryError(f"{path}: larger than any model for a device")
            members: dict[str, bytes] = {}
            for info in infos:
                name = info.filename.partition("/")[2]
                if name in members or info.flag_bits & 1:
                    raise BabycryError(f"{path}: {info.filename!r} is there twice or encrypted")
                if name:
                    members[name] = archive.read(info)
    except (OSError, zipfile.BadZipFile, zlib.error, ValueError, EOFError) as error:
        if isinstance(error, BabycryError):
            raise
        raise BabycryError(f"{path}: truncated or damaged: {error}") from None
    except (NotImplementedError, RuntimeError) as error:
        raise BabycryError(f"{path}: no archive of torch's: {error}") from None
    return TorchArchive(kind, members)


def _kind(names: list[str]) -> Kind | None:
    inner = {name.partition("/")[2] for name in names}
    bare = set(names)
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "TorchScript"
    if "archive_format" in inner and any(name.startswith("models/") for name in inner):
        return "exported program"
    if "serialized_exported_program.json" in bare | inner:
        return "exported program"
    if "data.pkl" in inner:
        return "state dict"
    return None
