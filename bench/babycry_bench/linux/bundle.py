"""A bundle: the folder that goes onto a board, and what its ``bundle.json`` says about it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from babycry_edge.errors import BabycryError

MANIFEST = "bundle.json"
PROGRAM = "babycry-bench"
_FORMAT = 1
_MEND = "make it anew with babycry-edge bench --build TARGET -o DIR"
_MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """What was built.

    Attributes:
        target: in :data:`babycry_bench.linux.build.TARGETS`.
        compiler: what it calls itself, first line.
        git_commit: of the sources; None where it is not known.
        files: SHA-256 of each file by name, ``babycry-bench`` among them.
    """

    target: str
    compiler: str
    git_commit: str | None
    files: dict[str, str]

    @property
    def digest(self) -> str:
        """Hexadecimal; the same for the same files."""
        names = "".join(f"{name} {value}\n" for name, value in sorted(self.files.items()))
        return hashlib.sha256(names.encode()).hexdigest()

    def to_json(self) -> bytes:
        """The content of ``bundle.json``."""
        return (json.dumps({"format": _FORMAT, **asdict(self)}, indent=2) + "\n").encode()


def read_bundle(directory: Path) -> Bundle:
    """The bundle in ``directory``, its files compared with what was built.

    Raises:
        BabycryError: there is none, or a file is missing or another.
    """
    path = directory / MANIFEST
    try:
        if path.stat().st_size > _MAX_MANIFEST_BYTES:
            raise BabycryError(f"{path}: not the manifest of a bundle: {_MEND}")
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BabycryError(f"{path}: no bundle: {error.strerror}; {_MEND}") from None
    except (ValueError, RecursionError):
        raise BabycryError(f"{path}: damaged: {_MEND}") from None
    bundle = _parsed(content, path)
    for name, value in bundle.files.items():
        try:
            found = hashlib.sha256((directory / name).read_bytes()).hexdigest()
        except OSError as error:
            raise BabycryError(f"{directory / name}: {error.strerror}; {_MEND}") from None
        if found != value:
            raise BabycryError(f"{directory / name} is not the file that was built: {_MEND}")
    return bundle


def _parsed(content: object, path: Path) -> Bundle:
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise BabycryError(f"{path}: not a bundle of this release: {_MEND}")
    target, compiler = content.get("target"), content.get("compiler")
    commit, files = content.get("git_commit"), content.get("files")
    are_texts = isinstance(target, str) and isinstance(compiler, str)
    if not are_texts or not isinstance(files, dict) or PROGRAM not in files:
        raise BabycryError(f"{path}: damaged: {_MEND}")
    for name, value in files.items():
        if Path(name).name != name or name in ("", ".", "..") or not isinstance(value, str):
            raise BabycryError(f"{path}: damaged: {_MEND}")
    return Bundle(str(target), str(compiler), commit if isinstance(commit, str) else None, files)
