"""Where the C library's sources are: in the source tree, or in what pip installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from babycry_edge.errors import BabycryError

_PACKAGE = Path(__file__).resolve().parent


def c_sources() -> Path:
    """The folder with ``CMakeLists.txt`` and ``csrc``.

    Raises:
        BabycryError: this installation came without them.
    """
    for folder in (_PACKAGE / "source", _PACKAGE.parents[1]):
        if (folder / "CMakeLists.txt").is_file() and (folder / "csrc/ports/bench").is_dir():
            return folder
    raise BabycryError(
        f"{_PACKAGE}: the C sources are not here: pip install --force-reinstall babycry-edge"
    )


def git_commit(source: Path) -> str | None:
    """The commit of the work tree at ``source``, "-dirty" behind it where files were changed.

    None where there is no git, or ``source`` is not the top of a work tree.
    """
    top = _git(source, "rev-parse", "--show-toplevel")
    commit = _git(source, "rev-parse", "HEAD")
    if top is None or commit is None or Path(top).resolve() != source.resolve():
        return None
    return f"{commit}-dirty" if _git(source, "status", "--porcelain", "-uno") else commit


def _git(source: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(source), *arguments],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
