"""The wheel format: metadata out of pyproject.toml, RECORD, a ZIP file of the same bytes always.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/
https://packaging.python.org/en/latest/specifications/core-metadata/
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from babycry_edge.errors import BabycryError
from babycry_edge.extras import require

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
_COMPRESSION_LEVEL = 6
_PLAIN_FILE, _PROGRAM = 0o100644, 0o100755
_UNIX = 3
_GENERATOR = "babycry_bench.arm.wheel_file"


def read_pyproject(source: Path) -> dict[str, Any]:
    """The project's description.

    Raises:
        BabycryError: ``source`` is no source tree, or its pyproject.toml cannot be read.
    """
    path = source / "pyproject.toml"
    try:
        toml: Any = importlib.import_module("tomllib")
    except ModuleNotFoundError:
        toml = require("tomli", "bench")
    try:
        with path.open("rb") as file:
            content: dict[str, Any] = toml.load(file)
    except OSError as error:
        raise BabycryError(f"{path}: {error.strerror}: give the source tree's folder") from None
    except toml.TOMLDecodeError as error:
        raise BabycryError(f"{path}: not TOML: {error}") from None
    return content


def core_metadata(pyproject: Mapping[str, Any], version: str, readme: str) -> str:
    """The file METADATA of the distribution, in version 2.4 of the format."""
    project = pyproject["project"]
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {version}",
        f"Summary: {project['description']}",
        f"License-Expression: {project['license']}",
        *(f"License-File: {name}" for name in project["license-files"]),
        *(f"Classifier: {classifier}" for classifier in project["classifiers"]),
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {requirement}" for requirement in project["dependencies"]),
    ]
    for extra, requirements in project["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_of_extra(one, extra)}" for one in requirements]
    lines += ["Description-Content-Type: text/markdown", "", readme]
    return "\n".join(lines)


def entry_points(pyproject: Mapping[str, Any]) -> str:
    """The file entry_points.txt: commands and plug-ins."""
    project = pyproject["project"]
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    return "\n".join(
        "".join([f"[{group}]\n", *(f"{name} = {target}\n" for name, target in entries.items())])
        for group, entries in groups.items()
    )


def wheel_metadata(tag: str) -> str:
    """The file WHEEL; ``tag`` may be a compressed set, as in the file's name."""
    python, abi, platforms = tag.split("-")
    tags = [f"Tag: {python}-{abi}-{platform}" for platform in platforms.split(".")]
    head = ["Wheel-Version: 1.0", f"Generator: {_GENERATOR}", "Root-Is-Purelib: false"]
    return "\n".join([*head, *tags, ""])


def packed(files: Mapping[str, bytes], dist_info: str) -> bytes:
    """A wheel of ``files`` by their names in it, with a RECORD; the same bytes for the same files.

    As the format recommends, ``dist_info`` comes last, and RECORD at the very end.
    """
    names = sorted(files, key=lambda name: (name.startswith(dist_info), name))
    record = f"{dist_info}/RECORD"
    lines = [f"{name},sha256={_digest(files[name])},{len(files[name])}" for name in names]
    contents = {**files, record: "\n".join([*lines, f"{record},,", ""]).encode()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in (*names, record):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.create_system = _UNIX
            entry.external_attr = (_PROGRAM if name.endswith(".so") else _PLAIN_FILE) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, contents[name], compresslevel=_COMPRESSION_LEVEL)
    return stream.getvalue()


def package_files(source: Path, pyproject: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """What ``tool.scikit-build.wheel`` puts into a wheel: name there, and file of the tree."""
    wheel = pyproject["tool"]["scikit-build"]["wheel"]
    left_out = set(wheel["exclude"])
    for package, folder in wheel["packages"].items():
        root = source / folder
        if not root.is_dir():
            raise BabycryError(f"{root}: no such folder: give the source tree's folder")
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            name = f"{package}/{inside.as_posix()}"
            if path.is_file() and name not in left_out and not _is_product(inside):
                yield name, path


def escaped(name: str) -> str:
    """A project's name as it stands in file names."""
    return re.sub(r"[-_.]+", "_", name).lower()


def _is_product(path: Path) -> bool:
    """What Python, an editor or a build left in the tree."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in path.parts)
    return hidden or path.suffix in (".so", ".pyc")


def _of_extra(requirement: str, extra: str) -> str:
    specifier, _, marker = (part.strip() for part in requirement.partition(";"))
    if " or " in marker:
        marker = f"({marker})"
    return f'{specifier}; {marker + " and " if marker else ""}extra == "{extra}"'


def _digest(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
